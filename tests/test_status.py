"""From an observation of a cluster to its verdict, its table and its JSON."""

import json
from dataclasses import replace

import pytest

from cluster.commands.vllm import ServeRequest
from cluster.errors import Problem
from cluster.plan.ray_nodes import NodeListing, RayNode
from cluster.status import status
from cluster.status.status import Observation, ServiceState, Status
from tests.clusters import SPARKS

MORNING = 1784534400.0  # 2026-07-20 08:00:00 UTC
METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny-llama"} 2.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny-llama"} 7.0
"""
BOTH = NodeListing(
    nodes=tuple(
        RayNode(address=str(node.host_ip), hostname=node.name, alive=True, gpus=1.0)
        for node in SPARKS.nodes
    )
)
HEALTHY = Observation(
    services={
        "spark1": ServiceState(since=MORNING, started=True),
        "spark2": ServiceState(since=MORNING + 1.5, started=True),
    },
    nodes=BOTH,
    server=ServiceState(since=MORNING + 60, started=True),
    request=ServeRequest(
        model="Qwen/Qwen3-4B",
        tp=2,
        host="0.0.0.0",  # noqa: S104 (rendered, not bound)
        port=8888,
        max_model_len=32768,
        gpu_memory_utilization=0.7,
    ),
    url="http://192.168.177.11:8888",
    healthy=True,
    metrics=METRICS,
)
NO_SERVER = replace(HEALTHY, server=ServiceState(), request=None, url="", healthy=False, metrics="")
STOPPED = Observation(
    services={"spark1": ServiceState(), "spark2": ServiceState()},
    nodes=NodeListing(error="unreachable", detail="Connection refused"),
    server=ServiceState(),
    request=None,
    url="",
    healthy=False,
    metrics="",
)


def judged(observation: Observation) -> Status:
    """Return the status of two Sparks."""
    return status.status(SPARKS, observation)


def test_text_of_a_cluster_that_serves() -> None:
    """The table has a line for each node, with the server below it."""
    expected = """\
node    role    address         runtime  ray     gpus  since
spark1  head    192.168.177.11  running  joined  1/1   2026-07-20T08:00:00+00:00
spark2  worker  192.168.177.12  running  joined  1/1   2026-07-20T08:00:01+00:00
server: ready, Qwen/Qwen3-4B at http://192.168.177.11:8888, tensor parallel 2, \
requests running: 2, since 2026-07-20T08:01:00+00:00
"""

    assert expected == status.text(judged(HEALTHY))


def test_text_of_a_stopped_cluster() -> None:
    """A cluster that was never started has a table as well."""
    expected = """\
node    role    address         runtime  ray      gpus  since
spark1  head    192.168.177.11  stopped  unknown  0/1
spark2  worker  192.168.177.12  stopped  unknown  0/1
server: not started
"""

    assert expected == status.text(judged(STOPPED))


def test_text_of_an_unhealthy_cluster() -> None:
    """The table shows a dead worker and a loading model."""
    observation = replace(
        HEALTHY,
        services=HEALTHY.services | {"spark2": ServiceState(started=True)},
        nodes=NodeListing(nodes=(BOTH.nodes[0], replace(BOTH.nodes[1], alive=False))),
        healthy=False,
        metrics="",
    )
    expected = """\
node    role    address         runtime  ray     gpus  since
spark1  head    192.168.177.11  running  joined  1/1   2026-07-20T08:00:00+00:00
spark2  worker  192.168.177.12  ended    dead    0/1
server: loading, Qwen/Qwen3-4B at http://192.168.177.11:8888, tensor parallel 2, \
requests running: unknown, since 2026-07-20T08:01:00+00:00
"""

    assert expected == status.text(judged(observation))


def test_json_of_a_cluster_that_serves() -> None:
    """The JSON has the same values, and the verdict."""
    expected = """\
{
  "cluster": "default",
  "nodes": [
    {
      "node": "spark1",
      "role": "head",
      "address": "192.168.177.11",
      "runtime": "running",
      "ray": "joined",
      "gpus": 1,
      "gpus_expected": 1,
      "since": "2026-07-20T08:00:00+00:00"
    },
    {
      "node": "spark2",
      "role": "worker",
      "address": "192.168.177.12",
      "runtime": "running",
      "ray": "joined",
      "gpus": 1,
      "gpus_expected": 1,
      "since": "2026-07-20T08:00:01+00:00"
    }
  ],
  "server": {
    "state": "ready",
    "model": "Qwen/Qwen3-4B",
    "url": "http://192.168.177.11:8888",
    "tp": 2,
    "since": "2026-07-20T08:01:00+00:00",
    "requests": 2
  },
  "problems": [],
  "healthy": true
}
"""

    assert expected == status.as_json(judged(HEALTHY))


def test_unreachable_node() -> None:
    """A node that does not answer is unknown, with one reason, and does not hide the other node."""
    problem = Problem(place="spark2", message="does not answer", remedy="`ssh spark2`")
    lost = replace(
        HEALTHY,
        services={**HEALTHY.services, "spark2": ServiceState(problem=problem)},
        server=ServiceState(problem=problem),
    )
    result = judged(lost)
    expected = """\
