"""How machines are connected: by a cable, a switch, a ring, or without RDMA."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cluster.discovery import remarks
from cluster.discovery.remarks import Remark, UsedPorts, port_warnings
from cluster.discovery.wiring import Addresses, LinkEnd, Machines, Network, Wiring
from cluster.facts.ports import Port, Twin, ports

Kind = Literal["alone", "direct", "switch", "ring", "sockets", "undecided"]
PAIR = 2
NEIGHBOURS = 2
"""Of a machine in a ring."""
LARGEST_RING = 3
"""NVIDIA describes rings of this size alone (dgx-spark-playbooks, connect-three-sparks)."""


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """What attaches a node to its cluster: an address, an interface and RDMA devices."""

    end: LinkEnd
    """HOST_IP and ETH_IF."""
    ports: tuple[Port, ...] = ()
    """The ports of IB_IF: one, or both in a ring; none without RDMA."""
    peers: tuple[LinkEnd, ...] = ()
    """The ends of all other nodes."""

    @property
    def twins(self) -> tuple[Twin, ...]:
        """The twins with active RDMA devices; all of them if none is active."""
        twins = tuple(twin for port in self.ports for twin in port.twins)
        return tuple(twin for twin in twins if twin.device.active) or twins


Attachments = Mapping[str, Attachment]
"""By node, in order."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """How machines are connected, and the attachment of each; without attachments, questions."""

    kind: Kind
    """`direct` is two machines, also with a switch between them: the settings are the same."""
    attachments: Attachments = field(default_factory=dict)
    warnings: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()


def topology(machines: Machines, addresses: Addresses) -> Topology:
    """Return how machines are connected, by their own facts and the pings that were answered.

    Only answered pings decide, not the number or names of interfaces that are up. If they leave a
    choice, the addresses in the env files decide, then the first port of the first machine.
    """
    if conflicts := tuple(remarks.shared_addresses(machines)):
        return _undecided(*conflicts)
    decided = _topology(Wiring(machines, addresses))
    no_ping = tuple(remarks.missing_ping(machines)) if decided.questions else ()
    return replace(decided, questions=no_ping or decided.questions)


def _topology(wiring: Wiring) -> Topology:
    if len(wiring.machines) == 1:
        return _single(wiring)
    if network := wiring.common_network(wiring.rdma_candidates()):
        kind: Kind = "direct" if len(network) == PAIR else "switch"
        used = {end.machine: _ports(wiring, end) for end in network}
        return _attached(wiring, kind, network, used)
    if order := _ring_order(wiring):
        return _ring(wiring, order)
    if any(facts.rdma.devices for facts in wiring.machines.values()):
        return _undecided(*remarks.unconnected(wiring))
    return _sockets(wiring)


def _attached(
    wiring: Wiring, kind: Kind, network: Network, used: UsedPorts, *warnings: Remark
) -> Topology:
    attachments = {}
    for end in network:
        peers = tuple(peer for peer in network if peer is not end)
        attachments[end.machine] = Attachment(end=end, ports=used[end.machine], peers=peers)
    row = (*warnings, *port_warnings(wiring, used))
    return Topology(kind=kind, attachments=attachments, warnings=row)


def _ports(wiring: Wiring, end: LinkEnd) -> tuple[Port, ...]:
    """Return the port that has an end; nothing for an end without RDMA."""
    rows = ports(wiring.machines[end.machine])
    return tuple(row for row in rows if end.interface in [twin.interface for twin in row.twins])


def _ring(wiring: Wiring, order: tuple[str, ...]) -> Topology:
    """Return a ring: its cables are no network of all nodes, and Ray needs one.

    NVIDIA dgx-spark-playbooks, connect-three-sparks.
    """
    if network := wiring.common_network(wiring.other_candidates()):
        used = {name: _ring_ports(wiring, name) for name in wiring.machines}
        return _attached(wiring, "ring", network, used, *_ring_warnings(wiring, order))
    message = "a ring without a network that all machines share"
    remedy = "Ray needs one: connect the RJ45 port of each machine"
    return _undecided(Remark(", ".join(order), message, remedy))


def _ring_order(wiring: Wiring) -> tuple[str, ...]:
    """Return the machines in the order of their cables; nothing if they are no ring."""
    rows = {name: wiring.all_neighbours(name) for name in wiring.machines}
    cables = [wiring.neighbours(name, port) for name in rows for port in _ring_ports(wiring, name)]
    if any(len(row) > 1 for row in cables) or {*map(len, rows.values())} != {NEIGHBOURS}:
        return ()
    order = [next(iter(rows))]
    while following := [name for name in rows[order[-1]] if name not in order]:
        order.append(following[0])
    return tuple(order) if len(order) == len(rows) else ()


def _ring_ports(wiring: Wiring, name: str) -> tuple[Port, ...]:
    return tuple(port for port in ports(wiring.machines[name]) if wiring.neighbours(name, port))


def _ring_warnings(wiring: Wiring, order: tuple[str, ...]) -> Iterator[Remark]:
    if len(order) > LARGEST_RING:
        message = f"a ring of {len(order)}: not every node reaches all others over a port"
        yield Remark(", ".join(order), message, "use a switch for more than three")
    for first, second in zip(order, (*order[1:], order[0]), strict=True):
        ends = [_port_towards(wiring, *pair) for pair in ((first, second), (second, first))]
        if len({_number(port) for port in ends}) == 1:
            names = " and ".join(port.name for port in ends)
            message = f"the cable connects the same port of both, {names}"
            remedy = "connect port 0 of each node with port 1 of the next"
            yield Remark(f"{first}, {second}", message, remedy)


def _port_towards(wiring: Wiring, name: str, peer: str) -> Port:
    rows = ((port, wiring.neighbours(name, port)) for port in _ring_ports(wiring, name))
    return next(port for port, neighbours in rows if neighbours == (peer,))


def _number(port: Port) -> str:
    """Return the port's number: the function in its PCI address."""
    return port.twins[0].device.pci.rpartition(".")[2]


