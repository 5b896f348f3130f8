"""Whether packets as large as an interface lets out arrive at the other nodes."""

from collections.abc import Iterator

from cluster.checks.alike import apart, names
from cluster.checks.check import Check, Patient
from cluster.checks.pairs import Pair, answered, ours, pairs
from cluster.errors import Problem

ETHERNET = 1500


def _mtu(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Find pairs of one MTU that packets of this size pass neither way: one ping may get lost."""
    lost = (pair for pair in pairs(patients) if _alike(pair) and True in _lost(pair))
    yield from _between(_ends(patients, tuple(pair for pair in lost if False not in _lost(pair))))


def _mtu_same(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Find pairs whose MTUs differ, where the larger packets do not pass."""
    lost = (pair for pair in pairs(patients) if not _alike(pair) and True in _lost(pair))
    yield from _unlike(_ends(patients, tuple(lost)))


def _lost(pair: Pair) -> tuple[bool | None, ...]:
    """Tell of each way whether large packets alone get lost; None when nobody knows."""
    one, other = pair
    return tuple(_way_lost(its, peer) for its, peer in ((one, other), (other, one)))


def _way_lost(one: Patient, other: Patient) -> bool | None:
    large = answered(one, other, "large")
    return None if large is None or not (large or answered(one, other, "small")) else not large


def _alike(pair: Pair) -> bool:
    one, other = pair
    return ours(one).mtu == ours(other).mtu


def _ends(patients: tuple[Patient, ...], chosen: tuple[Pair, ...]) -> tuple[Patient, ...]:
    return tuple(its for its in patients if any(its in pair for pair in chosen))


def _unlike(ends: tuple[Patient, ...]) -> Iterator[Problem]:
    """Say who has which MTU."""
    message = "MTUs differ, and large packets do not arrive"
    yield from apart(message, ends, lambda its: str(ours(its).mtu), _widened)


def _widened(ends: tuple[Patient, ...]) -> str:
    """Return how those with less get the most."""
    most = max(ours(its).mtu for its in ends)
    less = (its for its in ends if ours(its).mtu < most)
    return f"{', '.join(_set(its, most) for its in less)}, and netplan to keep it so"


def _between(ends: tuple[Patient, ...]) -> Iterator[Problem]:
    """Say that something between interfaces with one MTU has a smaller one."""
    if ends:
        most = max(ours(its).mtu for its in ends)
        message = f"packets of {most} bytes, their MTU, do not pass between them; small ones do"
        smaller = ", ".join(_set(its, ETHERNET) for its in ends)
        remedy = f"a switch between them must let through {most} bytes; or {smaller}"
        yield Problem(place=names(ends), message=message, remedy=remedy)


def _set(patient: Patient, mtu: int) -> str:
    return patient.on(f"sudo ip link set {patient.node.eth_if} mtu {mtu}")


PACKETS: tuple[Check, ...] = (
    Check(
        name="mtu",
        severity="blocks",
        title="Packets as large as the MTU of ETH_IF arrive",
        looks_at="`ping -M do -I ETH_IF` from each node to each other, as large as the MTU",
        why="Something between the nodes drops large packets, and tells nobody: they join, and "
        "hang as soon as they send something large.",
        remedy="Let the switch pass packets of this size, or set a smaller MTU on all nodes.",
        source="eugr/spark-vllm-docker, docs/NETWORKING.md; RFC 2923, section 2.1",
        look=_mtu,
    ),
    Check(
        name="mtu-same",
        severity="slow",
        title="All nodes have the same MTU",
        looks_at="`ip link`, and `ping -M do -I ETH_IF` as large as the MTU",
        why="TCP and NCCL's RDMA agree on the smaller one, which costs up to a fifth of the "
        "bandwidth; other programs send packets that are lost. NVIDIA's files leave 1500.",
        remedy="Set the same MTU on all nodes, and at least as much on the switch.",
        source="NVIDIA dgx-spark-playbooks issue 25 and pull request 103; RFC 9293, 3.7.1; NCCL, "
        "src/transport/net_ib/connect.cc",
        look=_mtu_same,
    ),
)
