"""What people and programs read of a diagnosis, in full."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from cluster.checks import pages
from cluster.checks.check import Check, Finding, Severity
from cluster.checks.checks import CHECKS
from cluster.checks.diagnosis import Diagnosis
from cluster.checks.pages import summary
from cluster.checks.rdma import DEVICE_FILES, FORCED
from cluster.checks.system import BROKEN_KERNEL, NO_HANDOVER
from cluster.checks.variables import COSTS, GLOO
from cluster.commands import ray
from cluster.errors import Problem, RefusedError
from tests.node_reports import node_report


def check(name: str, severity: Severity, why: str) -> Check:
    """Return a check without findings."""
    return Check(
        name=name,
        severity=severity,
        title="A cable with a living other end is in the port of ETH_IF",
        looks_at="`/sys/class/net/*/carrier`",
        why=why,
        remedy="push it in until it clicks",
        source="NVIDIA's playbook",
        rule=lambda _reports: iter(()),
    )


CABLE = check("cable", "blocks", "Without it nothing of the fast link works.")
SPEED = check("link-speed", "slow", "Tensor parallelism waits for the link.")
SWAP = check(
    "swap",
    "note",
    "When memory runs out, a Spark that swaps stands still for minutes, and often needs its power "
    "switch; without swap the kernel ends the process instead.",
)
DEAD = Finding(
    check=CABLE,
    problem=Problem(
        place="spark2",
        message="ETH_IF enp1s0f1np1 has no link; those with one: enp1s0f0np0, enP2p1s0f0np0, "
        "enP7s7",
        remedy="look at the cable and its other end by `ssh -t spark2 ibdev2netdev`, or write "
        "the port that it is in as ETH_IF and IB_IF in env/spark2.env",
    ),
)
SLOW = tuple(
    Finding(check=SPEED, problem=Problem(place=node, message="enp1s0f1np1 has 100 Gb/s"))
    for node in ("spark1", "spark2")
)
NOTE = Finding(
    check=SWAP,
    problem=Problem(place="spark1", message="has 16.0 GB of swap", remedy="`sudo swapoff -a`"),
)
FACTS = node_report().facts
FOUND = Diagnosis(
    cluster="default", nodes=("spark1", "spark2"), checks=47, findings=(DEAD, *SLOW, NOTE)
)
PAGE = """\
Blocking: the cluster will not work

  [cable] spark2: ETH_IF enp1s0f1np1 has no link; those with one: enp1s0f0np0, enP2p1s0f0np0, enP7s7
    Why: Without it nothing of the fast link works.
    Do: look at the cable and its other end by `ssh -t spark2 ibdev2netdev`, or write the port that
      it is in as ETH_IF and IB_IF in env/spark2.env

Slow: the cluster will work, but not well

  [link-speed] spark1: enp1s0f1np1 has 100 Gb/s
    Why: Tensor parallelism waits for the link.
    Do: push it in until it clicks

  [link-speed] spark2: enp1s0f1np1 has 100 Gb/s
    Do: push it in until it clicks

Notes: worth knowing

  [swap] spark1: has 16.0 GB of swap
    Why: When memory runs out, a Spark that swaps stands still for minutes, and often needs its
      power switch; without swap the kernel ends the process instead.
    Do: `sudo swapoff -a`

2 nodes, 47 checks: 1 blocking, 2 slow, 1 note
"""


def test_text() -> None:
    """Findings stand under their severity; the reason is given once for findings of one check."""
    assert PAGE == pages.text(FOUND)


def test_nothing_found() -> None:
    """Without findings only the verdict is printed."""
    healthy = replace(FOUND, findings=())

    assert "2 nodes, 47 checks: 0 blocking, 0 slow, 0 notes\n" == pages.text(healthy)


@pytest.mark.parametrize(
    "result, expected",
    [
        (replace(FOUND, nodes=("spark1",)), "1 node, 47 checks: 1 blocking, 2 slow, 1 note"),
        (
            replace(FOUND, findings=(DEAD, DEAD, SLOW[0], NOTE, NOTE)),
            "2 nodes, 47 checks: 2 blocking, 1 slow, 2 notes",
        ),
        (
            replace(FOUND, findings=(), checks=21, severities=("blocks",)),
            "2 nodes, 21 checks: 0 blocking",
        ),
    ],
    ids=["one node", "many of one kind", "fast"],
)
def test_verdict(result: Diagnosis, expected: str) -> None:
    """The verdict counts the severities that were checked."""
    assert expected == pages.verdict(result)


def test_a_command_is_not_broken() -> None:
    """Text in backticks stays on one line, however long it is."""
    command = f"`ssh -t spark2 sudo ip address add {'192.168.177.12/24 ' * 5}dev enp1s0f1np1`"
    remedy = f"give the interface of the cable its address by {command}, and netplan to keep it"
    finding = replace(
        DEAD, problem=Problem(place="spark2", message="has no address", remedy=remedy)
    )
    expected = f"""\
