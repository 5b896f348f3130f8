"""Interfaces and routes, from what iproute2 6.1 and sysfs print."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address

import pytest

from cluster.facts.links import Interface, Links, Route, interfaces, links

# Shortened to what is read, and to what could be taken for it.
ADDRESSES = """\
[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,\
"link_type":"loopback","address":"00:00:00:00:00:00","addr_info":[{"family":"inet",\
"local":"127.0.0.1","prefixlen":8}]},\
{"ifindex":3,"ifname":"enp1s0f1np1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":9000,\
"operstate":"UP","link_type":"ether","address":"4c:bb:47:2c:7d:5e","parentbus":"pci",\
"parentdev":"0000:01:00.1","addr_info":[{"family":"inet","local":"192.168.177.11","prefixlen":24,\
"scope":"global","label":"enp1s0f1np1"},{"family":"inet6","local":"fe80::4ebb:47ff:fe2c:7d5e",\
"prefixlen":64,"scope":"link"},{}]},\
{"ifindex":4,"ifname":"enP2p1s0f1np1","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],\
"mtu":1500,"link_type":"ether","address":"4c:bb:47:2c:7d:62","addr_info":[]},\
{"ifindex":5,"ifname":"enP2p1s0f0np0","flags":["BROADCAST","MULTICAST"],"mtu":1500,\
"link_type":"ether","address":"4c:bb:47:2c:7d:61","addr_info":[]},\
{"ifindex":6,"ifname":"docker0","flags":["NO-CARRIER","BROADCAST","MULTICAST","UP"],"mtu":1500,\
"link_type":"ether","address":"02:42:ac:11:00:02","linkinfo":{"info_kind":"bridge"},\
"addr_info":[{"family":"inet","local":"172.17.0.1","prefixlen":16}]},\
{"ifindex":7,"link":"fab0","ifname":"wg0","flags":["POINTOPOINT","NOARP","UP","LOWER_UP"],\
"mtu":1420,"link_type":"none","linkinfo":{"info_kind":"wireguard"},"addr_info":[]}]
"""
ROUTES = """\
[{"dst":"default","gateway":"192.168.1.1","dev":"enP7s7","protocol":"dhcp","metric":100,\
"flags":[]},{"dst":"192.168.177.0/24","dev":"enp1s0f1np1","protocol":"kernel","scope":"link",\
"prefsrc":"192.168.177.11","flags":[]},{},{"dst":"10.0.0.0/8","nexthops":[],"flags":[]}]
"""
ADAPTERS = """\
/sys/class/net/docker0/speed:10000
/sys/class/net/enp1s0f1np1/speed:200000
/sys/class/net/enp1s0f1np1/device/current_link_speed:32.0 GT/s PCIe
/sys/class/net/enp1s0f1np1/device/current_link_width:4
/sys/class/net/enp1s0f1np1/device/uevent:PCI_SLOT_NAME=0000:01:00.1
"""
EXPECTED = Links(
    interfaces=(
        Interface(
            name="enp1s0f1np1",
            mac="4c:bb:47:2c:7d:5e",
            addresses=(IPv4Interface("192.168.177.11/24"),),
            ipv6=(IPv6Address("fe80::4ebb:47ff:fe2c:7d5e"),),
            mtu=9000,
            speed=200_000,
            pci="0000:01:00.1",
            pcie_width=4,
            pcie_speed="32.0 GT/s PCIe",
        ),
        Interface(name="enP2p1s0f1np1", mac="4c:bb:47:2c:7d:62", carrier=False),
        Interface(name="enP2p1s0f0np0", mac="4c:bb:47:2c:7d:61", enabled=False, carrier=False),
        Interface(
            name="docker0",
            kind="bridge",
            mac="02:42:ac:11:00:02",
            addresses=(IPv4Interface("172.17.0.1/16"),),
            carrier=False,
        ),
        Interface(name="wg0", kind="wireguard", mtu=1420),
    ),
    routes=(
        Route(destination="default", device="enP7s7", metric=100),
        Route(destination="192.168.177.0/24", device="enp1s0f1np1"),
        Route(destination="10.0.0.0/8", device=""),
    ),
)


def test_links() -> None:
    """An interface has the facts of `ip` and of sysfs; loopback is left out."""
    answers = {"addresses": ADDRESSES, "routes": ROUTES, "adapters": ADAPTERS}

    assert EXPECTED == links(answers)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ""),
        ("ip: not found\n", "ip: not found"),
        ("ip: no answer within 2 s\n", "ip: no answer within 2 s"),
        ('[{"ifname":"enp1\nip: no answer within 2 s\n', "ip: no answer within 2 s"),
        ("[]\na warning\n", ""),
    ],
)
def test_without_ip(text: str, expected: str) -> None:
    """If `ip` fails, interface message is the error."""
    assert Links(error=expected) == links({"addresses": text})


@pytest.mark.parametrize("text", ["", "ip: not found\n", '[{"dst":\nip: no answer within 2 s\n'])
def test_without_routes(text: str) -> None:
    """Without an answer there are no routes."""
    assert Links() == links({"routes": text})


def test_interfaces() -> None:
    """Without sysfs there are neither speeds nor PCI addresses; loopback is included."""
    loopback, *cabled = interfaces(ADDRESSES)
    expected = [
        replace(interface, speed=None, pci="", pcie_width=None, pcie_speed="")
        for interface in EXPECTED.interfaces
    ]

    assert ("lo", (IPv4Interface("127.0.0.1/8"),)) == (loopback.name, loopback.addresses)
    assert expected == cabled


def test_lookup() -> None:
    """An interface is found by its name and by an address."""
    interface = EXPECTED.interfaces[0]

    assert (interface, None) == (EXPECTED.named("enp1s0f1np1"), EXPECTED.named("enp1s0"))
    assert (interface, None) == (
        EXPECTED.holder(IPv4Address("192.168.177.11")),
        EXPECTED.holder(IPv4Address("192.168.177.12")),
    )
