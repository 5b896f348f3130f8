"""`ray start` line by line, and every verdict of the gate at which the nodes join."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cluster.commands import ray
from cluster.commands.ray import Answer, RayNode
from cluster.errors import Problem
from cluster.node import Cluster, Node
from tests.clusters import HEAD, SPARKS, WORKER, third

Fields = dict[str, Any]


def seen(node: Node, **changes: object) -> Fields:
    """Return a node as the probe lists it."""
    listed = {"address": str(node.host_ip), "hostname": node.name, "alive": True, "gpus": 1.0}
    return {"node_id": "83f1", "head": node.role == "head", **listed, **changes}


def problems(*nodes: Fields, cluster: Cluster = SPARKS) -> list[str]:
    """Return what keeps the gate shut for all nodes of a cluster, when Ray has these."""
    answer = ray.answer({"nodes": list(nodes)})
    return lines(ray.missing(cluster, cluster.nodes, answer))


def lines(found: tuple[Problem, ...]) -> list[str]:
    """Return problems as they are printed."""
    return [str(problem) for problem in found]


def test_start_of_the_head() -> None:
    """The head has the port that the workers join, and a dashboard for itself alone."""
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=true"),
        *("--dashboard-host", "127.0.0.1", "--dashboard-port", "8265"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(SPARKS, HEAD)


def test_start_of_a_worker() -> None:
    """A worker joins the head's address, and has none of the flags that only a head takes."""
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6379"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(SPARKS, WORKER)


def test_start_without_a_dashboard() -> None:
    """DASHBOARD=false says so, and names no place for one; HEAD_PORT is the port."""
    cluster = replace(SPARKS, dashboard=False, head_port=6380)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6380", "--include-dashboard=false"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(cluster, HEAD)


def test_start_where_ray_cannot_see_the_devices() -> None:
    """The number of GPUs is stated, and Ray's files are where the runtime wants them."""
    node = replace(WORKER, gpus=2)
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6379"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        *("--num-gpus", "2", "--temp-dir", "/run/ray", "--disable-usage-stats"),
    )

    assert expected == ray.start(SPARKS, node, session="/run/ray", gpus=True)


def test_all_have_joined() -> None:
    """The gate opens when every node is there, alive, with its address and its GPUs."""
    assert [] == problems(seen(HEAD), seen(WORKER))


def test_a_node_that_died_and_came_again() -> None:
    """An old entry of the same node does not count."""
    assert [] == problems(seen(HEAD), seen(WORKER, alive=False), seen(WORKER))


def test_absent() -> None:
    """A node that Ray has never seen is named, with where it should be."""
    assert [
        (
            "spark2: has not joined Ray at 192.168.177.11:6379 with address 192.168.177.12"
            " (next: `inv logs --node spark2`)"
        )
    ] == problems(seen(HEAD))


def test_dead() -> None:
    """A node that was there has other logs to read than one that never was."""
    assert [
        "spark2: joined Ray at 192.168.177.11:6379 and died (next: `inv logs --node spark2`)"
    ] == problems(seen(HEAD), seen(WORKER, alive=False))


def test_wrong_address() -> None:
    """A node that joined over another network is told which address it used."""
    assert [
        (
            "spark2: joined Ray with address 10.0.0.7, not 192.168.177.12 of enp1s0f0np0"
            " (next: `inv logs --node spark2`)"
        )
    ] == problems(seen(HEAD), seen(WORKER, address="10.0.0.7"))


@pytest.mark.parametrize("gpus, shown", [(0.0, "0"), (2.0, "2"), (0.5, "0.5")])
def test_gpus(gpus: float, shown: str) -> None:
    """A node that offers more or fewer GPUs than its settings say is not as they say."""
    assert [
        f"spark1: offers {shown} GPUs to Ray, 1 expected (next: `inv logs --node spark1`)"
    ] == problems(seen(HEAD, gpus=gpus), seen(WORKER))


def test_gpus_of_the_newest_entry() -> None:
    """When Ray has not yet noticed that a node was replaced, the newer entry counts."""
    assert [] == problems(seen(HEAD), seen(WORKER, gpus=0.0), seen(WORKER))


