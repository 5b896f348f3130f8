"""What the env files of hosts should say, each value with what it is known from."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from cluster.discovery.envtext import Entry
from cluster.discovery.files import Written
from cluster.discovery.seat import Seat, Seats
from cluster.discovery.topology import Topology
from cluster.facts.facts import Facts
from cluster.settings import crosscheck
from cluster.settings.key import Key
from cluster.settings.page import Page
from cluster.settings.schema import (
    ACCELERATOR,
    ETH_IF,
    GPUS,
    HEAD_IP,
    HOST_IP,
    IB_IF,
    ROLE,
    SSH_HOST,
    SUBNET,
)

RING = {
    "NCCL_NET_PLUGIN": "none",
    "NCCL_IB_SUBNET_AWARE_ROUTING": "1",
    "NCCL_IB_MERGE_NICS": "0",
}
"""For a ring, where each cable is a network (NVIDIA dgx-spark-playbooks, connect-three-sparks)."""
OF_RING = "a ring, in which each cable is a network of its own"
WIDEST = 1
"""The shortest prefix that SUBNET may have."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A machine, the file that describes it, and how it was named."""

    name: str
    """The node's."""
    destination: str
    """Empty for this machine, and for one that has its file's."""
    facts: Facts
    file: Written


def shared(hosts: tuple[Host, ...], found: Topology, head: str, file: Written) -> tuple[Entry, ...]:
    """Return what cluster.env should say."""
    addresses = tuple(found.seats[host.name].spot.address.ip for host in hosts)
    first = found.seats.get(head, next(iter(found.seats.values()))).spot.address
    subnet = file.page.get(SUBNET) or crosscheck.around(first.ip)
    lacking = () if _holds(subnet, addresses) else _subnets(first.network, addresses)
    why = "holds HOST_IP of every node"
    ring = RING if found.kind == "ring" else {}
    return (
        *(Entry(key=SUBNET.name, value=str(net), why=why) for net in lacking),
        *(Entry(key=key, value=value, why=OF_RING) for key, value in ring.items()),
    )


def own(host: Host, found: Topology, head: str, file: Written) -> tuple[Entry, ...]:
    """Return what a node's file should say; `file` is cluster.env."""
    seat = found.seats[host.name]
    spot = seat.spot
    net = f"in {spot.address.network}"
    return (
        *_role(host, head),
        _entry(host, HOST_IP, str(spot.address.ip), f"of {spot.interface.name}, {net}"),
        _entry(host, ETH_IF, spot.interface.name, _reached(seat)),
        *_ib_if(host, seat),
        *_head_ip(host, found.seats, head),
        *_ssh_host(host, spot.address.ip),
        *(_gpus(host) if file.page[ACCELERATOR] != "none" else ()),
    )


def head(hosts: tuple[Host, ...], pages: tuple[Page, ...]) -> str:
    """Return the name of the head: what a file says, else the first host without a role."""
    heads = (page.name for page in pages if page.get(ROLE) == "head")
    free = (host.name for host in hosts if not host.file.page.get(ROLE))
    return next(heads, "") or next(free, "")


def _role(host: Host, head: str) -> Iterator[Entry]:
    """Yield the role of a node that has none: what a person wrote stays."""
    if not host.file.page.get(ROLE):
        first = host.name == head
        why = "the first that was named" if first else f"{head} is the head"
        yield Entry(key=ROLE.name, value="head" if first else "worker", why=why)


def _ib_if(host: Host, seat: Seat) -> Iterator[Entry]:
    """Yield the RDMA devices; that there are none goes without saying in a file that has more."""
    value = ",".join(twin.device.name for twin in seat.twins)
    if value or IB_IF.name in host.file.raw or not host.file.raw:
        yield _entry(host, IB_IF, value, _twins(seat))


def _head_ip(host: Host, seats: Seats, head: str) -> Iterator[Entry]:
    """Yield HEAD_IP where it is written, which it need not be."""
    if HEAD_IP.name in host.file.raw and head in seats:
        yield _entry(host, HEAD_IP, str(seats[head].spot.address.ip), f"HOST_IP of {head}")


def _ssh_host(host: Host, address: IPv4Address) -> Iterator[Entry]:
    """Yield how the node is reached, unless it is HOST_IP, or the file adds only the user."""
    named = host.destination
    old = host.file.page.get(SSH_HOST) or ""
    if named and named not in {str(address), old.rpartition("@")[2]}:
        yield _entry(host, SSH_HOST, named, "as it was named")


def _gpus(host: Host) -> Iterator[Entry]:
    count = len(host.facts.gpus.gpus)
    if count and (count > 1 or GPUS.name in host.file.raw):
        yield _entry(host, GPUS, str(count), f"nvidia-smi lists {count}")


def _entry(host: Host, key: Key[object], value: str, why: str) -> Entry:
    """Return an entry; where the file means the same already, it stays as it is written."""
    raw = host.file.raw.get(key.name, value)
    same = _meant(host.file.page.get(key)) == _meant(key.parse(value))
    return Entry(key=key.name, value=raw if same else value, why=why)


def _meant(value: object) -> object:
    """Return a value as it counts: the order of devices does not."""
    return frozenset(value) if isinstance(value, tuple) else value


def _reached(seat: Seat) -> str:
    """Say what answers at an interface, and what it is."""
    its, peers = seat.spot.interface, seat.peers
    more = f", and {len(peers) - 1} more" if len(peers) > 1 else ""
    reaches = (f"reaches {one.host} at {one.address.ip}{more}" for one in peers[:1])
    speed = f"{its.speed / 1000:g} Gb/s" if its.speed else ""
    message = ", ".join(filter(None, (its.pci, speed)))
    return "; ".join(filter(None, (f"{its.name} {next(reaches, 'has a cable')}", message)))


def _twins(seat: Seat) -> str:
    """Say what the RDMA devices are."""
    if not seat.ports:
        return "no RDMA device: sockets only"
    count = sum(len(port.twins) for port in seat.ports)
    which = "both ports" if len(seat.ports) > 1 else f"the port of {seat.ports[0].name}"
    part = "" if len(seat.twins) == count else f"{len(seat.twins)} of {count} twins of "
    places = ", ".join(filter(None, (twin.device.pci for twin in seat.twins)))
    return f"{part}{which}: {places}" if places else f"{part}{which}"


def _holds(net: IPv4Network, addresses: tuple[IPv4Address, ...]) -> bool:
    """Tell whether a network has all addresses, none of them at its ends; a /31 has no ends."""
    pair = net.num_addresses == 2  # noqa: PLR2004 (a pair is two)
    ends = () if pair else (net.network_address, net.broadcast_address)
    return all(one in net and one not in ends for one in addresses)


def _subnets(first: IPv4Network, addresses: tuple[IPv4Address, ...]) -> tuple[IPv4Network, ...]:
    """Return the smallest network around the first that holds all; none if none may be SUBNET."""
    nets = (first.supernet(new_prefix=prefix) for prefix in range(first.prefixlen, WIDEST - 1, -1))
    wide = (net for net in nets if net.prefixlen < net.max_prefixlen)
    return tuple(net for net in wide if _holds(net, addresses))[:1]
