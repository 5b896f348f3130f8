"""RDMA devices: their ports, their interfaces, their GID tables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from cluster.facts.part import Answers, Part

ACTIVE = "ACTIVE"
DEVICE = re.compile(r"^/sys/class/infiniband/([^/*]+)$", re.MULTILINE)
NETDEV = re.compile(r"^/sys/class/infiniband/([^/*]+)/device/net/([^/*]+)$", re.MULTILINE)
PCI = re.compile(r"^/sys/class/infiniband/([^/]+)/device/uevent:PCI_SLOT_NAME=(.+)$", re.MULTILINE)
PORT = re.compile(r"^/sys/class/infiniband/([^/]+)/ports/1/(.+?):(.+)$", re.MULTILINE)
DEVICE_FILE = re.compile(r"^/dev/infiniband/([^/*]+)$", re.MULTILINE)
MAPPED = re.compile(r"^(\S+) port 1 ==> (\S+) \((?:Up|Down)\)$", re.MULTILINE)
"""A line of NVIDIA's `ibdev2netdev`."""
Files = Mapping[str, str]
"""Values of the files of a port, by their paths below its folder."""


@dataclass(frozen=True, kw_only=True)
class Gid:
    """A row of a GID table that is not empty."""

    index: int
    value: str
    """As sysfs writes it: eight groups of four digits."""
    kind: str = ""
    """`RoCE v2` or `IB/RoCE v1`."""
    netdev: str = ""
    """The interface that it belongs to."""

    @property
    def address(self) -> IPv4Address | None:
        """The IPv4 address that the row stands for, if any."""
        return IPv6Address(self.value).ipv4_mapped


@dataclass(frozen=True, kw_only=True)
class Device:
    """An RDMA device and its port 1; devices of a Spark have no other port."""

    name: str
    netdev: str = ""
    """The interface of the same function; empty if the kernel names none."""
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
    """All RDMA devices of a machine, and the files through which programs use them."""

    devices: tuple[Device, ...] = ()
    device_files: tuple[str, ...] = ()
    """Names below /dev/infiniband."""

    def named(self, name: str) -> Device | None:
        """Return the device with a name."""
        return next((device for device in self.devices if device.name == name), None)


def _netdevs(text: str) -> Mapping[str, str]:
    """Return the interfaces of devices."""
    return dict(MAPPED.findall(text))


def _devices(text: str) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Return the devices, and the names of the files through which programs use them."""
    netdevs = dict(reversed(NETDEV.findall(text)))
    pci = dict(PCI.findall(text))
    ports: dict[str, dict[str, str]] = {name: {} for name in DEVICE.findall(text)}
    for name, file, value in PORT.findall(text):
        ports.setdefault(name, {})[file] = value
    devices = (
        _device(name, netdevs.get(name, ""), pci.get(name, ""), port)
        for name, port in ports.items()
    )
    return tuple(devices), tuple(DEVICE_FILE.findall(text))


def _device(name: str, netdev: str, pci: str, files: Files) -> Device:
    """Put together a device: its state is like `4: ACTIVE`, its rate like `200 Gb/sec (4X HDR)`."""
    rate = files.get("rate", "").partition(" ")[0]
    return Device(
        name=name,
        netdev=netdev,
        pci=pci,
        state=files.get("state", "").partition(": ")[2],
        link_layer=files.get("link_layer", ""),
        rate=int(float(rate)) if rate else None,
        gids=_gids(files),
    )


def _gids(files: Files) -> tuple[Gid, ...]:
    """Return the rows by their numbers; the order of the files is another."""
    rows = {int(path.removeprefix("gids/")): path for path in files if path.startswith("gids/")}
    return tuple(
        Gid(
            index=index,
            value=files[rows[index]],
            kind=files.get(f"gid_attrs/types/{index}", ""),
            netdev=files.get(f"gid_attrs/ndevs/{index}", ""),
        )
        for index in sorted(rows)
    )


DEVICES = Part(name="devices", parse=_devices)
NETDEVS = Part(name="netdevs", parse=_netdevs)
PARTS = (DEVICES, NETDEVS)


def rdma(answers: Answers) -> Rdma:
    """Parse all devices; NVIDIA's program names the interfaces that sysfs lacks."""
    devices, files = DEVICES.value(answers)
    netdevs = NETDEVS.value(answers)
    return Rdma(
        devices=tuple(
            replace(device, netdev=device.netdev or netdevs.get(device.name, ""))
            for device in devices
        ),
        device_files=files,
    )
