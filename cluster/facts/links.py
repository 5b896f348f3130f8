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
"""How the names of the interfaces begin that Docker makes."""
REAL = ("", "bond", "vlan")
"""Kinds of interfaces that tell a true speed: veth always says 10 Gb/s (drivers/net/veth.c)."""
ADAPTER = re.compile(
    r"^/sys/class/net/([^/]+)/(?:device/)?(\w+):(?:PCI_SLOT_NAME=)?(.+)$", re.MULTILINE
)
Row = Mapping[str, Any]
Rows = tuple[Row, ...]
Adapters = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface."""

    name: str
    kind: str = ""
    """What the kernel made it of: `veth`, `bridge`, `bond`, `vlan`; empty for a real one."""
    mac: str = ""
    addresses: tuple[IPv4Interface, ...] = ()
    """IPv4 only, each with its network."""
    ipv6: tuple[IPv6Address, ...] = ()
    mtu: int = 1500
    enabled: bool = True
    """Whether it is switched on, which says nothing of the cable."""
    carrier: bool = True
    """Whether a cable with a living other end is in it; only known of one that is switched on."""
    speed: int | None = None
    """Mb/s; None when unknown, as that of a virtual one is."""
    pci: str = ""
    """PCI address like `0000:01:00.1`; empty for a virtual one."""
    pcie_width: int | None = None
    """Lanes of the PCIe link in use."""
    pcie_speed: str = ""
    """As sysfs says it: `32.0 GT/s PCIe`."""

    @property
    def alive(self) -> bool:
        """Whether it is switched on and has a link."""
        return self.enabled and self.carrier

    def has(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Whether an address is one of its own."""
        return address in self.ipv6 or any(own.ip == address for own in self.addresses)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of the main table."""

    destination: str
    """A network, or `default`."""
    device: str
    metric: int = 0


@dataclass(frozen=True, kw_only=True)
class Links:
    """Interfaces and routes of a machine: `links` leaves out loopback, `interfaces` has it."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    error: str = ""
    """Why `ip` did not tell; empty when it did."""

    def named(self, name: str) -> Interface | None:
        """Return the interface with a name."""
        return next((one for one in self.interfaces if one.name == name), None)

    def holder(self, address: IPv4Address | IPv6Address | None) -> Interface | None:
        """Return the interface that has an address."""
        return next((one for one in self.interfaces if one.has(address)), None)

    def speed(self, address: IPv4Address | IPv6Address | None) -> int | None:
        """Return the speed of the interface that has an address, in Mb/s, if it is known."""
        holder = self.holder(address)
        return holder.speed if holder else None


def _objects(text: str) -> tuple[Rows, str]:
    """Return the objects that `ip` printed, or its words if it printed none."""
    start, _, _ = text.partition("\n")
    if said := timeout(text):
        return (), said
    return (_rows(start), "") if start.startswith("[") else ((), text)


def _rows(text: str) -> Rows:
    return tuple(row for row in json.loads(text or "[]") if row)


def _adapters(text: str) -> Adapters:
    """Return what sysfs says: `speed`, `current_link_width`, `current_link_speed`, `uevent`."""
    found: dict[str, dict[str, str]] = {}
    for name, file, value in ADAPTER.findall(text):
        found.setdefault(name, {})[file] = value
    return found


def _route(row: Row) -> Route:
    return Route(
        destination=row["dst"],
        device=row.get("dev", ""),
        metric=row.get("metric", 0),
    )


ADDRESSES = Part(
    name="addresses",
    parse=_objects,
    instead="ip: its answer cannot be read",
)
ROUTES = Part(
    name="routes",
    parse=_objects,
    blocking=False,
)
ADAPTERS = Part(
    name="adapters",
    parse=_adapters,
)
PARTS = (ADDRESSES, ROUTES, ADAPTERS)


def interfaces(text: str) -> tuple[Interface, ...]:
    """Read what `ip -json address` printed, loopback as well; what only sysfs knows is left out."""
    return tuple(_interface(row, {}) for row in _rows(text))


def links(said: Answers) -> Links:
    """Read all interfaces and routes."""
    rows, error = ADDRESSES.value(said)
    routes, _ = ROUTES.value(said)
    its = ADAPTERS.value(said)
    return Links(
        interfaces=tuple(
            _interface(row, its.get(row["ifname"], {}))
            for row in rows
            if row["link_type"] != "loopback"
        ),
        routes=tuple(_route(row) for row in routes),
        error=error,
    )


def _interface(row: Row, its: Mapping[str, str]) -> Interface:
    """Put together what `ip` and sysfs say of an interface."""
    kind = row.get("linkinfo", {}).get("info_kind", "")
    return Interface(
        name=row["ifname"],
        kind=kind,
        mac=row.get("address", ""),
        addresses=tuple(
            IPv4Interface(f"{address['local']}/{address['prefixlen']}")
            for address in _addresses(row, "inet")
        ),
        ipv6=tuple(IPv6Address(address["local"]) for address in _addresses(row, "inet6")),
        mtu=row["mtu"],
        enabled="UP" in row["flags"],
        carrier="LOWER_UP" in row["flags"],
        speed=int(its["speed"]) if kind in REAL and "speed" in its else None,
        pci=its.get("uevent", ""),
        pcie_width=int(its["current_link_width"]) if "current_link_width" in its else None,
        pcie_speed=its.get("current_link_speed", ""),
    )


def _addresses(row: Row, family: str) -> Rows:
    """Return the addresses of one family; `ip` prints objects without an address as well."""
    return tuple(
        address
        for address in row["addr_info"]
        if address.get("family") == family and "local" in address
    )
