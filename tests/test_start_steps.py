"""The steps that check nodes before a start."""

from dataclasses import replace

from cluster.plan import script
from cluster.start.steps import CheckNodes, checks
from tests.clusters import REHEARSAL, TWO_SPARKS, container_runtime, extra_worker, namespace_runtime


def test_check_nodes() -> None:
    """The shell text of the machine checks is `inv doctor --fast`."""
    (machines, _) = checks(TWO_SPARKS, TWO_SPARKS.nodes, container_runtime())

    assert isinstance(machines, CheckNodes)
    assert "inv doctor --fast --cluster examples/two-sparks" == machines.text
    assert ("all nodes", "Check that nothing blocks the cluster") == (
        machines.place,
        machines.title,
    )
    assert ["spark1", "spark2"] == [host.name for host in machines.hosts]


def test_worker_alone() -> None:
    """A worker that starts alone is compared with the head only."""
    cluster = replace(TWO_SPARKS, nodes=(*TWO_SPARKS.nodes, extra_worker()))
    (machines, containers) = checks(cluster, cluster.nodes[2:], container_runtime(cluster))

    assert isinstance(machines, CheckNodes)
    assert (
        "inv doctor --fast --node spark1 --node spark3 --cluster examples/two-sparks"
        == machines.text
    )
    assert ["spark3: Check that spark3 can run Ray"] == [
        f"{step.place}: {step.title}" for step in script.flat((containers,))
    ]


def test_namespaces() -> None:
    """Namespaces are made for the cluster and need no checks."""
    assert () == checks(REHEARSAL, REHEARSAL.nodes, namespace_runtime())
