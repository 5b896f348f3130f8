"""All checks on all captures: what each machine is told, and that healthy ones are left alone."""

from dataclasses import replace

import pytest

from cluster.doctor import pages
from cluster.doctor.diagnosis import Diagnosis, diagnosis
from cluster.facts.facts import Facts
from cluster.node import DEFAULT
from tests import situations
from tests.clusters import ROOT
from tests.pages import blocks
from tests.situations import ALL, HEALTHY, Situation

GIB = 1 << 30
AS_THEY_COME = tuple(
    ("note", check, node)
    for check in ("hostname", "early-oom", "desktop", "swap")
    for node in ("spark1", "spark2")
)
"""What two Sparks are told that nobody has changed."""
EXPECTED = {
    **dict.fromkeys(HEALTHY, ()),
    "both-ports": AS_THEY_COME,
    "one-subnet": (("slow", "twin-subnets", "spark1"), ("slow", "twin-subnets", "spark2")),
    "no-address": (
        ("blocks", "address", "spark1"),
        ("blocks", "address", "spark2"),
        ("slow", "twin-address", "spark1"),
        ("slow", "twin-address", "spark2"),
        *AS_THEY_COME,
    ),
    "pc": (("blocks", "image", "pc"), ("note", "hostname", "pc"), ("note", "not-a-spark", "pc")),
    "vm": (("blocks", "docker", "vm"), ("note", "hostname", "vm")),
}
"""Severity, check and node of all that is found, by situation."""


def examined(its: Situation, *, fast: bool = False) -> Diagnosis:
    """Return what is found in a situation."""
    return diagnosis(its.cluster, its.facts, fast=fast)


def told(found: Diagnosis) -> tuple[tuple[str, str, str], ...]:
    """Return severity, check and node of each finding."""
    return tuple((its.check.severity, its.check.name, its.problem.place) for its in found.findings)


@pytest.mark.parametrize("name", ALL)
def test_situation(name: str) -> None:
    """Each capture is told what is wrong with it, and nothing else."""
    assert EXPECTED[name] == told(examined(situations.situation(name)))


@pytest.mark.parametrize("name", ALL)
def test_fast(name: str) -> None:
    """The fast form finds what blocks, and the same."""
    found = told(examined(situations.situation(name), fast=True))

    assert tuple(its for its in EXPECTED[name] if its[0] == "blocks") == found


@pytest.mark.parametrize("name", HEALTHY)
def test_no_false_alarm(name: str) -> None:
    """Nothing blocks or slows a cluster that works."""
    assert 0 == examined(situations.situation(name)).exit_code


def test_example_of_the_documentation() -> None:
    """The page shows what two Sparks get, one with the wrong port in its file, its clock ahead."""
    its = situations.situation("one-cable")
    head, worker = its.cluster.nodes
    other = replace(worker, eth_if="enp1s0f0np0", ib_if=("rocep1s0f0", "roceP2p1s0f0"))
    cluster = replace(its.cluster, name=DEFAULT, nodes=(head, other))
    facts = {
        "spark1": _with_swap(its.facts["spark1"]),
        "spark2": replace(its.facts["spark2"], lead=74.3),
    }
    (shown,) = (it.text for it in blocks(ROOT / "docs/doctor.md") if it.word == "doctor")

    assert shown == pages.text(diagnosis(cluster, facts))


def _with_swap(one: Facts) -> Facts:
    memory = replace(one.machine.memory, swap_total=16 * GIB, swap_free=16 * GIB)
    return replace(one, machine=replace(one.machine, memory=memory))
