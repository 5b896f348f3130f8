"""Machines and the cables between them, with the answers that Linux would give to pings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from cluster.discovery import wiring
from cluster.discovery.topology import Attachment, Topology, topology
from cluster.facts.facts import Facts, FactsRequest
from cluster.facts.links import Interface, Links
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.rdma import Device, Rdma
from cluster.facts.reach import PeerRoute, Ping, Reach

ONE, TWO = ("enp1s0f0np0", "enP2p1s0f0np0"), ("enp1s0f1np1", "enP2p1s0f1np1")
"""The twins of a Spark's two ports."""
CARD = {
    "enp1s0f0np0": ("rocep1s0f0", "0000:01:00.0"),
    "enp1s0f1np1": ("rocep1s0f1", "0000:01:00.1"),
    "enP2p1s0f0np0": ("roceP2p1s0f0", "0002:01:00.0"),
    "enP2p1s0f1np1": ("roceP2p1s0f1", "0002:01:00.1"),
}
MEMORY = Memory(total=1, available=1, free=1, cached=0, swap_total=0, swap_free=0)
PAIR = ("spark1", "spark2")
End = tuple[str, str]
"""A machine and one of its interfaces."""
Cables = Iterable[Iterable[End]]
"""The two ends of each cable, or all ends at a switch."""


def plain(hostname: str = "pc", **addresses: str) -> Facts:
    """Return a machine without RDMA; an interface may have several addresses, or none."""
    return Facts(
        machine=MachineFacts(hostname=hostname, memory=MEMORY),
        links=Links(interfaces=tuple(interface(*pair) for pair in addresses.items())),
    )


def spark(hostname: str = "spark", **addresses: str) -> Facts:
    """Return a Spark whose cables are in these interfaces."""
    facts = plain(hostname, **(dict.fromkeys(CARD, "") | addresses))
    facts = replace(facts, rdma=Rdma(devices=tuple(_device(name) for name in CARD)))
    for name in CARD:
        linked = name in addresses
        facts = changed(facts, name, pci=CARD[name][1], speed=200_000, carrier=linked)
        facts = device(facts, CARD[name][0], state="ACTIVE" if linked else "DOWN")
    return facts


def interface(name: str, addresses: str) -> Interface:
    """Return an interface with a cable."""
    return Interface(name=name, addresses=tuple(map(IPv4Interface, addresses.split())))


def changed(facts: Facts, named: str, **changes: Any) -> Facts:  # noqa: ANN401 (fields of Interface)
    """Return a machine with a change of an interface."""
    interfaces = tuple(
        replace(link, **changes) if link.name == named else link for link in facts.links.interfaces
    )
    return replace(facts, links=replace(facts.links, interfaces=interfaces))


def device(facts: Facts, named: str, **changes: Any) -> Facts:  # noqa: ANN401 (fields of Device)
    """Return a machine with a change of an RDMA device."""
    devices = tuple(
        replace(entry, **changes) if entry.name == named else entry for entry in facts.rdma.devices
    )
    return replace(facts, rdma=replace(facts.rdma, devices=devices))


def switch(machines: Iterable[str], *names: str) -> list[list[End]]:
    """Return a switch for each of these interfaces, connected to that interface of all machines."""
    return [[(machine, name) for machine in machines] for name in names]


def cable(
    first: str, second: str, first_port: tuple[str, ...], second_port: tuple[str, ...]
) -> list[list[End]]:
    """Return a cable between ports of two machines: it connects both twins."""
    twins = zip(first_port, second_port, strict=True)
    return [[(first, first_twin), (second, second_twin)] for first_twin, second_twin in twins]


def connected(machines: Mapping[str, Facts], cables: Cables) -> dict[str, Facts]:
    """Return the machines with their answers about each other."""
    segments = [frozenset(ends) for ends in cables]
    return {
        name: replace(machines[name], reach=_reach(name, machines, request, segments))
        for name, request in wiring.requests(machines).items()
    }


def cabled(machines: Mapping[str, Facts], cables: Cables) -> Topology:
    """Return the topology of machines with these cables."""
    return topology(connected(machines, cables), {})


def port(number: int, names: tuple[str, ...] = ONE, net: int = 177) -> dict[str, str]:
    """Return the addresses of a port whose twins are in two networks."""
    return {name: f"192.168.{net + index}.{number}/24" for index, name in enumerate(names)}


def sparks(count: int, names: tuple[str, ...] = ONE) -> dict[str, Facts]:
    """Return Sparks with a cable in the same port."""
    return {f"spark{n}": spark(f"spark{n}", **port(10 + n, names)) for n in range(1, count + 1)}


def ring(
    names: tuple[str, ...], after: tuple[str, ...] = ONE, before: tuple[str, ...] = TWO
) -> tuple[dict[str, Facts], list[list[End]]]:
    """Return Sparks in a ring, two networks for each cable, all at an office's switch."""
    machines, cables = {}, switch(names, "enP7s7")
    net = 10 * ord(names[0][0]) % 200
    for number, name in enumerate(names):
        previous = (number - 1) % len(names)
        addresses = port(1, after, net + 2 * number) | port(2, before, net + 2 * previous)
        machines[name] = spark(name, enP7s7=f"10.0.0.{number + 1}/24", **addresses)
        cables += cable(name, names[(number + 1) % len(names)], after, before)
    return machines, cables


def line(attachment: Attachment) -> str:
    """Return the address, interface and devices of an attachment on a line."""
    devices = ",".join(twin.device.name for twin in attachment.twins)
    end = attachment.end
    return f"{end.address} {end.interface.name} {devices}".strip()


def attachments(result: Topology) -> list[str]:
    """Return the attachments in order, each on a line."""
    return [line(attachment) for attachment in result.attachments.values()]


def remarks(result: Topology) -> list[str]:
    """Return all warnings and questions."""
    return [str(remark) for remark in (*result.warnings, *result.questions)]


def _device(netdev: str) -> Device:
    name, pci = CARD[netdev]
    return Device(name=name, netdev=netdev, pci=pci, link_layer="Ethernet")


def _reach(
    name: str, machines: Mapping[str, Facts], request: FactsRequest, segments: list[frozenset[End]]
) -> Reach:
    pings = tuple(
        Ping(
            interface=link,
            peer=peer,
            size=84,
            answered=any(
                (name, link) in ends and _owners(machines, peer) & ends for ends in segments
            ),
        )
        for link, peer in request.pings
    )
    routes = tuple(
        PeerRoute(peer=peer, device=_route(machines[name], peer)) for peer in request.routes_to
    )
    return Reach(pings=pings, routes=routes)


def _owners(machines: Mapping[str, Facts], address: IPv4Address) -> set[End]:
    """Return the interfaces that have an address."""
    return {
        (name, link.name)
        for name, facts in machines.items()
        for link in facts.links.interfaces
        if address in {entry.ip for entry in link.addresses}
    }


def _route(facts: Facts, peer: IPv4Address) -> str:
    """Return the interface that the kernel takes: the first with a network that has the peer."""
    fitting = (
        link.name
        for link in facts.links.interfaces
        if any(peer in address.network for address in link.addresses)
    )
    return next(fitting, "")
