"""Addresses on the machine of another node: the exact findings, and which nodes others skip."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.checks import check
from cluster.checks.address_conflicts import ADDRESS_CONFLICTS
from cluster.checks.check import Reports
from cluster.checks.checks import CHECKS
from cluster.checks.interfaces import INTERFACES
from cluster.checks.node_report import NodeReport
from cluster.checks.reach import REACH
from cluster.errors import Problem
from tests.clusters import REHEARSAL, SPARKS, extra_worker
from tests.node_reports import (
    at,
    findings,
    healthy,
    node_report,
    with_facts,
    with_interface,
    with_settings,
)

SPARK, OTHER = healthy()
LINK, WORKERS = "enp1s0f1np1", "enp1s0f0np0"
ELSEWHERE = "192.168.177.11, HOST_IP of spark1, is on enp1s0f0np0 of spark2"
ADD = "`ssh -t spark1 sudo ip address add 192.168.177.11/24 dev enp1s0f1np1`"
GIVE_BACK = "`ssh -t spark2 sudo ip address del 192.168.177.11/24 dev enp1s0f0np0`"
ADD_OWN = "`ssh -t spark2 sudo ip address add 192.168.177.12/24 dev enp1s0f0np0`"
KEEP = "and keep it in netplan"
HELD = (
    "[twice] spark1, spark2: HOST_IPs are swapped: the machine at SSH_HOST spark1 has"
    " 192.168.177.12, and the one at spark2 has 192.168.177.11"
)


def exchanged() -> tuple[NodeReport, ...]:
    """Return two nodes, each of which has the machine of the other."""
    return with_facts(SPARK, **vars(OTHER.facts)), with_facts(OTHER, **vars(SPARK.facts))


def readdressed() -> tuple[NodeReport, ...]:
    """Return two nodes whose files have each other's address."""
    return (
        with_interface(SPARK, LINK, addresses=at("192.168.177.12")),
        with_interface(OTHER, WORKERS, addresses=at("192.168.177.11")),
    )


def paired(*reports: NodeReport) -> tuple[NodeReport, ...]:
    """Return the nodes that the checks between nodes look at."""
    subjects: list[NodeReport] = []

    def rule(nodes: Reports) -> Iterator[Problem]:
        subjects.extend(nodes)
        yield from ()

    list(check.findings((*CHECKS, replace(REACH[0], name="probe", rule=rule)), reports))
    return tuple(subjects)


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param((), id="nobody"),
        pytest.param((SPARK,), id="one"),
        pytest.param((SPARK, OTHER), id="two"),
        pytest.param(
            (with_interface(SPARK, LINK, addresses=()), OTHER), id="an address that nobody has"
        ),
        pytest.param(
            tuple(replace(report, cluster=REHEARSAL) for report in readdressed()), id="namespaces"
        ),
    ],
)
def test_no_findings(reports: tuple[NodeReport, ...]) -> None:
    """An address that is on no other node's machine is no conflict."""
    assert [] == findings(ADDRESS_CONFLICTS, *reports)


@pytest.mark.parametrize(
    "reports, sentence",
    [
        pytest.param(
            readdressed(),
            f"{HELD} (write HOST_IP=192.168.177.12 in env/spark1.env, HOST_IP=192.168.177.11"
            " in env/spark2.env)",
            id="addresses swapped",
        ),
        pytest.param(
            exchanged(),
            f"{HELD} (write SSH_HOST=spark2 in env/spark1.env, SSH_HOST=spark1 in env/spark2.env)",
            id="machines swapped",
        ),
        pytest.param(
            (
                SPARK,
                with_interface(OTHER, WORKERS, addresses=at("192.168.177.11", "192.168.177.12")),
            ),
            f"[twice] spark1, spark2: {ELSEWHERE} as well ({GIVE_BACK}, {KEEP})",
            id="one address twice",
        ),
        pytest.param(
            (SPARK, with_interface(OTHER, WORKERS, addresses=at("192.168.177.11"))),
            f"[twice] spark1, spark2: {ELSEWHERE} as well ({GIVE_BACK}, {ADD_OWN}, {KEEP})",
            id="one file on both",
        ),
        pytest.param(
            (
                with_interface(SPARK, LINK, addresses=()),
                with_interface(OTHER, WORKERS, addresses=at("192.168.177.11", "192.168.177.12")),
            ),
            f"[twice] spark1, spark2: {ELSEWHERE} instead ({ADD}, {GIVE_BACK}, {KEEP})",
            id="only on the other",
        ),
        pytest.param(
            (SPARK, with_facts(OTHER, **vars(SPARK.facts))),
            "[twice] spark1, spark2: SSH_HOST spark1 and spark2 are one machine, spark1"
            " (write spark2's own SSH_HOST in env/spark2.env)",
            id="one machine, the first's",
        ),
        pytest.param(
            (with_facts(SPARK, **vars(OTHER.facts)), OTHER),
            "[twice] spark1, spark2: SSH_HOST spark1 and spark2 are one machine, spark2"
            " (write spark1's own SSH_HOST in env/spark1.env)",
            id="one machine, the second's",
        ),
    ],
)
def test_conflict(reports: tuple[NodeReport, ...], sentence: str) -> None:
    """Each conflict is one finding, and no other check reports these nodes' addresses or pairs."""
    assert [sentence] == findings((*ADDRESS_CONFLICTS, *INTERFACES[1:2]), *reports)
    assert () == paired(*reports)


def test_conflict_of_two_of_three() -> None:
    """The third node is not part of it, and the checks between nodes look at it."""
    lab = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
    first, second, third_node = (node_report(node.name, lab) for node in lab.nodes)
    both = with_interface(third_node, WORKERS, addresses=at("192.168.177.12", "192.168.177.13"))

    assert [
        (
            "[twice] spark2, spark3: 192.168.177.12, HOST_IP of spark2, is on enp1s0f0np0 of spark3"
            " as well (`ssh -t spark3 sudo ip address del 192.168.177.12/24 dev enp1s0f0np0`,"
            f" {KEEP})"
        )
    ] == findings(ADDRESS_CONFLICTS, first, second, both)
    assert (first,) == paired(first, second, both)


def test_another_network() -> None:
    """An address that a machine gets has the cluster's network."""
    report = with_settings(SPARK, host_ip=IPv4Address("192.168.178.12"))

    assert [
        (
            "[twice] spark1, spark2: 192.168.178.12, HOST_IP of spark1, is on enP2p1s0f0np0 of"
            " spark2"
            " instead (`ssh -t spark1 sudo ip address add 192.168.178.12/24 dev enp1s0f1np1`,"
            " `ssh -t spark2 sudo ip address del 192.168.178.12/24 dev enP2p1s0f0np0`,"
            f" {KEEP})"
        )
    ] == findings(ADDRESS_CONFLICTS, report, OTHER)
