"""Where env files say something else than the machines: a line for each."""

from collections.abc import Iterable, Iterator, Mapping

from cluster.discovery.envtext import Entry
from cluster.discovery.files import Written
from cluster.discovery.proposal import Host
from cluster.discovery.seat import Seat
from cluster.errors import Problem
from cluster.facts.ports import Twin

GID_INDEX = "NCCL_IB_GID_INDEX"
ROCE = "RoCE v2"
TRUTHS: Mapping[str, str] = {
    "HOST_IP": "the address there is",
    "ETH_IF": "the cable is in",
    "IB_IF": "the cable is in",
    "HEAD_IP": "the head's HOST_IP is",
    "SSH_HOST": "it was named",
    "GPUS": "nvidia-smi lists",
}
"""What the right value of a key is said to be."""


def drifts(file: Written, entries: Iterable[Entry]) -> Iterator[Problem]:
    """Yield the keys of a file whose values are not those that the machines show."""
    path = file.page.path
    for entry in entries:
        old = file.raw.get(entry.key)
        if old is None:
            yield Problem(place=f"{path}: {entry.key}", message=f"is missing, {_right(entry)}")
        elif old != entry.value:
            is_now = f"is {old}" if old else "is empty"
            yield Problem(place=_place(file, entry.key), message=f"{is_now}, {_right(entry)}")


def moved(host: Host, seat: Seat, shared: Written) -> Iterator[Problem]:
    """Yield a GID row that is forced, and is no longer that of the address."""
    file = host.file if GID_INDEX in host.file.raw else shared
    forced = file.raw.get(GID_INDEX, "")
    wrong = (twin for twin in seat.twins if _rows(twin) and forced not in _rows(twin))
    if twin := next(wrong, None) if forced.isdecimal() else None:
        row, address = next(iter(_rows(twin).items()))
        message = f"is {forced}, on {host.name} {twin.device.name} has {address} in row {row}"
        remedy = "remove the line: NCCL finds the row"
        yield Problem(place=_place(file, GID_INDEX), message=message, remedy=remedy)


def _place(file: Written, key: str) -> str:
    return f"{file.page.place(key)}: {key}"


def _right(entry: Entry) -> str:
    if not entry.value:
        return "there is no RDMA device"
    return f"{TRUTHS.get(entry.key, 'it should be')} {entry.value}"


def _rows(twin: Twin) -> dict[str, str]:
    """Return the rows of RoCE v2 with an IPv4 address of a device's interface, by number."""
    own = {one.ip for one in twin.interface.addresses}
    return {
        str(row.index): str(row.address)
        for row in twin.device.gids
        if row.kind == ROCE and row.address in own
    }
