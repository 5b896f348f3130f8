"""Remarks about cables and addresses: warnings, and questions that keep a topology undecided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

from cluster.discovery import netplan
from cluster.discovery.wiring import Machines, Wiring
from cluster.errors import Problem
from cluster.facts.ports import Port, Twin, ports

MOST_PAIRS = 6
"""Unconnected pairs that a question lists."""
NO_PING = "ping: not found"
SHOW_PORTS = "`ibdev2netdev` there shows the ports"

UsedPorts = Mapping[str, tuple[Port, ...]]
"""The ports that each machine uses."""


@dataclass(frozen=True)
class Remark(Problem):
    """A warning, or a question that the facts leave open; the place may be several machines."""

    lines: tuple[str, ...] = ()
    """Text for a file that the remedy names."""

    def __str__(self) -> str:
        """Render the problem on a line, and the text below it, indented."""
        return "\n".join((super().__str__(), *(f"    {line}" for line in self.lines)))


def port_warnings(wiring: Wiring, used: UsedPorts) -> Iterator[Remark]:
    """Yield warnings about the ports that each machine uses, and about those it leaves unused."""
    single = {name: row[0] for name, row in used.items() if len(row) == 1}
    new = netplan.new_addresses(wiring.machines, single)
    for name, row in used.items():
        if len(used) > 1:
            yield from _unused_ports(wiring, name, row)
        for port in row:
            yield from _twins(name, port, netplan.lines(new[name]) if name in new else ())


def _unused_ports(wiring: Wiring, name: str, used: tuple[Port, ...]) -> Iterator[Remark]:
    for port in ports(wiring.machines[name]):
        if port.alive and port not in used:
            peers = wiring.neighbours(name, port)
            reason = (
                f"also reaches {peers[0]}, and a second cable adds no bandwidth"
                if peers
                else "has a link, but no probed machine answers there"
            )
            yield Remark(name, f"not used: {port.name} {reason}")


def _twins(name: str, port: Port, lines: tuple[str, ...]) -> Iterator[Remark]:
    for twin in port.twins:
        if not twin.device.active:
            state = f"is {twin.device.state}" if twin.device.state else "has no port"
            message = f"{twin.device.name} {state}: {port.name} has half its bandwidth"
            yield Remark(name, message, f"reseat the cable; {SHOW_PORTS}")
        elif twin.alive and not netplan.usable_address(port, twin):
            remedy = f"add these lines to {netplan.FILE} there, then `sudo netplan apply`"
            yield Remark(name, _address_problem(port, twin), remedy if lines else "", lines)


def _address_problem(port: Port, twin: Twin) -> str:
    addresses = twin.interface.addresses
    permanent = (address for address in addresses if not address.is_link_local)
    if shared := next(permanent, None):
        first = next(before for before in port.twins if _is_in(before, shared.network))
        names = f"{first.interface.name} and {twin.interface.name}"
        return f"{names} are both in {shared.network}: the kernel sends everything by one of them"
    state = f"only {addresses[0].ip}, which changes" if addresses else "no address"
    return f"{twin.interface.name} has {state}: NCCL may not reach it"


def _is_in(twin: Twin, network: IPv4Network) -> bool:
    return any(address.network == network for address in twin.interface.addresses)


def shared_addresses(machines: Machines) -> Iterator[Remark]:
    """Yield the addresses that two machines have on their ports: either may answer."""
    owners: dict[IPv4Address, str] = {}
    for name, facts in machines.items():
        twins = (twin for port in ports(facts) for twin in port.twins)
        for address in (entry.ip for twin in twins for entry in twin.interface.addresses):
            if (owner := owners.setdefault(address, name)) != name:
                place, message = f"{owner}, {name}", f"both have the address {address}"
                yield Remark(place, message, "change one of them")


def missing_ping(machines: Machines) -> Iterator[Remark]:
    """Yield the machines without `ping`."""
    for name, facts in machines.items():
        pings = facts.reach.pings
        if pings and all(ping.message == NO_PING for ping in pings):
            yield Remark(name, "has no `ping`", "`sudo apt-get install iputils-ping` there")


def unconnected(wiring: Wiring) -> tuple[Remark, ...]:
    """Return why the RDMA devices do not connect the machines."""
    return tuple(_unreachable(wiring)) or (_separate(wiring),)


def _unreachable(wiring: Wiring) -> Iterator[Remark]:
    """Yield the machines that no machine could reach on a port."""
    new = netplan.new_addresses(wiring.machines, _likely_ports(wiring))
    for name, facts in wiring.machines.items():
        all_ports = ports(facts)
        linked = tuple(port for port in all_ports if port.alive)
        if not all_ports:
            owner = next(peer for peer, facts in wiring.machines.items() if facts.rdma.devices)
            message = f"has no RDMA device, but {owner} has"
            yield Remark(name, message, "try `sudo modprobe mlx5_ib` there, or leave it out")
        elif not linked:
            message = f"no link on {_names(all_ports)}"
            yield Remark(name, message, f"check the cable and both its ends; {SHOW_PORTS}")
        elif not any(map(_has_usable_address, linked)):
            yield _no_address(name, linked, netplan.lines(new.get(name, {})))


def _no_address(name: str, linked: tuple[Port, ...], lines: tuple[str, ...]) -> Remark:
    temporary = any(twin.interface.addresses for port in linked for twin in port.twins)
    addresses = "only link-local addresses, which change" if temporary else "no IPv4 address"
    several = len(linked) > 1
    message = f"{_names(linked)} {'have' if several else 'has'} a link, but {addresses}"
    port = "for the port that leads to the other machines: " if several else ""
    return Remark(name, message, f"{port}{netplan.REMEDY}", lines)


def _likely_ports(wiring: Wiring) -> dict[str, Port]:
    network = wiring.common_network(wiring.rdma_candidates(permanent=False))
    interfaces = {end.machine: end.interface for end in network}
    likely: dict[str, Port] = {}
    for name, facts in wiring.machines.items():
        linked = [port for port in ports(facts) if port.alive]
        used = interfaces.get(name)
        unused = [port for port in linked if used not in [twin.interface for twin in port.twins]]
        linked.sort(key=lambda port: (port in unused, not _has_usable_address(port)))
        likely |= dict.fromkeys([name], linked[0]) if linked else {}
    return likely


def _has_usable_address(port: Port) -> bool:
    return any(netplan.usable_address(port, twin) for twin in port.twins)


def _separate(wiring: Wiring) -> Remark:
    """Return the question about machines that all have addresses, and are not all connected."""
    groups, place = _groups(wiring), ", ".join(wiring.machines)
    if len(groups) > 1:
        names = "; ".join(", ".join(group) for group in groups)
        remedy = "connect them by a switch, or probe each group as its own cluster"
        return Remark(place, f"no link between these groups: {names}", remedy)
    remedy = "use one switch for all, or a ring of three; a firewall that drops pings looks alike"
    return Remark(place, f"not all machines are connected{_silent_pairs(wiring)}", remedy)


def _groups(wiring: Wiring) -> list[tuple[str, ...]]:
    """Return the groups of machines that are connected, directly or through each other."""
    remaining, groups = list(wiring.machines), []
    while remaining:
        group = [remaining[0]]
        for name in group:
            group += [peer for peer in wiring.all_neighbours(name) if peer not in group]
        groups.append(tuple(name for name in wiring.machines if name in group))
        remaining = [name for name in remaining if name not in group]
    return groups


def _silent_pairs(wiring: Wiring) -> str:
    pairs = [
        f"{first} and {second}"
        for first, second in combinations(wiring.machines, 2)
        if second not in wiring.all_neighbours(first)
    ]
    omitted = f", and {len(pairs) - MOST_PAIRS} more" if len(pairs) > MOST_PAIRS else ""
    return f": no port answers between {', '.join(pairs[:MOST_PAIRS])}{omitted}" if pairs else ""


def _names(linked: tuple[Port, ...]) -> str:
    return ", ".join(port.name for port in linked)
