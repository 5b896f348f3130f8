"""Which interface of which host reaches which of the others: what to ask, and what it means."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from cluster.discovery.plain import plain
from cluster.facts.facts import Facts, Request
from cluster.facts.links import Interface
from cluster.facts.ports import Port, Twin, ports
from cluster.facts.reach import REACH

Hosts = Mapping[str, Facts]
"""What each host said, by its name, in the order in which they were named."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """An address of an interface of a host."""

    host: str
    interface: Interface
    address: IPv4Interface

    @property
    def lasting(self) -> bool:
        """Whether it is the same after a start: link-local addresses are not (RFC 3927)."""
        return not self.address.is_link_local


Chosen = Mapping[str, IPv4Address]
"""The HOST_IP that the file of a host has: where there is a choice, it is made."""
Rows = tuple[tuple[Spot, ...], ...]
"""The spots of each host that may be the one for the cluster, the likeliest first."""


def asked(hosts: Hosts) -> dict[str, Request]:
    """Return which addresses each host tries from which interface.

    From a port only those of its own networks: bound to an interface, Linux asks for any address
    on the cable, and a neighbour answers for those of its other interfaces, too (ip-sysctl,
    arp_ignore). From other interfaces a router may know the way.
    """
    fast = {name: tuple(_of_ports(name, ports(facts))) for name, facts in hosts.items()}
    slow = {name: tuple(_of(name, plain(facts))) for name, facts in hosts.items()}
    return {name: _asked(name, fast, slow) for name in hosts}


def _asked(
    name: str, fast: Mapping[str, tuple[Spot, ...]], slow: Mapping[str, tuple[Spot, ...]]
) -> Request:
    own = {spot.address.ip for spot in (*fast[name], *slow[name])}
    near = (pair for pair in _pairs(name, fast) if _near(*pair))
    tried = ((one.interface.name, its.address.ip) for one, its in (*near, *_pairs(name, slow)))
    pings = dict.fromkeys((name, peer) for name, peer in tried if peer not in own)
    routes_to = tuple(dict.fromkeys(peer for _, peer in pings))
    return Request(parts=(REACH,), pings=tuple(pings), routes_to=routes_to)


def _pairs(name: str, spots: Mapping[str, tuple[Spot, ...]]) -> Iterator[tuple[Spot, Spot]]:
    """Yield each spot of a host with each of the others'."""
    others = tuple(spot for host, its in spots.items() if host != name for spot in its)
    return ((spot, other) for spot in spots[name] for other in others)


def _near(one: Spot, other: Spot) -> bool:
    """Tell whether one of them takes the other for a neighbour."""
    return other.address.ip in one.address.network or one.address.ip in other.address.network


def _of(name: str, interfaces: Iterable[Interface]) -> Iterator[Spot]:
    for one in interfaces:
        yield from (Spot(host=name, interface=one, address=its) for its in one.addresses)


def _of_ports(name: str, its: Iterable[Port]) -> Iterator[Spot]:
    return _of(name, (twin.interface for port in its for twin in port.twins if twin.alive))


class Wiring:
    """Who reaches whom, by what the hosts' pings say; either direction proves the way."""

    def __init__(self, hosts: Hosts, chosen: Chosen) -> None:
        """Read the answers of all hosts."""
        self.hosts = hosts
        self._chosen = chosen
        self._answered = {
            (name, ping.interface, ping.peer)
            for name, facts in hosts.items()
            for ping in facts.reach.pings
            if ping.answered
        }

    def joined(self, one: Spot, other: Spot) -> bool:
        """Tell whether a host reaches another from one spot at another."""
        there = (one.host, one.interface.name, other.address.ip)
        back = (other.host, other.interface.name, one.address.ip)
        return there in self._answered or back in self._answered

    def fast(self, *, lasting: bool = True) -> Rows:
        """Return the spots of the ports: those of a port by the way that the kernel takes."""
        return tuple(
            tuple(spot for spot in self._fast(name) if spot.lasting is lasting)
            for name in self.hosts
        )

    def slow(self) -> Rows:
        """Return the spots that have no RDMA."""
        return tuple(
            tuple(
                sorted(
                    (spot for spot in _of(name, plain(facts)) if spot.lasting),
                    key=lambda spot: not self._chooses(spot),
                )
            )
            for name, facts in self.hosts.items()
        )

    def _fast(self, name: str) -> Iterator[Spot]:
        its = {port: tuple(_of_ports(name, (port,))) for port in ports(self.hosts[name])}
        for port in sorted(its, key=lambda port: not any(map(self._chooses, its[port]))):
            for twin in self._by_way(self.hosts[name], port):
                yield from (spot for spot in its[port] if spot.interface == twin.interface)

    def _chooses(self, spot: Spot) -> bool:
        return self._chosen.get(spot.host) == spot.address.ip

    def meeting(self, rows: Rows) -> tuple[Spot, ...]:
        """Return a spot of each host from which it reaches all others; nothing if there is none."""
        return self._meeting((), rows)

    def _meeting(self, chosen: tuple[Spot, ...], rows: Rows) -> tuple[Spot, ...]:
        if not rows:
            return chosen
        fitting = (spot for spot in rows[0] if all(self.joined(spot, one) for one in chosen))
        found = (self._meeting((*chosen, spot), rows[1:]) for spot in fitting)
        return next(filter(None, found), ())

    def _by_way(self, facts: Facts, port: Port) -> tuple[Twin, ...]:
        """Return the twins of a port; first the one that the kernel takes, if they share a net."""
        taken = {way.device for way in facts.reach.ways}
        nets = [its.network for twin in port.twins for its in twin.interface.addresses]
        share = len({*nets}) < len(nets)
        return tuple(sorted(port.twins, key=lambda it: share and it.interface.name not in taken))

    def neighbours(self, name: str, port: Port) -> tuple[str, ...]:
        """Return the hosts that a port reaches on one of theirs, in order."""
        own = tuple(spot for spot in _of_ports(name, (port,)) if spot.lasting)
        rows = zip(self.hosts, self.fast(), strict=True)
        others = ((host, row) for host, row in rows if host != name)
        return tuple(host for host, row in others if self._reaches(own, row))

    def _reaches(self, own: tuple[Spot, ...], row: tuple[Spot, ...]) -> bool:
        return any(self.joined(one, other) for one in own for other in row)
