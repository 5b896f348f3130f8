"""What became of an image on each node, and how far a copy is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.errors import Problem
from cluster.ship import outcome
from cluster.ship.outcome import Row

ROWS = (
    Row(node="spark1", route="this machine", result="here", whole=25_000_000_000),
    Row(node="spark2", route="fabric 192.168.177.12", result="equal", whole=25_000_000_000),
    Row(
        node="spark3",
        route="from spark2",
        result="shipped",
        sent=4_471_234_560,
        size=5_000_000_000,
        whole=25_000_000_000,
        seconds=41.24,
    ),
    Row(
        node="spark4",
        route="ssh spark-04",
        result="failed",
        sent=52_428_800,
        size=5_000_000_000,
        whole=25_000_000_000,
        seconds=2.5,
        problem=Problem(place="spark4", message="is full", remedy="empty it"),
    ),
    Row(
        node="spark5",
        route="ssh spark-05",
        result="shipped",
        sent=2_000_000_000,
        size=2_000_000_000,
        seconds=20.0,
    ),
)


def test_table() -> None:
    """A row says what became of a node; what was not sent has no speed."""
    expected = """\
node    route                  result   sent     seconds  MB/s  saved
spark1  this machine           here
spark2  fabric 192.168.177.12  equal                            25.00 GB
spark3  from spark2            shipped  4.47 GB  41.2     108   20.00 GB
spark4  ssh spark-04           failed   52.4 MB  2.5      21
spark5  ssh spark-05           shipped  2.00 GB  20.0     100
"""

    assert expected == outcome.table(ROWS)


def test_json() -> None:
    """A program reads exact numbers, and whether all nodes have the image."""
    nothing: dict[str, Any] = {"sent": 0, "size": 0, "whole": 25_000_000_000, "seconds": 0.0}
    expected = {
        "image": "vllm-node:latest",
        "nodes": [
            {"node": "spark1", "route": "this machine", "result": "here"}
            | nothing
            | {"problem": "", "saved": 0},
            {"node": "spark2", "route": "fabric 192.168.177.12", "result": "equal"}
            | nothing
            | {"problem": "", "saved": 25_000_000_000},
            {
                "node": "spark4",
                "route": "ssh spark-04",
                "result": "failed",
                "sent": 52428800,
                "size": 5_000_000_000,
                "whole": 25_000_000_000,
                "seconds": 2.5,
                "problem": "spark4: is full (empty it)",
                "saved": 0,
            },
        ],
        "complete": False,
    }
    rows = (*ROWS[:2], ROWS[3])

    assert json.dumps(expected, indent=2) + "\n" == outcome.as_json("vllm-node:latest", rows)


def test_json_of_success() -> None:
    """With no problem, all nodes have the image."""
    rows = (replace(ROWS[0], node="spark9"),)

    assert json.loads(outcome.as_json("vllm-node:latest", rows))["complete"]


@pytest.mark.parametrize(
    "done, total, seconds, expected",
    [
        (1_048_576, 530_000_000, 0.2, "1.0 MB of 0.53 GB"),
        (0, 530_000_000, 7.0, "0.0 MB of 0.53 GB"),
        (350_000_000, 530_000_000, 3.18, "0.35 GB of 0.53 GB, 110 MB/s, 2 s left"),
        (540_000_000, 530_000_000, 4.0, "0.54 GB of 0.53 GB, 135 MB/s, 0 s left"),
        (52_428_800, 0, 2.0, "52.4 MB, 26 MB/s"),
        (4_471_234_560, 0, 0.9, "4.47 GB"),
    ],
)
def test_pace(done: int, total: int, seconds: float, expected: str) -> None:
    """A rate is told once it means something, and what is left when the end is known."""
    assert expected == outcome.pace(done, total, seconds)


@pytest.mark.parametrize(
    "count, expected",
    [
        (0, "0.0 MB"),
        (99_949_999, "99.9 MB"),
        (100_000_000, "0.10 GB"),
        (25_000_000_000, "25.00 GB"),
    ],
)
def test_amount(count: int, expected: str) -> None:
    """Bytes are told in decimal units."""
    assert expected == outcome.amount(count)
