"""Answers of ranks: captured ones, and those of healthy Sparks."""

import json
from dataclasses import replace

from cluster.bandwidth.nccl_log import ChannelRoute, NcclLog
from cluster.bandwidth.rank_answer import Measurement, RankAnswer, RdmaDevice, rank_answer
from cluster.bandwidth.rank_problems import RankResult
from tests.clusters import ROOT

CAPTURES = ROOT / "tests" / "captures" / "nccl"
TWINS = ("rocep1s0f1", "roceP2p1s0f1")
MIB = 1 << 20
SLOT = 4 * 32.0 * 128 / 130
"""Gb/s of four lanes of PCI Express 5."""


def captured(run: str, rank: int = 0) -> str:
    """Return the output of a rank on the H100."""
    return (CAPTURES / "h100" / f"{run}-{rank}.json").read_text(encoding="utf-8")


def captured_results(run: str) -> list[RankResult]:
    """Return the results of both ranks of a run on the H100."""
    return results(*(rank_answer(captured(run, rank)) for rank in (0, 1)))


def device(name: str, pci: str = "", *, active: bool = True, rate: float = 200) -> RdmaDevice:
    """Return one of a Spark's four RDMA devices, with its interface."""
    address = pci or f"{'0002' if 'P2' in name else '0000'}:01:00.{name[-1]}"
    interface = f"{name.replace('roce', 'en')}np{name[-1]}"
    return RdmaDevice(
        name=name, active=active, rate=rate, pci=address, slot_rate=SLOT, interfaces=(interface,)
    )


def row(bus: float, size: int = 256 * MIB, operation: str = "all_gather") -> Measurement:
    """Return a measurement between two ranks."""
    share = 0.5 if operation == "all_gather" else 1.0
    seconds = size * share / bus / 1e9
    algorithm = bus / share
    return Measurement(
        operation=operation,
        size=size,
        rounds=20,
        seconds=seconds,
        algorithm=algorithm,
        bus=bus,
        right=True,
    )


def nccl_log(*carriers: str, transport: str = "IB") -> NcclLog:
    """Return a log with channels over these devices."""
    return NcclLog(
        network=transport,
        routes=tuple(
            ChannelRoute(transport=transport, device=name, leaves_node=True, channels=8)
            for name in carriers
        ),
    )


def spark(
    bus: float = 23.7, carriers: tuple[str, ...] = TWINS, transport: str = "IB"
) -> RankAnswer:
    """Return the answer of a Spark with a cable in one port."""
    return RankAnswer(
        backend="nccl",
        torch="2.13.0+cu130",
        nccl="2.28.9",
        device="NVIDIA GB10",
        measurements=(row(bus, operation="all_reduce"), row(bus)),
        interfaces={"enp1s0f1np1": 200.0},
        rdma=(
            device("rocep1s0f0", active=False),
            device("rocep1s0f1"),
            device("roceP2p1s0f0", active=False),
            device("roceP2p1s0f1"),
        ),
        log=nccl_log(*carriers, transport=transport),
    )


def results(*answers: RankAnswer | None) -> list[RankResult]:
    """Return the results of ranks with these answers."""
    return [RankResult(answer=answer) for answer in answers]


def failed(error: str, stage: str = "start nccl", **fields: object) -> RankAnswer:
    """Return the answer of a rank that failed."""
    text = {"measurements": [], "error": error, "during": stage, "log": "", **fields}
    answer = rank_answer(json.dumps(text))
    assert answer
    return replace(answer, backend="nccl")
