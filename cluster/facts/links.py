"""Network interfaces and routes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Any

from cluster.facts.part import Answers, Part, timeout

RJ45 = "enP7s7"
"""A Spark's 10 Gb/s port (NVIDIA dgx-spark-playbooks, connect-three-sparks)."""
DOCKERS = ("br-", "docker", "veth")
"""Prefixes of the names of interfaces that Docker makes."""
REAL = ("", "bond", "vlan")
"""Kinds of interfaces with a true speed: veth always claims 10 Gb/s (drivers/net/veth.c)."""
ADAPTER = re.compile(
    r"^/sys/class/net/([^/]+)/(?:device/)?(\w+):(?:PCI_SLOT_NAME=)?(.+)$", re.MULTILINE
)
Object = Mapping[str, Any]
Adapters = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface."""

    name: str
    kind: str = ""
    """The kernel's kind of it: `veth`, `bridge`, `bond`, `vlan`; empty for a real one."""
    mac: str = ""
    addresses: tuple[IPv4Interface, ...] = ()
    """IPv4 only, each with its network."""
    ipv6: tuple[IPv6Address, ...] = ()
    mtu: int = 1500
    enabled: bool = True
    """Whether it is switched on, with a cable or without."""
    carrier: bool = True
    """Whether it has a cable with a live other end; only known if it is switched on."""
    speed: int | None = None
    """Mb/s; None if unknown, as for a virtual one."""
    pci: str = ""
    """PCI address like `0000:01:00.1`; empty for a virtual one."""
    pcie_width: int | None = None
    """Lanes of the PCIe link in use."""
    pcie_speed: str = ""
    """As sysfs writes it: `32.0 GT/s PCIe`."""

    @property
    def alive(self) -> bool:
        """Whether it is switched on and has a link."""
        return self.enabled and self.carrier

    def has(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Whether an address is one of the interface's."""
        return address in self.ipv6 or any(network.ip == address for network in self.addresses)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of the main table."""

    destination: str
    """A network, or `default`."""
    device: str
    metric: int = 0


@dataclass(frozen=True, kw_only=True)
class Links:
    """Interfaces and routes of a machine; `links` leaves out loopback, `interfaces` includes it."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    error: str = ""
    """Why `ip` did not list them; empty if it did."""

    def named(self, name: str) -> Interface | None:
        """Return the interface with a name."""
        return next((interface for interface in self.interfaces if interface.name == name), None)

    def holder(self, address: IPv4Address | IPv6Address | None) -> Interface | None:
        """Return the interface that has an address."""
        return next((interface for interface in self.interfaces if interface.has(address)), None)

    def speed(self, address: IPv4Address | IPv6Address | None) -> int | None:
        """Return the speed of the interface that has an address, in Mb/s, if it is known."""
        holder = self.holder(address)
        return holder.speed if holder else None


def _objects(text: str) -> tuple[tuple[Object, ...], str]:
    """Return the objects that `ip` printed, or its message if it printed none."""
    start, _, _ = text.partition("\n")
    if line := timeout(text):
        return (), line
    return (_listed(start), "") if start.startswith("[") else ((), text)


def _listed(text: str) -> tuple[Object, ...]:
    return tuple(item for item in json.loads(text or "[]") if item)


def _adapters(text: str) -> Adapters:
    """Return the files of sysfs: `speed`, `current_link_width`, `current_link_speed`, `uevent`."""
    adapters: dict[str, dict[str, str]] = {}
    for name, file, value in ADAPTER.findall(text):
        adapters.setdefault(name, {})[file] = value
    return adapters


def _route(listed: Object) -> Route:
    return Route(
        destination=listed["dst"],
        device=listed.get("dev", ""),
        metric=listed.get("metric", 0),
    )


ADDRESSES = Part(name="addresses", parse=_objects, instead="ip: its answer cannot be read")
ROUTES = Part(name="routes", parse=_objects, blocking=False)
ADAPTERS = Part(name="adapters", parse=_adapters)
PARTS = (ADDRESSES, ROUTES, ADAPTERS)


def interfaces(text: str) -> tuple[Interface, ...]:
    """Parse what `ip -json address` printed, loopback included, without the facts of sysfs."""
    return tuple(_interface(listed, {}) for listed in _listed(text))


def links(answers: Answers) -> Links:
    """Parse all interfaces and routes."""
    addresses, error = ADDRESSES.value(answers)
    routes, _ = ROUTES.value(answers)
    adapters = ADAPTERS.value(answers)
    return Links(
        interfaces=tuple(
            _interface(listed, adapters.get(listed["ifname"], {}))
            for listed in addresses
            if listed["link_type"] != "loopback"
        ),
        routes=tuple(_route(listed) for listed in routes),
        error=error,
    )


def _interface(listed: Object, adapter: Mapping[str, str]) -> Interface:
    """Put together the facts of `ip` and of sysfs about an interface."""
    kind = listed.get("linkinfo", {}).get("info_kind", "")
    width = adapter.get("current_link_width")
    return Interface(
        name=listed["ifname"],
        kind=kind,
        mac=listed.get("address", ""),
        addresses=tuple(
            IPv4Interface(f"{address['local']}/{address['prefixlen']}")
            for address in _addresses(listed, "inet")
        ),
        ipv6=tuple(IPv6Address(address["local"]) for address in _addresses(listed, "inet6")),
        mtu=listed["mtu"],
        enabled="UP" in listed["flags"],
        carrier="LOWER_UP" in listed["flags"],
        speed=int(adapter["speed"]) if kind in REAL and "speed" in adapter else None,
        pci=adapter.get("uevent", ""),
        pcie_width=None if width is None else int(width),
        pcie_speed=adapter.get("current_link_speed", ""),
    )


def _addresses(listed: Object, family: str) -> tuple[Object, ...]:
    """Return the addresses of one family; `ip` prints objects without an address as well."""
    return tuple(
        address
        for address in listed["addr_info"]
        if address.get("family") == family and "local" in address
    )
