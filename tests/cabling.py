"""Machines and the cables between them: what answers on which interface, as Linux would have it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from cluster.discovery import wiring
from cluster.discovery.seat import Seat
from cluster.discovery.topology import Topology, topology
from cluster.facts.facts import Facts, Request
from cluster.facts.links import Interface, Links
from cluster.facts.machine import Machine, Memory
from cluster.facts.rdma import Device, Rdma
from cluster.facts.reach import Ping, Reach, Way

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
Place = tuple[str, str]
"""A host and one of its interfaces."""
Cables = Iterable[Iterable[Place]]
"""What is joined: the two ends of a cable, or all that hang on a switch."""


def plain(hostname: str = "pc", **addresses: str) -> Facts:
    """Return a machine without RDMA; an interface may have several addresses, or none."""
    return Facts(
        machine=Machine(hostname=hostname, memory=MEMORY),
        links=Links(interfaces=tuple(interface(*its) for its in addresses.items())),
    )


def spark(hostname: str = "spark", **addresses: str) -> Facts:
    """Return a Spark whose cables are in these interfaces."""
    its = plain(hostname, **(dict.fromkeys(CARD, "") | addresses))
    facts = replace(its, rdma=Rdma(devices=tuple(_device(name) for name in CARD)))
    for name in CARD:
        alive = name in addresses
        facts = changed(facts, name, pci=CARD[name][1], speed=200_000, carrier=alive)
        facts = device(facts, CARD[name][0], state="ACTIVE" if alive else "DOWN")
    return facts


def interface(name: str, addresses: str) -> Interface:
    """Return an interface with a cable."""
    return Interface(name=name, addresses=tuple(IPv4Interface(one) for one in addresses.split()))


def changed(facts: Facts, named: str, **changes: Any) -> Facts:  # noqa: ANN401 (fields of Interface)
    """Return a machine with a change of an interface."""
    links = facts.links
    after = (replace(one, **changes) if one.name == named else one for one in links.interfaces)
    return replace(facts, links=replace(links, interfaces=tuple(after)))


def device(facts: Facts, named: str, **changes: Any) -> Facts:  # noqa: ANN401 (fields of Device)
    """Return a machine with a change of an RDMA device."""
    rdma = facts.rdma
    after = (replace(one, **changes) if one.name == named else one for one in rdma.devices)
    return replace(facts, rdma=replace(rdma, devices=tuple(after)))


def switch(hosts: Iterable[str], *names: str) -> list[list[Place]]:
    """Return a switch for each of these interfaces, to which all hosts are joined by it."""
    return [[(host, name) for host in hosts] for name in names]


def cable(one: str, other: str, here: tuple[str, ...], there: tuple[str, ...]) -> list[list[Place]]:
    """Return a cable from a port of a host to one of another: it joins both twins."""
    return [[(one, mine), (other, its)] for mine, its in zip(here, there, strict=True)]


def joined(hosts: Mapping[str, Facts], cables: Cables) -> dict[str, Facts]:
    """Return the hosts with the answers to what they are asked about each other."""
    segments = [frozenset(places) for places in cables]
    return {
        name: replace(hosts[name], reach=_reach(name, hosts, its, segments))
        for name, its in wiring.asked(hosts).items()
    }


def found(hosts: Mapping[str, Facts], cables: Cables) -> Topology:
    """Return what hosts are told to be that are cabled so."""
    return topology(joined(hosts, cables), {})


def port(number: int, names: tuple[str, ...] = ONE, net: int = 177) -> dict[str, str]:
    """Return the addresses of a port whose twins are in two networks."""
    return {name: f"192.168.{net + index}.{number}/24" for index, name in enumerate(names)}


def sparks(count: int, names: tuple[str, ...] = ONE) -> dict[str, Facts]:
    """Return Sparks with a cable in the same port."""
    return {f"spark{n}": spark(f"spark{n}", **port(10 + n, names)) for n in range(1, count + 1)}


def ring(
    names: tuple[str, ...], here: tuple[str, ...] = ONE, there: tuple[str, ...] = TWO
) -> tuple[dict[str, Facts], list[list[Place]]]:
    """Return Sparks in a ring, two networks for each cable, all at an office's switch."""
    hosts, cables = {}, switch(names, "enP7s7")
    net = 10 * ord(names[0][0]) % 200
    for number, name in enumerate(names):
        before = (number - 1) % len(names)
        addresses = port(1, here, net + 2 * number) | port(2, there, net + 2 * before)
        hosts[name] = spark(name, enP7s7=f"10.0.0.{number + 1}/24", **addresses)
        cables += cable(name, names[(number + 1) % len(names)], here, there)
    return hosts, cables


def said(seat: Seat) -> str:
    """Return what a seat brings into the env file, on a line."""
    devices = ",".join(twin.device.name for twin in seat.twins)
    return f"{seat.spot.address} {seat.spot.interface.name} {devices}".strip()


def seats(its: Topology) -> list[str]:
    """Return the seats in order."""
    return [said(seat) for seat in its.seats.values()]


def remarks(its: Topology) -> list[str]:
    """Return all that is remarked."""
    return [str(one) for one in (*its.warnings, *its.questions)]


def _device(netdev: str) -> Device:
    name, pci = CARD[netdev]
    return Device(name=name, netdev=netdev, pci=pci, link_layer="Ethernet")


def _reach(
    name: str, hosts: Mapping[str, Facts], its: Request, segments: list[frozenset[Place]]
) -> Reach:
    pings = tuple(
        Ping(
            interface=one,
            peer=peer,
            size=84,
            answered=any(
                (name, one) in places and _holders(hosts, peer) & places for places in segments
            ),
        )
        for one, peer in its.pings
    )
    ways = tuple(Way(peer=peer, device=_way(hosts[name], peer)) for peer in its.routes_to)
    return Reach(pings=pings, ways=ways)


def _holders(hosts: Mapping[str, Facts], address: IPv4Address) -> set[Place]:
    """Return the interfaces that have an address."""
    return {
        (name, one.name)
        for name, facts in hosts.items()
        for one in facts.links.interfaces
        if address in {its.ip for its in one.addresses}
    }


def _way(facts: Facts, peer: IPv4Address) -> str:
    """Return the interface that the kernel takes: the first with a network that has the peer."""
    its = facts.links.interfaces
    return next((one.name for one in its if any(peer in net.network for net in one.addresses)), "")
