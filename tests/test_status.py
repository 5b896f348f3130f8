"""From what was seen of a cluster to its verdict, its table and its JSON."""

import json
from dataclasses import replace

import pytest

from cluster.commands.vllm import Request
from cluster.errors import Problem
from cluster.plan.ray_nodes import NodeListing, RayNode
from cluster.status import status
from cluster.status.status import Facts, Seen, Status
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
ALL_WELL = Facts(
    services={
        "spark1": Seen(since=MORNING, started=True),
        "spark2": Seen(since=MORNING + 1.5, started=True),
    },
    joined=BOTH,
    server=Seen(since=MORNING + 60, started=True),
    request=Request(
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
NO_SERVER = replace(ALL_WELL, server=Seen(), request=None, url="", healthy=False, metrics="")
NOTHING = Facts(
    services={"spark1": Seen(), "spark2": Seen()},
    joined=NodeListing(error="unreachable", detail="Connection refused"),
    server=Seen(),
    request=None,
    url="",
    healthy=False,
    metrics="",
)


def judged(facts: Facts) -> Status:
    """Return the report on two Sparks."""
    return status.status(SPARKS, facts)


def test_text_of_a_cluster_that_serves() -> None:
    """The table has a line for each node, and below it stands the server."""
    expected = """\
node    role    address         runtime  ray     gpus  since
spark1  head    192.168.177.11  running  joined  1/1   2026-07-20T08:00:00+00:00
spark2  worker  192.168.177.12  running  joined  1/1   2026-07-20T08:00:01+00:00
server: ready, Qwen/Qwen3-4B at http://192.168.177.11:8888, tensor parallel 2, \
requests running: 2, since 2026-07-20T08:01:00+00:00
"""

    assert expected == status.text(judged(ALL_WELL))


def test_text_of_nothing() -> None:
    """A cluster that was never started has a table too."""
    expected = """\
node    role    address         runtime  ray      gpus  since
spark1  head    192.168.177.11  stopped  unknown  0/1
spark2  worker  192.168.177.12  stopped  unknown  0/1
server: not started
"""

    assert expected == status.text(judged(NOTHING))


def test_text_while_something_is_wrong() -> None:
    """A dead worker and a loading model are seen at a glance."""
    facts = replace(
        ALL_WELL,
        services={"spark1": Seen(since=MORNING, started=True), "spark2": Seen(started=True)},
        joined=NodeListing(nodes=(BOTH.nodes[0], replace(BOTH.nodes[1], alive=False))),
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

    assert expected == status.text(judged(facts))


def test_json_of_a_cluster_that_serves() -> None:
    """A program reads the same facts, and the verdict."""
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

    assert expected == status.as_json(judged(ALL_WELL))


def test_what_cannot_be_seen() -> None:
    """A node that cannot be asked is unknown and says why, once, and does not hide the other."""
    problem = Problem(place="spark2", message="does not answer", remedy="`ssh spark2`")
    lost = replace(
        ALL_WELL,
        services={**ALL_WELL.services, "spark2": Seen(problem=problem)},
        server=Seen(problem=problem),
    )
    found = judged(lost)
    expected = """\
node    role    address         runtime  ray     gpus  since
spark1  head    192.168.177.11  running  joined  1/1   2026-07-20T08:00:00+00:00
spark2  worker  192.168.177.12  unknown  joined  1/1
server: unknown
spark2: does not answer (`ssh spark2`)
"""

    assert expected == status.text(found)
    assert not found.healthy
    assert ["spark2: does not answer (`ssh spark2`)"] == json.loads(status.as_json(found))[
        "problems"
    ]


def test_json_of_nothing() -> None:
    """What is unknown is null or empty, and nothing is left out."""
    expected = {
        "state": "not started",
        "model": "",
        "url": "",
        "tp": 0,
        "since": "",
        "requests": None,
    }
    found = json.loads(status.as_json(judged(NOTHING)))

    assert (expected, False) == (found["server"], found["healthy"])


@pytest.mark.parametrize(
    "facts, healthy",
    [
        pytest.param(ALL_WELL, True, id="serves"),
        pytest.param(NO_SERVER, True, id="no server was asked for"),
        pytest.param(NOTHING, False, id="not started"),
        pytest.param(replace(ALL_WELL, healthy=False), False, id="loads"),
        pytest.param(
            replace(NO_SERVER, server=Seen(started=True)), False, id="the server has ended"
        ),
        pytest.param(
            replace(ALL_WELL, joined=NodeListing(nodes=BOTH.nodes[:1])),
            False,
            id="a node is absent",
        ),
        pytest.param(
            replace(
                ALL_WELL,
                joined=NodeListing(nodes=(BOTH.nodes[0], replace(BOTH.nodes[1], gpus=0.0))),
            ),
            False,
            id="a GPU is missing",
        ),
        pytest.param(
            replace(ALL_WELL, services=ALL_WELL.services | {"spark2": Seen(started=True)}),
            False,
            id="Ray has not noticed that a node ended",
        ),
    ],
)
def test_verdict(facts: Facts, *, healthy: bool) -> None:
    """All is well when every node is what its settings say and the server, if any, answers."""
    assert healthy == judged(facts).healthy


def test_a_server_that_ended() -> None:
    """A server that was started and is gone is not one that never was."""
    facts = replace(NO_SERVER, server=Seen(started=True))

    assert "server: ended" == status.text(judged(facts)).splitlines()[-1]


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
        pytest.param("# nothing of the kind\n", None, id="no such metric"),
        pytest.param("", None, id="no answer"),
    ],
)
def test_requests(metrics: str, expected: int | None) -> None:
    """Running requests are summed over the engines; without the metric they are unknown."""
    assert expected == status.requests(metrics)
