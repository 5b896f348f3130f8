"""The answer of a rank of docker/nccl.py: its measurements, its network, and NCCL's log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.bandwidth.nccl_log import NcclLog, parse
from cluster.facts.part import UNREADABLE
from cluster.plan.questions import fields

CODING = 128 / 130
"""Of 130 bits on PCI Express 128 are data, since its third generation."""
BITS = 8


@dataclass(frozen=True, kw_only=True)
class RdmaDevice:
    """An RDMA device as sysfs describes it; numbers are 0 where sysfs does not tell."""

    name: str
    active: bool
    rate: float
    """Gb/s of its port; both twins of a Spark's port report the whole port's."""
    pci: str
    """PCI address, like `0000:01:00.1`; a software device has none."""
    slot_rate: float
    """Gb/s that its PCI Express slot carries, before the overhead of packets."""
    interfaces: tuple[str, ...]
    """Those of the same PCI function; empty if the image is too old to tell."""

    @property
    def port(self) -> str:
        """What both twins of a port have in common, whatever their names.

        A Spark's ConnectX-7 hangs on two PCI domains, and a port is the same function of both
        (NVIDIA dgx-spark-playbooks, connect-two-sparks): 0000:01:00.1 and 0002:01:00.1.
        """
        return self.pci.partition(":")[2] or self.name

    @property
    def slot(self) -> str:
        """PCI address without the function: `0000:01:00`."""
        return self.pci.rpartition(".")[0]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One operation with one size of buffer."""

    operation: str
    size: int
    """Bytes of the buffer."""
    rounds: int
    seconds: float
    """Of one round."""
    algorithm: float
    """GB/s: the size divided by the time."""
    bus: float
    """GB/s that cross the link in each direction (nccl-tests, doc/PERFORMANCE.md)."""
    right: bool
    """Whether the buffer held the expected data."""


@dataclass(frozen=True, kw_only=True)
class RankAnswer:
    """The answer of one rank."""

    backend: str = ""
    torch: str = ""
    nccl: str = ""
    device: str = ""
    """The GPU's name, or `CPU`."""
    measurements: tuple[Measurement, ...] = ()
    interfaces: Mapping[str, float]
    """Gb/s of each interface whose speed is known."""
    rdma: tuple[RdmaDevice, ...]
    log: NcclLog
    error: str = ""
    stage: str = ""
    """What the rank was doing when the error came."""
    missing: tuple[int, ...] = ()
    """Ranks that did not connect."""
    failed_after_peer: bool = False
    """Whether it only ended because another rank had failed."""

    @property
    def capacity(self) -> float | None:
        """GB/s that the devices in use can carry; None if any of their rates is unknown.

        Both RDMA devices of a Spark's port report the whole port's rate, and each has half of its
        PCI Express lanes; the devices of both ports share the two slots.
        """
        carriers = self.log.carriers
        if self.log.uses_rdma:
            return _rdma_capacity([device for device in self.rdma if device.name in carriers])
        rates = [self.interfaces.get(name, 0.0) for name in carriers]
        return sum(rates) / BITS if rates and all(rates) else None


def _rdma_capacity(devices: list[RdmaDevice]) -> float | None:
    ports = {device.port: device.rate for device in devices}
    slots = {device.slot: device.slot_rate for device in devices}
    if not ports or not all(ports.values()):
        return None
    cables = sum(ports.values())
    return min(cables, sum(slots.values()) if all(slots.values()) else cables) / BITS


def rank_answer(text: str) -> RankAnswer | None:
    """Return the answer in a rank's output; None if there is none."""
    try:
        return _answer(fields(text))
    except UNREADABLE:
        return None


def _answer(answer: Mapping[str, Any]) -> RankAnswer:
    return RankAnswer(
        backend=str(answer.get("backend", "")),
        torch=str(answer.get("torch", "")),
        nccl=str(answer.get("nccl", "")),
        device=str(answer.get("device", "")),
        measurements=tuple(map(_measurement, answer["measurements"])),
        interfaces={
            name: int(speed) / 1000
            for name, speed in answer.get("interfaces", {}).items()
            if speed is not None
        },
        rdma=tuple(_device(name, device) for name, device in answer.get("rdma", {}).items()),
        log=parse(str(answer["log"])),
        error=str(answer.get("error", "")),
        stage=str(answer.get("during", "")),
        missing=tuple(int(rank) for rank in answer.get("missing", ())),
        failed_after_peer="failed" in answer,
    )


def _measurement(answer: Mapping[str, Any]) -> Measurement:
    return Measurement(
        operation=str(answer["operation"]),
        size=int(answer["bytes"]),
        rounds=int(answer["iterations"]),
        seconds=float(answer["seconds"]),
        algorithm=float(answer["algorithm"]),
        bus=float(answer["bus"]),
        right=bool(answer["right"]),
    )


def _device(name: str, answer: Mapping[str, Any]) -> RdmaDevice:
    return RdmaDevice(
        name=name,
        active=answer["state"].endswith("ACTIVE"),
        rate=_number(answer["rate"]),
        pci=str(answer["pci"]),
        slot_rate=_number(answer["pci_speed"]) * _number(answer["pci_width"]) * CODING,
        interfaces=tuple(map(str, answer.get("interfaces", ()))),
    )


def _number(text: str) -> float:
    """Return the number before a unit: `200 Gb/sec (4X HDR)`, `32.0 GT/s PCIe`; 0 without one."""
    first = text.partition(" ")[0]
    return float(first) if first.replace(".", "", 1).isdigit() else 0.0
