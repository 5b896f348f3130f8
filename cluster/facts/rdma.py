"""RDMA devices: their ports, their interfaces, their GID tables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from cluster.facts.part import Answers, Part

ACTIVE = "ACTIVE"
LISTED = re.compile(r"^/sys/class/infiniband/([^/*]+)$", re.MULTILINE)
NETDEV = re.compile(r"^/sys/class/infiniband/([^/*]+)/device/net/([^/*]+)$", re.MULTILINE)
PCI = re.compile(r"^/sys/class/infiniband/([^/]+)/device/uevent:PCI_SLOT_NAME=(.+)$", re.MULTILINE)
PORT = re.compile(r"^/sys/class/infiniband/([^/]+)/ports/1/(.+?):(.+)$", re.MULTILINE)
DEVICE_FILE = re.compile(r"^/dev/infiniband/([^/*]+)$", re.MULTILINE)
MAPPED = re.compile(r"^(\S+) port 1 ==> (\S+) \((?:Up|Down)\)$", re.MULTILINE)
"""A line of NVIDIA's `ibdev2netdev`."""
Netdevs = Mapping[str, str]
Port = Mapping[str, str]


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


def _netdevs(text: str) -> Netdevs:
    return dict(MAPPED.findall(text))


def _devices(text: str) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Return the devices, and the names of the files that programs reach them by."""
    netdevs = dict(reversed(NETDEV.findall(text)))
    pci = dict(PCI.findall(text))
    ports: dict[str, dict[str, str]] = {name: {} for name in LISTED.findall(text)}
    for name, file, value in PORT.findall(text):
        ports.setdefault(name, {})[file] = value
    devices = (
        _device(name, netdevs.get(name, ""), pci.get(name, ""), port)
        for name, port in ports.items()
    )
    return tuple(devices), tuple(DEVICE_FILE.findall(text))


def _device(name: str, netdev: str, pci: str, port: Port) -> Device:
    """Put together a device: its state is like `4: ACTIVE`, its rate like `200 Gb/sec (4X HDR)`."""
    rate = port.get("rate", "").partition(" ")[0]
    return Device(
        name=name,
        netdev=netdev,
        pci=pci,
        state=port.get("state", "").partition(": ")[2],
        link_layer=port.get("link_layer", ""),
        rate=int(float(rate)) if rate else None,
        gids=_gids(port),
    )


def _gids(port: Port) -> tuple[Gid, ...]:
    """Return the rows in their order, which that of files is not."""
    rows = {int(file.removeprefix("gids/")): file for file in port if file.startswith("gids/")}
    return tuple(
        Gid(
            index=index,
            value=port[rows[index]],
            kind=port.get(f"gid_attrs/types/{index}", ""),
            netdev=port.get(f"gid_attrs/ndevs/{index}", ""),
        )
        for index in sorted(rows)
    )


DEVICES = Part(
    name="devices",
    parse=_devices,
)
NETDEVS = Part(
    name="netdevs",
    parse=_netdevs,
)
PARTS = (DEVICES, NETDEVS)


def rdma(said: Answers) -> Rdma:
    """Read all devices."""
    devices, files = DEVICES.value(said)
    mapped = NETDEVS.value(said)
    return Rdma(
        devices=tuple(
            one if one.netdev else replace(one, netdev=mapped.get(one.name, "")) for one in devices
        ),
        device_files=files,
    )