def test_stranger() -> None:
    """A living node that no file describes would be given part of the model."""
    stranger = {"address": "10.0.0.9", "hostname": "laptop", "gpus": 0.0}

    assert [
        (
            "10.0.0.9: is in Ray as laptop but in no env file"
            " (stop Ray there, or describe the node in env/)"
        )
    ] == problems(
        seen(HEAD),
        seen(WORKER),
        {**stranger, "alive": True},
        {**stranger, "alive": False, "address": "10.0.0.8"},
    )


def test_all_problems_at_once() -> None:
    """Every node is judged, in the order of the cluster; strangers come last."""
    cluster = replace(SPARKS, nodes=(HEAD, WORKER, third()))

    assert [
        "spark1: offers 0 GPUs to Ray, 1 expected (next: `inv logs --node spark1`)",
        "spark2: joined Ray at 192.168.177.11:6379 and died (next: `inv logs --node spark2`)",
        (
            "spark3: has not joined Ray at 192.168.177.11:6379 with address 192.168.177.13"
            " (next: `inv logs --node spark3`)"
        ),
        (
            "10.0.0.9: is in Ray as laptop but in no env file"
            " (stop Ray there, or describe the node in env/)"
        ),
    ] == problems(
        seen(HEAD, gpus=0.0),
        seen(WORKER, alive=False),
        seen(WORKER, address="10.0.0.9", hostname="laptop"),
        cluster=cluster,
    )


def test_nodes_that_are_not_asked_for() -> None:
    """Waiting for the head alone does not wait for the workers, and no worker is a stranger."""
    for listed in ([seen(HEAD)], [seen(HEAD), seen(WORKER)]):
        assert () == ray.missing(SPARKS, (HEAD,), ray.answer({"nodes": listed}))


def test_commands_of_a_cluster_that_is_not_the_default() -> None:
    """What to run next works as it stands: it names the cluster."""
    cluster = replace(SPARKS, name="lab")

    assert [
        (
            "spark2: joined Ray at 192.168.177.11:6379 and died"
            " (next: `inv logs --node spark2 --cluster lab`)"
        )
    ] == problems(seen(HEAD), seen(WORKER, alive=False), cluster=cluster)


@pytest.mark.parametrize(
    "found, sentence",
    [
        pytest.param(
            {"error": "unreachable", "detail": "Connection refused"},
            "spark1: Ray does not answer at 192.168.177.11:6379: Connection refused"
            " (start it by `inv up`; next: `inv logs`)",
            id="unreachable",
        ),
        pytest.param(
            {"error": "failed", "detail": "RpcError: deadline\n  at gcs_client.cc:12"},
            "spark1: Ray does not answer at 192.168.177.11:6379: RpcError: deadline"
            " (start it by `inv up`; next: `inv logs`)",
            id="an error of many lines",
        ),
        pytest.param(
            {"error": "unauthorized", "detail": "InvalidAuthToken"},
            "spark1: Ray at 192.168.177.11:6379 does not take this cluster's token:"
            " InvalidAuthToken"
            " (end the Ray that runs there, by `inv down` if it is this cluster's)",
            id="unauthorized",
        ),
        pytest.param(
            {},
            "spark1: Ray does not answer at 192.168.177.11:6379: no answer"
            " (start it by `inv up`; next: `inv logs`)",
            id="silence",
        ),
        pytest.param(
            {"nodes": [{"address": "192.168.177.11"}]},
            "spark1: Ray does not answer at 192.168.177.11:6379: no answer"
            " (start it by `inv up`; next: `inv logs`)",
            id="another protocol",
        ),
    ],
)
def test_silent(found: Mapping[str, Any], sentence: str) -> None:
    """A head that gives no list is one problem, not one for each node."""
    assert [sentence] == lines(ray.missing(SPARKS, SPARKS.nodes, ray.answer(dict(found))))


def test_answer() -> None:
    """Of what the probe lists the answer keeps what is judged."""
    expected = Answer(
        nodes=(RayNode(address="192.168.177.11", hostname="spark1", alive=True, gpus=1.0),)
    )

    assert expected == ray.answer({"nodes": [seen(HEAD)]})


@pytest.mark.parametrize(
    "listed, state",
    [
        pytest.param([], "absent", id="never seen"),
        pytest.param([seen(WORKER, alive=False)], "dead", id="died"),
        pytest.param([seen(WORKER, alive=False), seen(WORKER)], "joined", id="came again"),
    ],
)
def test_state(listed: list[Fields], state: str) -> None:
    """A node's place in Ray's list is one word."""
    assert state == ray.state(WORKER, ray.answer({"nodes": listed}))
