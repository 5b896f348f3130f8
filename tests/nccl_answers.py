"""Answers of the ranks of a measurement: those that were captured, and Sparks as they should be."""

import json
from dataclasses import replace

from cluster.bandwidth.answer import Answer, Device, Row, answer
from cluster.bandwidth.failures import Heard
from cluster.bandwidth.log import Transport, Way
from tests.clusters import ROOT

CAPTURES = ROOT / "tests" / "captures" / "nccl"
TWINS = ("rocep1s0f1", "roceP2p1s0f1")
MIB = 1 << 20
SLOT = 4 * 32.0 * 128 / 130
"""Gb/s of four lanes of PCI Express 5."""


def captured(run: str, rank: int = 0) -> str:
    """Return the output of a rank on the H100."""
    return (CAPTURES / "h100" / f"{run}-{rank}.json").read_text(encoding="utf-8")


def heard(run: str) -> dict[int, Heard]:
    """Return what both ranks said in a run on the H100."""
    return {rank: Heard(answer=answer(captured(run, rank))) for rank in (0, 1)}


def device(name: str, pci: str = "", *, active: bool = True, rate: float = 200) -> Device:
    """Return one of a Spark's four RDMA devices, with its interface."""
    place = pci or f"{'0002' if 'P2' in name else '0000'}:01:00.{name[-1]}"
    interface = f"{name.replace('roce', 'en')}np{name[-1]}"
    return Device(
        name=name, active=active, rate=rate, pci=place, slot_rate=SLOT, interfaces=(interface,)
    )


def row(bus: float, size: int = 256 * MIB, operation: str = "all_gather") -> Row:
    """Return a measurement between two ranks."""
    share = 0.5 if operation == "all_gather" else 1.0
    seconds = size * share / bus / 1e9
    algorithm = bus / share
    return Row(
        operation=operation,
        size=size,
        rounds=20,
        seconds=seconds,
        algorithm=algorithm,
        bus=bus,
        right=True,
    )


def transport(*carriers: str, by: str = "IB") -> Transport:
    """Return what a log says of channels over these devices."""
    ways = tuple(Way(by=by, device=name, network=True, channels=8) for name in carriers)
    return Transport(network=by, ways=ways)


def spark(bus: float = 23.7, carriers: tuple[str, ...] = TWINS, by: str = "IB") -> Answer:
    """Return the answer of a Spark with a cable in one port."""
    return Answer(
        backend="nccl",
        torch="2.13.0+cu130",
        nccl="2.28.9",
        device="NVIDIA GB10",
        rows=(row(bus, operation="all_reduce"), row(bus)),
        interfaces={"enp1s0f1np1": 200.0},
        rdma=(
            device("rocep1s0f0", active=False),
            device("rocep1s0f1"),
            device("roceP2p1s0f0", active=False),
            device("roceP2p1s0f1"),
        ),
        transport=transport(*carriers, by=by),
    )


def wired(*answers: Answer | None) -> dict[int, Heard]:
    """Return what is heard of ranks that answer so."""
    return {rank: Heard(answer=its) for rank, its in enumerate(answers)}


def broken(error: str, during: str = "start nccl", *, log: str = "", **more: object) -> Answer:
    """Return the answer of a rank that failed."""
    text = {"measurements": [], "error": error, "during": during, "log": log, **more}
    found = answer(json.dumps(text))
    assert found
    return replace(found, backend="nccl")