node    role    address         runtime  ray     gpus  since
spark1  head    192.168.177.11  running  joined  1/1   2026-07-20T08:00:00+00:00
spark2  worker  192.168.177.12  unknown  joined  1/1
server: unknown
spark2: does not answer (`ssh spark2`)
"""

    assert expected == status.text(result)
    assert not result.healthy
    assert ["spark2: does not answer (`ssh spark2`)"] == json.loads(status.as_json(result))[
        "problems"
    ]


def test_json_of_a_stopped_cluster() -> None:
    """Unknown values are null or empty, and no key is left out."""
    expected = {
        "state": "not started",
        "model": "",
        "url": "",
        "tp": 0,
        "since": "",
        "requests": None,
    }
    content = json.loads(status.as_json(judged(STOPPED)))

    assert (expected, False) == (content["server"], content["healthy"])


@pytest.mark.parametrize(
    "observation, healthy",
    [
        pytest.param(HEALTHY, True, id="serving"),
        pytest.param(NO_SERVER, True, id="no server requested"),
        pytest.param(STOPPED, False, id="not started"),
        pytest.param(replace(HEALTHY, healthy=False), False, id="loading"),
        pytest.param(
            replace(NO_SERVER, server=ServiceState(started=True)), False, id="the server has ended"
        ),
        pytest.param(
            replace(HEALTHY, nodes=NodeListing(nodes=BOTH.nodes[:1])),
            False,
            id="a node is absent",
        ),
        pytest.param(
            replace(
                HEALTHY,
                nodes=NodeListing(nodes=(BOTH.nodes[0], replace(BOTH.nodes[1], gpus=0.0))),
            ),
            False,
            id="a GPU is missing",
        ),
        pytest.param(
            replace(HEALTHY, services=HEALTHY.services | {"spark2": ServiceState(started=True)}),
            False,
            id="Ray has not noticed that a node ended",
        ),
    ],
)
def test_verdict(observation: Observation, *, healthy: bool) -> None:
    """A cluster is healthy if every node matches its settings and the server, if any, answers."""
    assert healthy == judged(observation).healthy


def test_a_server_that_ended() -> None:
    """A server that was started and is gone has ended, and is not shown as never started."""
    observation = replace(NO_SERVER, server=ServiceState(started=True))

    assert "server: ended" == status.text(judged(observation)).splitlines()[-1]


@pytest.mark.parametrize(
    "metrics, expected",
    [
        pytest.param(METRICS, 2, id="one engine"),
        pytest.param(
            'vllm:num_requests_running{engine="0",model_name="m"} 2.0\n'
            'vllm:num_requests_running{engine="1",model_name="m"} 1.0\n',
            3,
            id="two engines",
        ),
        pytest.param("vllm:num_requests_running 4.0\n", 4, id="no labels"),
        pytest.param(
            'vllm:num_requests_running{model_name="a{1} b\\"c"} 1e+02\n', 100, id="odd labels"
        ),
        pytest.param('vllm:num_requests_running{engine="0"} 0.0\n', 0, id="idle"),
        pytest.param("# an unrelated comment\n", None, id="no such metric"),
        pytest.param("", None, id="no answer"),
    ],
)
def test_requests(metrics: str, expected: int | None) -> None:
    """Running requests are summed over the engines; without the metric they are unknown."""
    assert expected == status.requests(metrics)
