"""Parts of an answer that could not be read, and the facts in the JSON output."""

from dataclasses import replace
from typing import Any

import pytest

from cluster.checks.checks import unreadable_answer
from cluster.checks.node_report import NodeReport
from cluster.checks.pages import summary
from cluster.facts.facts import Facts, parse
from tests.clusters import SPARKS
from tests.node_reports import findings, node_report

SPARK = node_report()
LAB = node_report(cluster=replace(SPARKS, name="lab"))
DEFECT = "a defect of this tool: `inv --dry doctor{}` prints the question"
PARTS = "parts of its answer could not be read"


@pytest.mark.parametrize(
    "report, names, sentence",
    [
        (SPARK, ("engine",), f"spark1: {PARTS}: engine ({DEFECT.format('')})"),
        (LAB, ("engine", "image"), f"spark1: {PARTS}: engine, image ({DEFECT})"),
    ],
)
def test_unreadable(report: NodeReport, names: tuple[str, ...], sentence: str) -> None:
    """All parts of a node are one finding."""
    report = replace(report, facts=replace(report.facts, unreadable=names))
    expected = f"[unreadable] {sentence.format(' --cluster lab')}"

    assert [expected] == findings((unreadable_answer,), report, node_report("spark2"))


def twin(netdev: str, *, live: bool) -> dict[str, Any]:
    """Return the summary of a twin."""
    rate = 200 if live else 40
    state = "ACTIVE" if live else "DOWN"
    return {"netdev": netdev, "state": state, "rate": rate, "link_layer": "Ethernet"}


def test_summary() -> None:
    """A machine in plain values."""
    expected = {
        "hostname": "spark1",
        "system": "NVIDIA DGX OS 7.5.0",
        "kernel": "6.17.0-1031-nvidia",
        "driver": "580.95.05",
        "docker": {"version": "29.1.3", "store": "containerd"},
        "memlock": None,
        "mtu": {
            "enp1s0f0np0": 1500,
            "enp1s0f1np1": 9000,
            "enP2p1s0f0np0": 1500,
            "enP2p1s0f1np1": 9000,
            "enP7s7": 1500,
            "docker0": 1500,
        },
        "rdma": {
            "roceP2p1s0f0": twin("enP2p1s0f0np0", live=False),
            "roceP2p1s0f1": twin("enP2p1s0f1np1", live=True),
            "rocep1s0f0": twin("enp1s0f0np0", live=False),
            "rocep1s0f1": twin("enp1s0f1np1", live=True),
        },
    }

    assert expected == summary(SPARK.facts)


@pytest.mark.parametrize(
    "text, changes",
    [
        ("", {}),
        (
            "== devices\n/sys/class/infiniband/mlx5_4\n== system\nmemlock 8\n",
            {
                "memlock": 8192,
                "rdma": {"mlx5_4": dict.fromkeys(("netdev", "state", "rate", "link_layer"))},
            },
        ),
    ],
    ids=["nothing", "little"],
)
def test_unknown(text: str, changes: dict[str, Any]) -> None:
    """What is unknown is None."""
    facts: Facts = parse(f"{text}\n== clock\n\n== end\n")
    unknown = dict.fromkeys(("system", "kernel", "driver", "memlock"))
    nothing = {"hostname": "", **unknown, "docker": {"version": None, "store": None}}

    assert {**nothing, "mtu": {}, "rdma": {}, **changes} == summary(facts)
