"""Captures of whole machines are parsed completely, and their parts agree."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from cluster.checks.doctor import request
from cluster.discovery.wiring import requests
from cluster.facts.docker import Docker
from cluster.facts.facts import Facts, is_whole, parse
from cluster.facts.images import Image
from cluster.facts.rdma import Device
from tests.captured import DOCKER, LAYERS, SPARK, VM
from tests.situations import ALL, capture, probed, round_two, situation

MACHINES = [(name, node) for name in ALL for node in situation(name).facts]


def _spark() -> Facts:
    return situation("one-cable").facts["spark1"]


def test_facts_of_a_spark() -> None:
    """All facts of a Spark are parsed from its capture, Docker's aside."""
    assert SPARK == replace(_spark(), docker=Docker())


def test_docker_of_a_spark() -> None:
    """The facts of the engine and of the image's labels are parsed."""
    assert DOCKER == replace(_spark().docker, image=None)


def test_image_of_a_spark() -> None:
    """The image has its architecture and layers, by which images are compared."""
    image = _spark().docker.image

    assert isinstance(image, Image)
    assert "arm64" == image.architecture
    assert LAYERS == image.layers


def test_facts_of_a_virtual_machine() -> None:
    """A machine without RDMA, GPU and engine is parsed."""
    assert VM == situation("vm").facts["vm"]


@pytest.mark.parametrize("name, node", MACHINES)
def test_captures_are_whole(name: str, node: str) -> None:
    """Every capture is a whole answer and can be parsed."""
    assert is_whole(capture(name, node))
    assert is_whole(round_two(name, node))
    assert parse(capture(name, node)).machine.hostname


@pytest.mark.parametrize("name", ALL)
def test_captures_answer_the_doctor(name: str) -> None:
    """A capture has the attempts that `inv doctor` asks for, each ping in its two sizes."""
    machines = situation(name)
    for node in machines.cluster.nodes:
        asks, reach = request(machines.cluster, node), machines.facts[node.name].reach

        assert sorted(2 * asks.pings) == sorted((ping.interface, ping.peer) for ping in reach.pings)
        assert sorted(asks.ports) == sorted((port.peer, port.port) for port in reach.ports)
        assert sorted(asks.routes_to) == sorted(route.peer for route in reach.routes)


@pytest.mark.parametrize("name", ALL)
def test_captures_answer_the_probe(name: str) -> None:
    """The second round of a capture has the attempts that `inv probe` asks for."""
    hosts = probed(name)
    for node, asks in requests(hosts).items():
        reach = hosts[node].reach

        assert sorted(2 * asks.pings) == sorted((ping.interface, ping.peer) for ping in reach.pings)
        assert sorted(asks.routes_to) == sorted(route.peer for route in reach.routes)


@pytest.mark.parametrize("name, node", MACHINES)
def test_gids_agree_with_interfaces(name: str, node: str) -> None:
    """GIDs stand for exactly the MAC address and the addresses of their interface."""
    facts = situation(name).facts[node]
    for device in facts.rdma.devices:
        netdev = facts.links.named(device.netdev)

        assert netdev is not None
        assert netdev.pci == device.pci
        assert netdev.carrier == device.active
        assert IPv6Address(_link_local(netdev.mac)).exploded == device.gids[0].value
        assert {address.ip for address in netdev.addresses} == set(_mapped(device))


@pytest.mark.parametrize("name", ALL)
def test_addresses_are_unique(name: str) -> None:
    """No two interfaces share a MAC address or an IPv4 address, Docker's bridges aside."""
    machines = situation(name).facts.values()
    interfaces = [interface for facts in machines for interface in facts.links.interfaces]
    macs = [interface.mac for interface in interfaces]
    addresses = [
        address
        for interface in interfaces
        for address in interface.addresses
        if interface.name != "docker0"
    ]

    assert sorted(set(macs)) == sorted(macs)
    assert sorted(set(addresses)) == sorted(addresses)


def _link_local(mac: str) -> str:
    """Return the address that an interface gives itself (RFC 4291, appendix A)."""
    first, second, third, fourth, fifth, sixth = (int(byte, 16) for byte in mac.split(":"))
    return f"fe80::{first ^ 2:02x}{second:02x}:{third:02x}ff:fe{fourth:02x}:{fifth:02x}{sixth:02x}"


def _mapped(device: Device) -> Iterator[IPv4Address]:
    return (address for gid in device.gids if (address := gid.address))
