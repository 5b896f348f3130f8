"""What a rank of docker/nccl.py answers: its measurements, its network, NCCL's log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.bandwidth.log import Transport, transport
from cluster.facts.part import UNREADABLE
from cluster.plan.questions import fields

CODING = 128 / 130
"""Of 130 bits on PCI Express 128 are data, since its third generation."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """An RDMA device as sysfs has it; numbers are 0 where it does not tell."""

    name: str
    active: bool
    rate: float
    """Gb/s of its port, which both twins of a Spark's port have in full."""
    pci: str
    """Its PCI address, like `0000:01:00.1`; a software device has none."""
    slot_rate: float
    """Gb/s that PCI Express carries there, before the overhead of packets."""
    interfaces: tuple[str, ...]
    """Those of the same PCI function; none where the image is too old to tell."""

    @property
    def port(self) -> str:
        """What both devices of a port share, however they are called.

        A Spark's ConnectX-7 hangs on two PCI domains, and a port is the same function of both
        (NVIDIA dgx-spark-playbooks, connect-two-sparks): 0000:01:00.1 and 0002:01:00.1.
        """
        return self.pci.partition(":")[2] or self.name

    @property
    def slot(self) -> str:
        """Its place on PCI Express without the function: `0000:01:00`."""
        return self.pci.rpartition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation at one size."""

    operation: str
    size: int
    """Bytes of the buffer."""
    rounds: int
    seconds: float
    """Of one round."""
    algorithm: float
    """GB/s: the size by the time."""
    bus: float
    """GB/s that cross the link in each direction (nccl-tests, doc/PERFORMANCE.md)."""
    right: bool
    """Whether the buffer held what it should."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One rank's."""

    backend: str = ""
    torch: str = ""
    nccl: str = ""
    device: str = ""
    """The GPU's name, or `CPU`."""
    rows: tuple[Row, ...] = ()
    interfaces: Mapping[str, float]
    """Gb/s of each interface that tells."""
    rdma: tuple[Device, ...]
    transport: Transport
    error: str = ""
    during: str = ""
    """What it was at when the error came."""
    missing: tuple[int, ...] = ()
    """Ranks that did not come."""
    follows: bool = False
    """Whether it only ended because another rank had failed."""


def answer(text: str) -> Answer | None:
    """Return the answer in a rank's output; None when there is none."""
    try:
        return _answer(fields(text))
    except UNREADABLE:
        return None


def _answer(found: Mapping[str, Any]) -> Answer:
    return Answer(
        backend=str(found.get("backend", "")),
        torch=str(found.get("torch", "")),
        nccl=str(found.get("nccl", "")),
        device=str(found.get("device", "")),
        rows=tuple(_row(one) for one in found["measurements"]),
        interfaces={
            name: int(speed) / 1000
            for name, speed in found.get("interfaces", {}).items()
            if speed is not None
        },
        rdma=tuple(_device(name, one) for name, one in found.get("rdma", {}).items()),
        transport=transport(str(found["log"])),
        error=str(found.get("error", "")),
        during=str(found.get("during", "")),
        missing=tuple(int(rank) for rank in found.get("missing", ())),
        follows="failed" in found,
    )


def _row(one: Mapping[str, Any]) -> Row:
    return Row(
        operation=str(one["operation"]),
        size=int(one["bytes"]),
        rounds=int(one["iterations"]),
        seconds=float(one["seconds"]),
        algorithm=float(one["algorithm"]),
        bus=float(one["bus"]),
        right=bool(one["right"]),
    )


def _device(name: str, one: Mapping[str, Any]) -> Device:
    return Device(
        name=name,
        active=one["state"].endswith("ACTIVE"),
        rate=_number(one["rate"]),
        pci=str(one["pci"]),
        slot_rate=_number(one["pci_speed"]) * _number(one["pci_width"]) * CODING,
        interfaces=tuple(map(str, one.get("interfaces", ()))),
    )


def _number(text: str) -> float:
    """Return the number before a unit: `200 Gb/sec (4X HDR)`, `32.0 GT/s PCIe`; 0 without one."""
    first = text.partition(" ")[0]
    return float(first) if first.replace(".", "", 1).isdigit() else 0.0