def _sockets(wiring: Wiring) -> Topology:
    place = ", ".join(wiring.machines)
    if network := wiring.common_network(wiring.other_candidates()):
        message = "no RDMA device: TCP sockets only, several times slower"
        slow = Remark(place, message, "on a Spark: try `sudo modprobe mlx5_ib`")
        used = dict.fromkeys(wiring.machines, ())
        second = _second_network(wiring, network)
        return _attached(wiring, "sockets", network, used, slow, *second)
    message = "no network in which all machines answer"
    return _undecided(Remark(place, message, "connect them, and allow pings"))


def _second_network(wiring: Wiring, network: Network) -> Iterator[Remark]:
    """Yield a second network of all machines: which is faster has not been measured."""
    rows = tuple(
        tuple(end for end in row if end.interface != used.interface)
        for row, used in zip(wiring.other_candidates(), network, strict=True)
    )
    if second := wiring.common_network(rows):
        first = second[0]
        message = f"not used: {first.interface.name} connects all machines as well"
        remedy = f"if it is faster, set HOST_IP={first.address.ip} and probe again"
        yield Remark(first.machine, message, remedy)


def _single(wiring: Wiring) -> Topology:
    """Return the attachment of a single machine: nothing proves where its cable leads."""
    (name,) = wiring.machines
    (rdma,), (without_rdma,) = wiring.rdma_candidates(), wiring.other_candidates()
    linked = dict.fromkeys(port.name for end in rdma for port in _ports(wiring, end))
    if len(linked) > 1:
        message = f"{' and '.join(linked)} have a link"
        return _undecided(Remark(name, message, "name the machines at their other ends as well"))
    if not rdma and not without_rdma:
        message = "no interface has a link and an IPv4 address"
        return _undecided(Remark(name, message, "connect one, and give it an address"))
    end = (*rdma, *without_rdma)[0]
    message = "the only machine probed: where its cables lead is unknown"
    warning = Remark(name, message, "name the other machines as well")
    return _attached(wiring, "alone", (end,), {name: _ports(wiring, end)}, warning)


def _undecided(*questions: Remark) -> Topology:
    return Topology(kind="undecided", questions=questions)
