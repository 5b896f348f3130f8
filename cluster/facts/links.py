"""Network interfaces and routes."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

RJ45 = "enP7s7"
"""A Spark's 10 Gb/s port (NVIDIA dgx-spark-playbooks, connect-three-sparks)."""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface, loopback left out."""

    name: str
    kind: str = ""
    """What the kernel made it of: `veth`, `bridge`, `bond`, `vlan`; empty for a real one."""
    mac: str = ""
    addresses: tuple[IPv4Interface, ...] = ()
    """IPv4 only, each with its network."""
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


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of the main table."""

    destination: str
    """A network, or `default`."""
    device: str
    gateway: str = ""
    metric: int = 0


@dataclass(frozen=True, kw_only=True)
class Links:
    """All interfaces and routes of a machine."""

    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    error: str = ""
    """Why `ip` did not tell; empty when it did."""

    def named(self, name: str) -> Interface | None:
        """Return the interface with a name."""
        return next((one for one in self.interfaces if one.name == name), None)

    def holder(self, address: IPv4Address) -> Interface | None:
        """Return the interface that has an address."""
        return next(
            (one for one in self.interfaces if address in (its.ip for its in one.addresses)), None
        )
