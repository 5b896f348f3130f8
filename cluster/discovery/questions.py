"""Why it cannot be decided how hosts are joined, and what would decide it."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from cluster.discovery import netplan
from cluster.discovery.remark import Remark, remark
from cluster.discovery.wiring import Hosts, Wiring
from cluster.facts.ports import Port, ports

MOST_SHOWN = 6
NO_PING = "ping: not found"


def twice(hosts: Hosts) -> Iterator[Remark]:
    """Yield the addresses that two hosts have on their ports: who answers there is luck."""
    first: dict[IPv4Address, str] = {}
    for name, facts in hosts.items():
        twins = (twin for port in ports(facts) for twin in port.twins)
        for address in (one.ip for twin in twins for one in twin.interface.addresses):
            if (other := first.setdefault(address, name)) != name:
                yield remark(f"{other}, {name}", f"both have {address}", "give one of them another")


def mute(hosts: Hosts) -> Iterator[Remark]:
    """Yield the hosts that cannot ping at all."""
    for name, facts in hosts.items():
        if facts.reach.pings and all(its.said == NO_PING for its in facts.reach.pings):
            yield remark(name, "has no `ping`", "`sudo apt-get install iputils-ping` there")


def unjoined(wiring: Wiring) -> tuple[Remark, ...]:
    """Return what keeps hosts with fast cards from being joined by them."""
    deaf = tuple(_deaf(wiring))
    return deaf or tuple(_apart(wiring))


def _deaf(wiring: Wiring) -> Iterator[Remark]:
    """Yield the hosts that no other could reach on a port."""
    new = netplan.missing(wiring.hosts, _used(wiring))
    for name, facts in wiring.hosts.items():
        its = ports(facts)
        alive = tuple(port for port in its if port.alive)
        if not its:
            having = next(host for host, facts in wiring.hosts.items() if facts.rdma.devices)
            message = f"has no RDMA device, and {having} has"
            yield remark(name, message, "`sudo modprobe mlx5_ib` there, or leave it out")
        elif not alive:
            message = f"no cable in {_names(its)}, or nothing at its other end"
            yield remark(name, message, "look at the cable, and at `ibdev2netdev` there")
        elif not any(_lasting(port) for port in alive):
            yield _unaddressed(name, alive, netplan.lines(new.get(name, {})))


def _unaddressed(name: str, alive: tuple[Port, ...], lines: tuple[str, ...]) -> Remark:
    temporary = [
        str(one.ip) for port in alive for twin in port.twins for one in twin.interface.addresses
    ]
    has = "only link-local addresses, which change" if temporary else "no IPv4 address"
    those = "the one that leads to the others: " if len(alive) > 1 else ""
    return remark(
        name, f"{_names(alive)} with a cable, and {has}", f"{those}{netplan.REMEDY}", lines
    )


def _used(wiring: Wiring) -> dict[str, Port]:
    """Return the port of each host that most likely leads to the others."""
    met = {spot.host: spot for spot in wiring.meeting(wiring.fast(lasting=False))}
    found: dict[str, Port] = {}
    for name, facts in wiring.hosts.items():
        alive = [port for port in ports(facts) if port.alive]
        its = met[name].interface if name in met else None
        alive.sort(key=lambda port: (not _has(port, its), not _lasting(port)))
        found |= dict.fromkeys([name], alive[0]) if alive else {}
    return found


def _has(port: Port, interface: object) -> bool:
    return any(twin.interface == interface for twin in port.twins)


def _lasting(port: Port) -> bool:
    return any(netplan.own(port, twin) for twin in port.twins)


def _apart(wiring: Wiring) -> Iterator[Remark]:
    """Yield what is not joined although all have addresses."""
    groups = _groups(wiring)
    place = ", ".join(wiring.hosts)
    if len(groups) > 1:
        those = "; ".join(", ".join(group) for group in groups)
        message = f"no port of one leads to another: {those}"
        yield remark(
            place, message, "join them by a switch, or probe each group for a cluster of its own"
        )
    else:
        remedy = (
            "join all by one switch, or three in a ring; a firewall that drops pings looks alike"
        )
        yield remark(place, f"not all are joined{_shown(_strangers(wiring))}", remedy)


def _groups(wiring: Wiring) -> list[tuple[str, ...]]:
    """Return the hosts that their ports join, directly or through others."""
    left, groups = list(wiring.hosts), []
    while left:
        group = [left[0]]
        for name in group:
            group += [one for one in _beside(wiring, name) if one not in group]
        groups.append(tuple(name for name in wiring.hosts if name in group))
        left = [name for name in left if name not in group]
    return groups


def _beside(wiring: Wiring, name: str) -> tuple[str, ...]:
    its = ports(wiring.hosts[name])
    return tuple(dict.fromkeys(one for port in its for one in wiring.neighbours(name, port)))


def _strangers(wiring: Wiring) -> list[str]:
    names = tuple(wiring.hosts)
    return [
        f"{one} and {other}"
        for number, one in enumerate(names)
        for other in names[number + 1 :]
        if other not in _beside(wiring, one)
    ]


def _shown(pairs: list[str]) -> str:
    more = f", and {len(pairs) - MOST_SHOWN} more" if len(pairs) > MOST_SHOWN else ""
    return f": no port answers between {', '.join(pairs[:MOST_SHOWN])}{more}" if pairs else ""


def _names(its: tuple[Port, ...]) -> str:
    return ", ".join(port.name for port in its)
