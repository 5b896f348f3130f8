"""The tables and the JSON of `inv ship`, and the progress of a copy."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.links import Links
from cluster.ship import report, transfers
from cluster.ship.report import TransferResult
from tests.shipments import (
    ANSWERS,
    BY_NAME,
    GIGA,
    MEGA,
    NAME,
    NO_FAILURES,
    PORT,
    REQUEST,
    ROUTES,
    SOURCE,
    planned,
    spark,
    stored,
)

SHIPPED = spark(2, stored(3, blobs=3), store="containerd")
RESULTS = (
    TransferResult(node="spark1", route="this machine", result="here", whole=25_000_000_000),
    TransferResult(
        node="spark2", route="fabric 192.168.177.12", result="equal", whole=25_000_000_000
    ),
    TransferResult(
        node="spark3",
        route="from spark2",
        result="shipped",
        sent=4_471_234_560,
        size=5_000_000_000,
        whole=25_000_000_000,
        seconds=41.24,
    ),
    TransferResult(
        node="spark4",
        route="ssh spark-04",
        result="failed",
        sent=52_428_800,
        size=5_000_000_000,
        whole=25_000_000_000,
        seconds=2.5,
        problem=Problem(place="spark4", message="is full", remedy="empty it"),
    ),
    TransferResult(
        node="spark5",
        route="ssh spark-05",
        result="shipped",
        sent=2_000_000_000,
        size=2_000_000_000,
        seconds=20.0,
    ),
)


def test_result_table() -> None:
    """Each node has a row; a node to which nothing was sent has no speed."""
    expected = """\
node    route                  result   sent     seconds  MB/s  saved
spark1  this machine           here
spark2  fabric 192.168.177.12  equal                            25.00 GB
spark3  from spark2            shipped  4.47 GB  41.2     108   20.00 GB
spark4  ssh spark-04           failed   52.4 MB  2.5      21
spark5  ssh spark-05           shipped  2.00 GB  20.0     100
"""

    assert expected == report.result_table(RESULTS)


def test_result_json() -> None:
    """The JSON has exact numbers, and whether all nodes have the image."""
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
    results = (*RESULTS[:2], RESULTS[3])

    assert json.dumps(expected, indent=2) + "\n" == report.result_json("vllm-node:latest", results)


def test_result_json_of_success() -> None:
    """Without a problem the result is complete."""
    results = (replace(RESULTS[0], node="spark9"),)

    assert json.loads(report.result_json("vllm-node:latest", results))["complete"]


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
def test_progress(done: int, total: int, seconds: float, expected: str) -> None:
    """The rate is shown once it is meaningful, and the seconds left if the size is known."""
    assert expected == report.progress(done, total, seconds)


def test_plan_table() -> None:
    """Each node has a row with what it lacks."""
    answers: dict[str, Facts | Problem] = {
        "spark2": spark(2, stored(3, NAME)),
        "spark3": spark(3, stored(2), stored(1, NAME)),
        "spark4": Problem(place="spark4", message="does not answer"),
        "spark5": spark(5, stored(1), stored(2), store="containerd", free=None, version="28.5.2"),
    }
    plan = transfers.plan(REQUEST, ROUTES, answers, NO_FAILURES)
    expected = """\
