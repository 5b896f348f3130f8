"""What nodes are asked, how a shell does the same, and what it means when nobody answers."""

import subprocess
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.doctor import by_hand
from cluster.doctor.unanswered import unanswered, unreadable
from cluster.doctor.wanted import wanted
from cluster.facts.bundle import Wanted
from cluster.nodes.engine import Engine
from tests.clusters import HEAD, REHEARSAL, SPARKS, WORKER, third

ONE, TWO, THREE = (IPv4Address(f"192.168.177.{number}") for number in (11, 12, 13))
TRIO = replace(SPARKS, nodes=(HEAD, WORKER, third()), image="mine:1", container="box")
FAR, HERE = Engine(node="spark2", ssh_host="dgx"), Engine(node="spark1")


def test_of_a_worker() -> None:
    """A worker is asked about the head's port of Ray, and about those of the other workers."""
    expected = Wanted(
        image="mine:1",
        container="box",
        hf_cache="~/.cache/huggingface",
        pings=((WORKER.eth_if, ONE), (WORKER.eth_if, THREE)),
        ports=((ONE, 6379), (THREE, 10002)),
        ways=(ONE, THREE),
    )

    assert expected == wanted(TRIO, WORKER)


def test_of_the_head() -> None:
    """The head is asked about all workers; the fast form says so."""
    expected = Wanted(
        image="mine:1",
        container="box",
        hf_cache="/models",
        pings=((HEAD.eth_if, TWO), (HEAD.eth_if, THREE)),
        ports=((TWO, 10002), (THREE, 10002)),
        ways=(TWO, THREE),
        fast=True,
    )

    assert expected == wanted(replace(TRIO, hf_cache="/models"), HEAD, fast=True)


def test_among_some() -> None:
    """Nodes that are not examined are not asked about."""
    expected = replace(
        wanted(TRIO, WORKER), pings=((WORKER.eth_if, ONE),), ports=((ONE, 6379),), ways=(ONE,)
    )

    assert expected == wanted(TRIO, WORKER, among=(HEAD, WORKER))


def test_alone() -> None:
    """A cluster of one has nobody to reach."""
    asked = wanted(replace(SPARKS, nodes=(HEAD,)), HEAD)

    assert ((), (), ()) == (asked.pings, asked.ports, asked.ways)


def test_of_a_namespace() -> None:
    """A namespace of this machine has neither an image nor a container."""
    asked = wanted(REHEARSAL, REHEARSAL.head)

    assert ("", "") == (asked.image, asked.container)


def test_by_hand() -> None:
    """A shell gives the question to the very command, and nothing in it means anything to it."""
    question = "{\necho \"$((1 + 1))\" '$HOME' `echo in`\n}\n"
    script = by_hand.asked("spark1", by_hand.fed("sh -s", question))
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    expected = f"""\
# spark1: Ask for facts
sh -s <<'QUESTION'
{question}QUESTION
"""

    assert (expected, "2 $HOME in\n") == (script, done.stdout)


@pytest.mark.parametrize(
    "its, said, expected",
    [
        (
            FAR,
            "ssh: connect to host 192.168.1.9 port 22: No route to host\r\n",
            (
                "spark2: dgx does not answer: No route to host"
                " (is it switched on, and on this network? `ssh -v dgx`)"
            ),
        ),
        (
            FAR,
            "Warning: something\nsh: 12: Syntax error\n",
            "spark2: cannot be asked: sh: 12: Syntax error (`ssh dgx` may say more)",
        ),
        (FAR, "", "spark2: cannot be asked: no word of it (`ssh dgx` may say more)"),
        (HERE, "no answer within 30 s", "spark1: cannot be asked: no answer within 30 s"),
    ],
    ids=["ssh", "shell", "nothing", "here"],
)
def test_unanswered(its: Engine, said: str, expected: str) -> None:
    """What SSH says has its own sentence; what else is said is shown as it is."""
    assert expected == str(unanswered(its, said))


def test_unreadable() -> None:
    """An answer of another shape is a defect, and says how to see more."""
    expected = (
        "spark2: cannot be examined: its answer is unreadable: KeyError: 'mtu'"
        " (a defect of this tool: `inv --dry doctor` prints the question)"
    )

    assert expected == str(unreadable(FAR, ValueError("KeyError: 'mtu'")))
