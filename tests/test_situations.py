"""Whole machines: what their captures say is read whole, and it fits together."""

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


def test_a_spark_is_read_whole() -> None:
    """All facts of a Spark are those of its capture; Docker's are looked at by themselves."""
    assert SPARK == replace(_spark(), docker=Docker())


def test_the_docker_of_a_spark_is_read_whole() -> None:
    """So are those of its engine and of the image's labels."""
    assert DOCKER == replace(_spark().docker, image=None)


def test_the_image_of_a_spark_is_read_whole() -> None:
    """What makes its image the same elsewhere: architecture, layers, what containers get."""
    its = _spark().docker.image

    assert isinstance(its, Image)
    assert "arm64" == its.architecture
    assert LAYERS == its.layers


def test_a_virtual_machine_is_read_whole() -> None:
    """A machine without RDMA, GPU and engine is no error."""
    assert VM == situation("vm").facts["vm"]


@pytest.mark.parametrize("name, node", MACHINES)
def test_every_capture_is_a_whole_answer(name: str, node: str) -> None:
    """No capture ends before its last line, and each is read."""
    assert is_whole(capture(name, node))
    assert is_whole(round_two(name, node))
    assert parse(capture(name, node)).machine.hostname


@pytest.mark.parametrize("name", ALL)
def test_captures_answer_what_the_doctor_asks_today(name: str) -> None:
    """A capture has the attempts that `inv doctor` asks for, each ping in its two sizes."""
    its = situation(name)
    for node in its.cluster.nodes:
        asks, reach = request(its.cluster, node), its.facts[node.name].reach

        assert sorted(2 * asks.pings) == sorted((ping.interface, ping.peer) for ping in reach.pings)
        assert sorted(asks.ports) == sorted((port.peer, port.port) for port in reach.ports)
        assert sorted(asks.routes_to) == sorted(way.peer for way in reach.routes)


@pytest.mark.parametrize("name", ALL)
def test_captures_answer_what_the_probe_asks_today(name: str) -> None:
    """The second round of a capture has the attempts that `inv probe` asks for."""
    hosts = probed(name)
    for node, asks in requests(hosts).items():
        reach = hosts[node].reach

        assert sorted(2 * asks.pings) == sorted((ping.interface, ping.peer) for ping in reach.pings)
        assert sorted(asks.routes_to) == sorted(way.peer for way in reach.routes)


@pytest.mark.parametrize("name, node", MACHINES)
def test_the_numbers_of_a_capture_fit_together(name: str, node: str) -> None:
    """GIDs stand for the MAC address and the addresses of their interface, and for no other."""
    facts = situation(name).facts[node]
    for device in facts.rdma.devices:
        netdev = facts.links.named(device.netdev)

        assert netdev is not None
        assert netdev.pci == device.pci
        assert netdev.carrier == device.active
        assert IPv6Address(_link_local(netdev.mac)).exploded == device.gids[0].value
        assert {one.ip for one in netdev.addresses} == set(_mapped(device))


@pytest.mark.parametrize("name", ALL)
def test_no_two_machines_have_an_address_in_common(name: str) -> None:
    """Neither a MAC address nor an IPv4 address, but for that of Docker's bridge."""
    interfaces = [one for its in situation(name).facts.values() for one in its.links.interfaces]
    macs = [one.mac for one in interfaces]
    addresses = [its for one in interfaces for its in one.addresses if one.name != "docker0"]

    assert sorted(set(macs)) == sorted(macs)
    assert sorted(set(addresses)) == sorted(addresses)


def _link_local(mac: str) -> str:
    """Return the address that an interface gives itself (RFC 4291, appendix A)."""
    first, *others = (int(one, 16) for one in mac.split(":"))
    one, two, three, four, five = others
    return f"fe80::{first ^ 2:02x}{one:02x}:{two:02x}ff:fe{three:02x}:{four:02x}{five:02x}"


def _mapped(device: Device) -> Iterator[IPv4Address]:
    return (its for gid in device.gids if (its := gid.address))
