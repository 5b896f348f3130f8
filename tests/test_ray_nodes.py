"""Every verdict on Ray's list of nodes, as a wait for the nodes reports it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.plan.ray_nodes import (
    NodeListing,
    RayNode,
    membership,
    membership_problems,
    node_listing,
)
from tests.clusters import HEAD, SPARKS, WORKER, extra_worker

Fields = dict[str, Any]


def entry(node: Node, **changes: object) -> Fields:
    """Return a node as the probe lists it."""
    fields = {"address": str(node.host_ip), "hostname": node.name, "alive": True, "gpus": 1.0}
    return {"node_id": "83f1", "head": node.role == "head", **fields, **changes}


def problems(*entries: Fields, cluster: Cluster = SPARKS) -> list[str]:
    """Return the problems of a cluster whose Ray lists these entries."""
    listing = node_listing({"nodes": list(entries)})
    return lines(membership_problems(cluster, cluster.nodes, listing))


def lines(problems: tuple[Problem, ...]) -> list[str]:
    """Return problems as they are printed."""
    return [str(problem) for problem in problems]


def test_all_have_joined() -> None:
    """There is no problem when every node is alive, with its own address and number of GPUs."""
    assert [] == problems(entry(HEAD), entry(WORKER))


def test_node_that_died_and_was_restarted() -> None:
    """An older, dead entry of the same node is ignored."""
    assert [] == problems(entry(HEAD), entry(WORKER, alive=False), entry(WORKER))


def test_absent() -> None:
    """A node that never joined is named, with the address that it should have."""
    assert [
        (
            "spark2: not in the Ray cluster at 192.168.177.11:6379, expected with 192.168.177.12"
            " (next: `inv logs --node spark2`)"
        )
    ] == problems(entry(HEAD))


def test_dead() -> None:
    """A node that joined and died is distinguished from one that never joined."""
    assert [
        (
            "spark2: joined the Ray cluster at 192.168.177.11:6379, then died"
            " (next: `inv logs --node spark2`)"
        )
    ] == problems(entry(HEAD), entry(WORKER, alive=False))


def test_wrong_address() -> None:
    """For a node that joined over another network the message has both addresses."""
    assert [
        (
            "spark2: joined Ray with address 10.0.0.7, expected 192.168.177.12 of enp1s0f0np0"
            " (next: `inv logs --node spark2`)"
        )
    ] == problems(entry(HEAD), entry(WORKER, address="10.0.0.7"))


@pytest.mark.parametrize("gpus, text", [(0.0, "0"), (2.0, "2"), (0.5, "0.5")])
def test_gpus(gpus: float, text: str) -> None:
    """A node that offers more or fewer GPUs than GPUS is a problem."""
    assert [
        f"spark1: offers {text} GPUs to Ray, expected 1 (next: `inv logs --node spark1`)"
    ] == problems(entry(HEAD, gpus=gpus), entry(WORKER))


def test_gpus_of_the_newest_entry() -> None:
    """While Ray still lists a replaced node as alive, the newer entry counts."""
    assert [] == problems(entry(HEAD), entry(WORKER, gpus=0.0), entry(WORKER))


def test_unknown_node() -> None:
    """A living node that no file describes is a problem: it would get part of the model."""
    laptop = {"address": "10.0.0.9", "hostname": "laptop", "gpus": 0.0}

    assert [
        (
            "10.0.0.9: in the Ray cluster as laptop, but no env file describes it"
            " (stop Ray there, or describe the node in env/)"
        )
    ] == problems(
        entry(HEAD),
        entry(WORKER),
        {**laptop, "alive": True},
        {**laptop, "alive": False, "address": "10.0.0.8"},
    )


def test_all_problems_at_once() -> None:
    """All nodes are compared, in the order of the cluster; unknown nodes come last."""
    cluster = replace(SPARKS, nodes=(HEAD, WORKER, extra_worker()))

    assert [
        "spark1: offers 0 GPUs to Ray, expected 1 (next: `inv logs --node spark1`)",
        (
            "spark2: joined the Ray cluster at 192.168.177.11:6379, then died"
            " (next: `inv logs --node spark2`)"
        ),
        (
            "spark3: not in the Ray cluster at 192.168.177.11:6379, expected with 192.168.177.13"
            " (next: `inv logs --node spark3`)"
        ),
        (
            "10.0.0.9: in the Ray cluster as laptop, but no env file describes it"
            " (stop Ray there, or describe the node in env/)"
        ),
    ] == problems(
        entry(HEAD, gpus=0.0),
        entry(WORKER, alive=False),
        entry(WORKER, address="10.0.0.9", hostname="laptop"),
        cluster=cluster,
    )


def test_nodes_that_are_not_expected_yet() -> None:
    """Waiting for the head alone does not wait for the workers, and no worker is unknown."""
    for entries in ([entry(HEAD)], [entry(HEAD), entry(WORKER)]):
        assert () == membership_problems(SPARKS, (HEAD,), node_listing({"nodes": entries}))


def test_remedy_for_a_named_cluster() -> None:
    """The next command works as printed: it names the cluster."""
    cluster = replace(SPARKS, name="lab")

    assert [
        (
            "spark2: joined the Ray cluster at 192.168.177.11:6379, then died"
            " (next: `inv logs --node spark2 --cluster lab`)"
        )
    ] == problems(entry(HEAD), entry(WORKER, alive=False), cluster=cluster)


@pytest.mark.parametrize(
    "fields, expected",
    [
        pytest.param(
            {"error": "unreachable", "detail": "Connection refused"},
            "spark1: Ray does not answer at 192.168.177.11:6379: Connection refused"
            " (start it with `inv up`, or read `inv logs`)",
            id="unreachable",
        ),
        pytest.param(
            {"error": "failed", "detail": "RpcError: deadline\n  at gcs_client.cc:12"},
            "spark1: Ray does not answer at 192.168.177.11:6379: RpcError: deadline"
            " (start it with `inv up`, or read `inv logs`)",
            id="an error of many lines",
        ),
        pytest.param(
            {"error": "unauthorized", "detail": "InvalidAuthToken"},
            "spark1: Ray at 192.168.177.11:6379 rejected this cluster's token:"
            " InvalidAuthToken"
            " (stop the Ray that runs there; `inv down` if it is this cluster's)",
            id="unauthorized",
        ),
        pytest.param(
            {},
            "spark1: Ray does not answer at 192.168.177.11:6379: the probe gave no answer"
            " (start it with `inv up`, or read `inv logs`)",
            id="no output",
        ),
        pytest.param(
            {"nodes": [{"address": "192.168.177.11"}]},
            "spark1: Ray does not answer at 192.168.177.11:6379: the probe gave no answer"
            " (start it with `inv up`, or read `inv logs`)",
            id="fields missing",
        ),
    ],
)
def test_no_listing(fields: Mapping[str, Any], expected: str) -> None:
    """A head without a list is one problem, not one for each node."""
    listing = node_listing(dict(fields))

    assert [expected] == lines(membership_problems(SPARKS, SPARKS.nodes, listing))


def test_node_listing() -> None:
    """The listing keeps the fields of the probe's answer that are compared."""
    expected = NodeListing(
        nodes=(RayNode(address="192.168.177.11", hostname="spark1", alive=True, gpus=1.0),)
    )

    assert expected == node_listing({"nodes": [entry(HEAD)]})


@pytest.mark.parametrize(
    "entries, expected",
    [
        pytest.param([], "absent", id="never seen"),
        pytest.param([entry(WORKER, alive=False)], "dead", id="died"),
        pytest.param([entry(WORKER, alive=False), entry(WORKER)], "joined", id="restarted"),
    ],
)
def test_membership(entries: list[Fields], expected: str) -> None:
    """A node is absent, dead or joined."""
    assert expected == membership(WORKER, node_listing({"nodes": entries}))
