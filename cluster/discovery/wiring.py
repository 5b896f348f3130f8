"""The interfaces of machines that reach each other: what to ask, and what the answers mean."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from itertools import product

from cluster.facts.facts import Facts, FactsRequest
from cluster.facts.links import DOCKERS, RJ45, Interface
from cluster.facts.ports import Port, Twin, ports, twins
from cluster.facts.reach import REACH

TUNNELS = frozenset({"tun", "wireguard"})
"""Networks over other networks: unfit for a cluster."""

Machines = Mapping[str, Facts]
"""The facts of each machine by its node's name, in the order of the command line."""
Addresses = Mapping[str, IPv4Address]
"""The HOST_IP in the file of each node: it decides where there is a choice."""


@dataclass(frozen=True, kw_only=True)
class LinkEnd:
    """One end of a possible link: an address of an interface of a machine."""

    machine: str
    interface: Interface
    address: IPv4Interface


Network = tuple[LinkEnd, ...]
"""An end of each machine; all reach each other."""
Candidates = tuple[tuple[LinkEnd, ...], ...]
"""The ends of each machine that the cluster may use, the likeliest first."""


def interfaces_without_rdma(facts: Facts) -> tuple[Interface, ...]:
    """Return the interfaces that can carry a cluster without RDMA, the likeliest first."""
    rdma = {twin.interface.name for twin in twins(facts)}
    usable = (
        interface
        for interface in facts.links.interfaces
        if interface.name not in rdma
        and not interface.name.startswith(DOCKERS)
        and interface.kind not in TUNNELS
        and interface.alive
        and interface.addresses
    )
    return tuple(sorted(usable, key=_likelihood))


def _likelihood(interface: Interface) -> tuple[bool, int, bool, str]:
    virtual, speed = bool(interface.kind), interface.speed or 0
    return (virtual, -speed, interface.name == RJ45, interface.name)


def requests(machines: Machines) -> dict[str, FactsRequest]:
    """Return the addresses that each machine has to ping, and from which interface.

    From a port only those of its own networks: bound to an interface, Linux asks for any address
    on the cable, and a neighbour also answers for the addresses of its other interfaces (ip-sysctl,
    arp_ignore). From other interfaces a router may know the route.
    """
    return {name: _request(name, machines) for name in machines}


def _request(name: str, machines: Machines) -> FactsRequest:
    ends = (*_rdma_ends(name, machines[name]), *_other_ends(name, machines[name]))
    assigned = {end.address.ip for end in ends}
    pairs = ((source.interface.name, peer.address.ip) for source, peer in _pairs(name, machines))
    pings = tuple(dict.fromkeys(ping for ping in pairs if ping[1] not in assigned))
    routes_to = tuple(dict.fromkeys(address for _, address in pings))
    return FactsRequest(parts=(REACH,), pings=pings, routes_to=routes_to)


def _pairs(name: str, machines: Machines) -> Iterator[tuple[LinkEnd, LinkEnd]]:
    """Yield each end of a machine with each that it may reach on all other machines."""
    for peer in machines:
        if peer != name:
            rdma = product(_rdma_ends(name, machines[name]), _rdma_ends(peer, machines[peer]))
            yield from (pair for pair in rdma if _are_neighbours(*pair))
            yield from product(_other_ends(name, machines[name]), _other_ends(peer, machines[peer]))


def _are_neighbours(first: LinkEnd, second: LinkEnd) -> bool:
    """Whether either of them has the other's address in its own network."""
    return second.address.ip in first.address.network or first.address.ip in second.address.network


def _ends(name: str, interfaces: Iterable[Interface]) -> Iterator[LinkEnd]:
    for interface in interfaces:
        for address in interface.addresses:
            yield LinkEnd(machine=name, interface=interface, address=address)


def _rdma_ends(name: str, facts: Facts) -> Iterator[LinkEnd]:
    return (end for port in ports(facts) for end in _port_ends(name, port))


def _other_ends(name: str, facts: Facts) -> Iterator[LinkEnd]:
    return _ends(name, interfaces_without_rdma(facts))


def _port_ends(name: str, port: Port) -> Iterator[LinkEnd]:
    return _ends(name, (twin.interface for twin in port.twins if twin.alive))


class Wiring:
    """The machines that reach each other by their pings; one direction proves a connection."""

    def __init__(self, machines: Machines, addresses: Addresses) -> None:
        """Collect the pings that were answered."""
        self.machines = machines
        self._addresses = addresses
        self._answered = {
            (name, ping.interface, ping.peer)
            for name, facts in machines.items()
            for ping in facts.reach.pings
            if ping.answered
        }

    def is_connected(self, first: LinkEnd, second: LinkEnd) -> bool:
        """Whether either end reaches the other."""
        forth = (first.machine, first.interface.name, second.address.ip)
        back = (second.machine, second.interface.name, first.address.ip)
        return forth in self._answered or back in self._answered

    def rdma_candidates(self, *, permanent: bool = True) -> Candidates:
        """Return the ends of all ports; within a port the kernel's own choice is first."""
        return tuple(
            tuple(end for end in self._by_port(name) if _is_permanent(end) is permanent)
            for name in self.machines
        )

    def other_candidates(self) -> Candidates:
        """Return the ends without RDMA."""
        rows = (_other_ends(name, facts) for name, facts in self.machines.items())
        return tuple(
            tuple(sorted(filter(_is_permanent, row), key=lambda end: not self._is_configured(end)))
            for row in rows
        )

    def _by_port(self, name: str) -> Iterator[LinkEnd]:
        rows = {port: list(_port_ends(name, port)) for port in ports(self.machines[name])}
        for port in sorted(rows, key=lambda port: not any(map(self._is_configured, rows[port]))):
            for twin in _kernel_order(self.machines[name], port):
                yield from (end for end in rows[port] if end.interface == twin.interface)

    def _is_configured(self, end: LinkEnd) -> bool:
        return self._addresses.get(end.machine) == end.address.ip

    def common_network(self, candidates: Candidates, members: Network = ()) -> Network:
        """Return an end of each machine from which it reaches all others; nothing if none."""
        if not candidates:
            return members
        networks = (
            self.common_network(candidates[1:], (*members, end))
            for end in candidates[0]
            if all(self.is_connected(end, member) for member in members)
        )
        return next(filter(None, networks), ())

    def neighbours(self, name: str, port: Port) -> tuple[str, ...]:
        """Return the machines that a port of a machine reaches on one of their ports, in order."""
        ends = tuple(filter(_is_permanent, _port_ends(name, port)))
        rows = zip(self.machines, self.rdma_candidates(), strict=True)
        return tuple(
            peer
            for peer, row in rows
            if peer != name and any(self.is_connected(first, end) for first in ends for end in row)
        )

    def all_neighbours(self, name: str) -> tuple[str, ...]:
        """Return the machines that any port of a machine reaches."""
        rows = (self.neighbours(name, port) for port in ports(self.machines[name]))
        return tuple(dict.fromkeys(peer for row in rows for peer in row))


def _is_permanent(end: LinkEnd) -> bool:
    """Whether a restart keeps the address: link-local addresses change (RFC 3927)."""
    return not end.address.is_link_local


def _kernel_order(facts: Facts, port: Port) -> tuple[Twin, ...]:
    """Return the twins of a port; in a shared network the one of the kernel's route is first."""
    routed = {route.device for route in facts.reach.routes}
    networks = [address.network for twin in port.twins for address in twin.interface.addresses]
    shared = len({*networks}) < len(networks)
    return tuple(sorted(port.twins, key=lambda twin: shared and twin.interface.name not in routed))
