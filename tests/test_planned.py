"""What the user reads of a plan, before a byte is sent."""

import json
import re
from dataclasses import replace

import pytest

from cluster.errors import Problem
from cluster.ship import plan, planned
from cluster.ship.survey import Facts
from tests.freight import (
    BY_NAME,
    CLUSTER,
    GIGA,
    HERE,
    MEGA,
    NAME,
    NONE,
    ORDER,
    PORT,
    SAID,
    WAYS,
    considered,
    had,
    there,
)


def test_plan() -> None:
    """Each node has its own row, and what it lacks decides about the rest."""
    said: dict[str, Facts | Problem] = {
        "spark2": there(2, had(3, NAME)),
        "spark3": there(3, had(2), had(1, NAME)),
        "spark4": Problem(place="spark4", message="does not answer"),
        "spark5": there(5, had(1), had(2), store="containerd", free=None, version="28.5.2"),
    }
    legs = plan.plan(CLUSTER, ORDER, WAYS, said, NONE)
    expected = """\
node    route                  store              layers  send     free       expected
spark1  this machine           overlay2 29.1.0            is here  900.00 GB
spark2  fabric 192.168.177.12  overlay2 29.1.0            has it   900.00 GB
spark3  fabric 192.168.177.13  overlay2 29.1.0    2/3     0.10 GB  900.00 GB  about 1 s
spark4  fabric 192.168.177.14                             cannot
spark5  fabric 192.168.177.15  containerd 28.5.2  0/3     5.10 GB             about 20 s
spark5: containerd keeps pulled and built layers compressed: sent all the same (2)
"""

    assert expected == planned.table(CLUSTER, legs)
    assert [1, 1] == [len(chain) for chain in plan.chains(legs)]
    assert ((), True) == (plan.hops(legs), plan.work(legs))


@pytest.mark.parametrize(
    "facts, source, lowest, send, seconds",
    [
        (there(2), "overlay2", 0, "5.10 GB", "about 49 s"),
        (there(2, had(2)), "overlay2", 2, "at most 5.10 GB", "about 49 s"),
        (there(2, had(2), free=GIGA), "overlay2", 2, "at most 5.10 GB", "about 49 s"),
        (there(2, had(3)), "overlay2", 3, "0.0 MB", "about 24 s"),
        (there(2, had(3, blobs=3), store="containerd"), "overlay2", 3, "0.0 MB", "about 24 s"),
        (there(2, had(3, blobs=3), store="containerd"), "containerd", 0, "5.10 GB", "about 49 s"),
    ],
)
def test_docker_save(facts: Facts, source: str, lowest: int, send: str, seconds: str) -> None:
    """Where sizes of layers are unknown, the whole image is the most that goes."""
    order = replace(ORDER, layers=None, here=replace(HERE, store=source))
    found = considered(facts, order)
    (row,) = re.findall(r"(\d/3)  +(.+?)  +\S+ GB  +(about .*)", planned.table(CLUSTER, (found,)))

    assert (f"{lowest}/3", send, seconds) == row


def test_slow_link() -> None:
    """Over a link of 10 Gb/s or less they are compressed unasked, and the user is warned."""
    note = "192.168.177.12 is on enp1s0f1np1, a link of 10 Gb/s: is that the fast one?"
    found = considered(there(2, speed=10_000))

    assert (True, (note,), 10_000) == (found.compress, found.notes, found.link)
    assert "5.10 GB, zstd" in planned.table(CLUSTER, (found,))
    assert (False, 1000) == (
        considered(there(2, speed=1000), replace(ORDER, compress="none")).compress,
        considered(there(2, speed=1000)).link,
    )


def test_from_a_laptop() -> None:
    """The first link decides about a chain's pace: it is compressed, if all nodes can undo it."""
    laptop = replace(HERE, links=(replace(PORT, addresses=("10.0.0.1",), speed=1000),))
    order = replace(ORDER, here=laptop)
    said = SAID | {"spark2": there(2, zstd=False)}
    three = plan.plan(CLUSTER, order, BY_NAME[2:], SAID, NONE)
    two = plan.plan(CLUSTER, replace(order, via="star"), BY_NAME[1:3], said, NONE)
    expected = """\
node    route           store            layers  send           free       expected
spark3  ssh spark3.lan  overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
spark4  from spark3     overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
spark5  from spark4     overlay2 29.1.0  0/3     5.10 GB, zstd  900.00 GB  about 26 s
this machine has no address in 192.168.177.0/24: the image goes by SSH_HOST at 1 Gb/s, \
and not over the fast link
"""

    assert expected == planned.table(CLUSTER, three)
    assert [((plan.NO_ZSTD,), 90), ((), 45)] == [
        (one.notes, round(one.seconds or 0)) for one in two
    ]


def test_json() -> None:
    """A program reads all that is known, and whether there is work."""
    failed = considered(Problem(place="spark2", message="is off"))
    ship = considered(there(2, had(2)))
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

    assert json.dumps(expected, indent=2) + "\n" == planned.as_json(ORDER, (failed, ship))
