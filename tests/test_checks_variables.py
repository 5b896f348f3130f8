"""The findings about variables in env files: the exact text, one for each line."""

from dataclasses import replace

import pytest

from cluster.checks.node_report import NodeReport
from cluster.checks.variables import VARIABLES
from cluster.facts.links import Links
from cluster.node import Cluster
from cluster.words import Secret
from tests.clusters import REHEARSAL, SPARKS, with_variables
from tests.node_reports import findings, healthy, with_facts, with_settings

SEARCH = "is for debugging:"
NO_RDMA = "no RDMA, although IB_IF names RDMA devices"


def sockets() -> tuple[NodeReport, ...]:
    """Return nodes without RDMA, with both variables that switch it off."""
    told_so = (("NCCL_IB_DISABLE", "1"), ("NCCL_NET", "Socket"))
    return tuple(
        with_settings(report, ib_if=()) for report in healthy(with_variables(shared=told_so))
    )


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param(healthy(), id="none"),
        pytest.param(
            healthy(
                with_variables(
                    shared=(
                        ("NCCL_DEBUG", "INFO"),
                        ("NCCL_IB_DISABLE", "0"),
                        ("NCCL_NET", "IB"),
                        ("NCCL_P2P_DISABLE", ""),
                        ("GLOO_SOCKET_IFNAME", ""),
                    )
                )
            ),
            id="harmless",
        ),
        pytest.param(sockets(), id="sockets only"),
        pytest.param(
            healthy(replace(with_variables(shared=(("NCCL_ALGO", "Ring"),)), accelerator="none")),
            id="no GPU, no NCCL",
        ),
        pytest.param(
            healthy(
                with_variables(
                    shared=(("NCCL_P2P_DISABLE", "1"),),
                    head=(("NCCL_P2P_DISABLE", "0"),),
                    worker=(("NCCL_P2P_DISABLE", "0"),),
                )
            ),
            id="the node's own file wins",
        ),
        pytest.param(
            healthy(
                with_variables(
                    head=(("GLOO_SOCKET_IFNAME", "enp1s0f1np1,enP2p1s0f1np1"),),
                    worker=(("GLOO_SOCKET_IFNAME", "enp1s0f0np0,enP2p1s0f0np0"),),
                )
            ),
            id="their own interfaces",
        ),
        pytest.param(
            tuple(
                with_facts(report, links=Links(error="ip: not found"))
                for report in healthy(with_variables(shared=(("GLOO_SOCKET_IFNAME", "eth7"),)))
            ),
            id="unknown interfaces",
        ),
        pytest.param(
            tuple(
                replace(
                    report, cluster=replace(REHEARSAL, variables=(("GLOO_SOCKET_IFNAME", "x"),))
                )
                for report in healthy()
            ),
            id="namespaces",
        ),
    ],
)
def test_no_findings(reports: tuple[NodeReport, ...]) -> None:
    """Harmless variables have no findings."""
    assert [] == findings(VARIABLES, *reports)


@pytest.mark.parametrize(
    "name, value, cost",
    [
        pytest.param("NCCL_IB_DISABLE", "1", NO_RDMA, id="RDMA off"),
        pytest.param("NCCL_NET", "socket", NO_RDMA, id="sockets"),
        pytest.param(
            "NCCL_P2P_DISABLE", "1", "GPUs of a node do not reach each other directly", id="P2P"
        ),
        pytest.param(
            "NCCL_SHM_DISABLE", "1", "ranks of a node do not use shared memory", id="shared memory"
        ),
        pytest.param(
            "NCCL_ALGO",
            "Ring",
            "NCCL cannot choose the best algorithm for each size",
            id="algorithm",
        ),
        pytest.param(
            "NCCL_PROTO",
            "Simple",
            "NCCL cannot choose the best protocol for each size",
            id="protocol",
        ),
    ],
)
def test_left_from_debugging(name: str, value: str, cost: str) -> None:
    """A variable for all nodes is one finding, with its file."""
    assert [
        (
            f"[debugging] spark1, spark2: {name}={value} {SEARCH} {cost} (remove it from"
            " env/cluster.env)"
        )
    ] == findings(VARIABLES, *healthy(with_variables(shared=((name, value),))))


def test_of_one_node() -> None:
    """A variable in the file of one node is a finding about that node; secrets stay hidden."""
    secret = (("NCCL_ALGO", Secret("http://me:pw@x", "env/spark2.env:9")),)

    assert [
        (
            f"[debugging] spark2: NCCL_ALGO=******** {SEARCH} NCCL cannot choose the best algorithm"
            " for each size (remove it from env/spark2.env)"
        )
    ] == findings(VARIABLES, *healthy(with_variables(worker=secret)))


@pytest.mark.parametrize(
    "cluster, sentence",
    [
        pytest.param(
            with_variables(
                shared=(("GLOO_SOCKET_IFNAME", "enp1s0f1np1"),),
                worker=(("GLOO_SOCKET_IFNAME", "enp1s0f1np1,enp9s0"),),
            ),
            "spark2: GLOO_SOCKET_IFNAME=enp1s0f1np1,enp9s0 names no interface of this node:"
            " enp9s0 (remove it from env/spark2.env)",
            id="of another node",
        ),
        pytest.param(
            with_variables(shared=(("GLOO_SOCKET_IFNAME", "=enp1s0f1np1"),)),
            "spark1, spark2: GLOO_SOCKET_IFNAME==enp1s0f1np1 has NCCL's `=` or `^`, which gloo"
            " takes for part of a name (remove it from env/cluster.env)",
            id="exact",
        ),
        pytest.param(
            with_variables(worker=(("GLOO_SOCKET_IFNAME", "^docker0"),)),
            "spark2: GLOO_SOCKET_IFNAME=^docker0 has NCCL's `=` or `^`, which gloo"
            " takes for part of a name (remove it from env/spark2.env)",
            id="exclusion",
        ),
    ],
)
def test_gloo(cluster: Cluster, sentence: str) -> None:
    """Plain names of interfaces that the node has are right for gloo."""
    assert [f"[gloo] {sentence}"] == findings(VARIABLES, *healthy(cluster))


def test_another_cluster() -> None:
    """Remedies name the files of the cluster."""
    lab = replace(SPARKS, name="lab", variables=(("NCCL_ALGO", "Tree"),))

    assert [
        (
            f"[debugging] spark1, spark2: NCCL_ALGO=Tree {SEARCH} NCCL cannot choose the best"
            " algorithm for each size (remove it from env/lab/cluster.env)"
        )
    ] == findings(VARIABLES, *healthy(lab))
