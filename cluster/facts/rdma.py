"""RDMA devices: their ports, their interfaces, their GID tables."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

ACTIVE = "ACTIVE"


@dataclass(frozen=True, kw_only=True)
class Gid:
    """A row of a GID table that is not empty."""

    index: int
    value: str
    """As sysfs writes it: eight groups of four digits."""
    kind: str = ""
    """`RoCE v2` or `IB/RoCE v1`."""
    netdev: str = ""
    """The interface it belongs to."""

    @property
    def address(self) -> IPv4Address | None:
        """The IPv4 address that the row stands for; None when it stands for none."""
        return IPv6Address(self.value).ipv4_mapped


@dataclass(frozen=True, kw_only=True)
class Device:
    """An RDMA device and its port 1; those of a Spark have no other."""

    name: str
    netdev: str = ""
    """The interface of the same function; empty when the kernel names none."""
    pci: str = ""
    """PCI address like `0000:01:00.1`."""
    state: str = ""
    """`ACTIVE`, `DOWN`, `INIT`; empty without a port."""
    physical: str = ""
    """`LinkUp`, `Disabled`, `Polling`."""
    link_layer: str = ""
    """`Ethernet`, `InfiniBand`."""
    rate: int | None = None
    """Gb/s."""
    gids: tuple[Gid, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the port can be used."""
        return self.state == ACTIVE


@dataclass(frozen=True, kw_only=True)
class Rdma:
    """All RDMA devices of a machine, and what programs need to reach them."""

    devices: tuple[Device, ...] = ()
    device_files: tuple[str, ...] = ()
    """Names below /dev/infiniband."""

    def named(self, name: str) -> Device | None:
        """Return the device with a name."""
        return next((one for one in self.devices if one.name == name), None)

    def of(self, netdev: str) -> tuple[Device, ...]:
        """Return the devices of an interface."""
        return tuple(one for one in self.devices if one.netdev == netdev)