node    route                  store              layers  send     free       expected
spark1  this machine           overlay2 29.1.0            is here  900.00 GB
spark2  fabric 192.168.177.12  overlay2 29.1.0            has it   900.00 GB
spark3  fabric 192.168.177.13  overlay2 29.1.0    2/3     0.10 GB  900.00 GB  about 1 s
spark4  fabric 192.168.177.14                             cannot
spark5  fabric 192.168.177.15  containerd 28.5.2  0/3     5.10 GB             about 20 s
spark5: layers sent although the node has them: 2 (containerd keeps pulled and built layers \
compressed)
"""

    assert expected == report.plan_table(REQUEST, plan)
    assert [1, 1] == [len(chain) for chain in transfers.chains(plan)]
    assert ((), True) == (transfers.hops(plan), transfers.has_work(plan))


@pytest.mark.parametrize(
    "facts, store, first, send, seconds",
    [
        (spark(2), "overlay2", 0, "5.10 GB", "about 49 s"),
        (spark(2, stored(2)), "overlay2", 2, "at most 5.10 GB", "about 49 s"),
        (spark(2, stored(2), free=GIGA), "overlay2", 2, "at most 5.10 GB", "about 49 s"),
        (spark(2, stored(3)), "overlay2", 3, "0.0 MB", "about 24 s"),
        (spark(2, stored(3, blobs=3), store="containerd"), "overlay2", 3, "0.0 MB", "about 24 s"),
        (
            spark(2, stored(3, blobs=3), store="containerd"),
            "containerd",
            0,
            "5.10 GB",
            "about 49 s",
        ),
    ],
)
def test_docker_save(facts: Facts, store: str, first: int, send: str, seconds: str) -> None:
    """If the sizes of layers are unknown, the size of the image is an upper bound."""
    request = replace(
        REQUEST, layers=None, source=replace(SOURCE, docker=replace(SOURCE.docker, store=store))
    )
    transfer = planned(facts, request)
    (row,) = re.findall(
        r"(\d/3)  +(.+?)  +\S+ GB  +(about .*)", report.plan_table(REQUEST, (transfer,))
    )

    assert (f"{first}/3", send, seconds) == row


def test_slow_link() -> None:
    """Over a link of 10 Gb/s or less layers are compressed, and a note asks about the link."""
    note = "192.168.177.12 is on enp1s0f1np1, a link of 10 Gb/s: is that the fast link?"
    transfer = planned(spark(2, speed=10_000))

    assert (True, (note,), 10_000) == (transfer.compress, transfer.notes, transfer.link)
    assert "5.10 GB, zstd" in report.plan_table(REQUEST, (transfer,))
    assert (False, 1000) == (
        planned(spark(2, speed=1000), replace(REQUEST, compress="none")).compress,
        planned(spark(2, speed=1000)).link,
    )


def test_from_a_laptop() -> None:
    """A chain over a slow first link is compressed if all its nodes have zstd."""
    laptop = replace(SOURCE, links=Links(interfaces=(replace(PORT, speed=1000),)))
    request = replace(REQUEST, source=laptop)
    answers = ANSWERS | {"spark2": spark(2, zstd=False)}
    three = transfers.plan(request, BY_NAME[2:], ANSWERS, NO_FAILURES)
    star = replace(request, via="star")
    two = transfers.plan(star, BY_NAME[1:3], answers, NO_FAILURES)
    expected = """\
node    route           store            layers  send           free       expected
spark3  ssh spark3.lan  overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
spark4  from spark3     overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
spark5  from spark4     overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
this machine has no address in 192.168.177.0/24: the image is sent to SSH_HOST at 1 Gb/s, \
not over the fast link
"""

    assert expected == report.plan_table(request, three)
    assert [((transfers.NO_ZSTD,), 90), ((), 45)] == [
        (transfer.notes, round(transfer.seconds or 0)) for transfer in two
    ]


def test_plan_json() -> None:
    """The JSON has every field of the plan, and whether there is work."""
    failed = planned(Problem(place="spark2", message="is off"))
    ship = planned(spark(2, stored(2)))
    nothing = {"present": 0, "layers": 3, "send": 0, "exact": True, "free": None, "link": None}
    expected = {
        "image": NAME,
        "nodes": [
            {
                "node": "spark2",
                "route": "fabric 192.168.177.12",
                "state": "failed",
                "store": "",
                "version": "",
            }
            | nothing
            | {
                "zstd": False,
                "chain": None,
                "seconds": None,
                "notes": [],
                "problem": "spark2: is off",
            },
            {
                "node": "spark2",
                "route": "fabric 192.168.177.12",
                "state": "ship",
                "store": "overlay2",
                "version": "29.1.0",
                "present": 2,
                "layers": 3,
                "send": 100 * MEGA,
                "exact": True,
                "free": 900 * GIGA,
                "link": 200_000,
                "zstd": False,
                "chain": 0,
                "seconds": 1.5,
                "notes": [],
                "problem": "",
            },
        ],
        "work": True,
    }

    assert json.dumps(expected, indent=2) + "\n" == report.plan_json(REQUEST, (failed, ship))