Blocking: the cluster will not work

  [cable] spark2: has no address
    Why: Without it nothing of the fast link works.
    Do: give the interface of the cable its address by
      {command},
      and netplan to keep it

2 nodes, 47 checks: 1 blocking, 0 slow, 0 notes
"""

    assert expected == pages.text(replace(FOUND, findings=(finding,)))


def test_json() -> None:
    """JSON has everything, the reason of every finding included."""
    result = replace(FOUND, findings=(DEAD, SLOW[1]), facts={"spark1": FACTS})
    expected = {
        "cluster": "default",
        "nodes": {
            "spark1": {"answered": True, "facts": summary(FACTS)},
            "spark2": {"answered": False},
        },
        "checks": 47,
        "findings": [
            {
                "check": "cable",
                "severity": "blocks",
                "place": "spark2",
                "found": DEAD.problem.message,
                "why": "Without it nothing of the fast link works.",
                "remedy": DEAD.problem.remedy,
            },
            {
                "check": "link-speed",
                "severity": "slow",
                "place": "spark2",
                "found": "enp1s0f1np1 has 100 Gb/s",
                "why": "Tensor parallelism waits for the link.",
                "remedy": "push it in until it clicks",
            },
        ],
        "counts": {"blocks": 1, "slow": 1, "note": 0},
        "verdict": "2 nodes, 47 checks: 1 blocking, 1 slow, 0 notes",
        "exit_code": 4,
    }
    text = pages.as_json(result)

    assert (f"{json.dumps(expected, indent=2)}\n", expected) == (text, json.loads(text))


def test_explained() -> None:
    """The page of a check has all its texts."""
    expected = """\
swap (note): A cable with a living other end is in the port of ETH_IF

Looks at: `/sys/class/net/*/carrier`
Why: When memory runs out, a Spark that swaps stands still for minutes, and often needs its power
  switch; without swap the kernel ends the process instead.
Do: push it in until it clicks
Known from: NVIDIA's playbook
"""

    assert expected == pages.explained("swap", (CABLE, SPEED, SWAP))


TITLE = "The cluster's data goes over ConnectX, at 200 Gb/s"


def test_all_checks() -> None:
    """Without a name there is a line for each check."""
    expected = """\
link-speed  slow  The cluster's data goes over ConnectX, at 200 Gb/s
swap        note  A cable with a living other end is in the port of ETH_IF
"""

    assert expected == pages.explained("", (replace(SPEED, title=TITLE), SWAP))


def test_explained_for_programs() -> None:
    """JSON is a list, of one check or of all."""
    swap_page, all_pages = (
        json.loads(pages.explained_as_json(name, (CABLE, SWAP))) for name in ("swap", "")
    )
    keys = ["name", "severity", "title", "looks_at", "why", "remedy", "source"]

    assert ["swap"] == [page["name"] for page in swap_page]
    assert ["cable", "swap"] == [page["name"] for page in all_pages]
    assert [keys, keys] == [list(page) for page in all_pages]


@pytest.mark.parametrize(
    "name, remedy", [("cabel", "did you mean cable?"), ("xyz", "`inv doctor --explain` lists all")]
)
def test_unknown_check(name: str, remedy: str) -> None:
    """An unknown name is refused, with the one that was probably meant."""
    with pytest.raises(RefusedError) as caught:
        pages.explained(name, (CABLE, SPEED, SWAP))

    assert f"--explain: no such check: `{name}` ({remedy})" == str(caught.value)


def test_every_check_has_a_page() -> None:
    """Each check of the registry is found by its name, and its page is not wider than a page."""
    result = {check.name: pages.explained(check.name) for check in CHECKS}

    assert {name: text.partition(" ")[0] for name, text in result.items()} == {n: n for n in result}


@pytest.mark.parametrize(
    "name, values",
    [
        ("debugging", COSTS),
        ("gloo", [GLOO]),
        ("gid-index", [FORCED]),
        ("kernel-memory", [BROKEN_KERNEL, NO_HANDOVER]),
        ("rdma-files", [DEVICE_FILES]),
        ("worker-port", [str(ray.WORKER_PORT)]),
    ],
)
def test_values_of_a_rule_on_its_page(name: str, values: Iterable[str]) -> None:
    """A page, which is plain text, names the values that its rule looks for."""
    page = pages.explained(name)
    assert [] == [value for value in values if value not in page]
