"""The order of each task's steps, and what the shell text of `tests/dry/` does not show of them."""

from dataclasses import replace
from math import inf

import pytest

from cluster.commands import vllm
from cluster.commands.vllm import ServeRequest
from cluster.namespaces.steps import Command, StartProcess, StopProcess
from cluster.node import Cluster
from cluster.plan import plans, script
from cluster.plan.steps import Await, MakeFolder, MakeSecret, Parallel, Plan, Query
from cluster.words import Environment, FileText, Secret, Word
from tests.clusters import REHEARSAL, extra_worker, namespace_runtime, with_variables

RUNTIME = namespace_runtime()
REQUEST = ServeRequest(
    model="m",
    tp=2,
    host="0.0.0.0",  # noqa: S104 (planned, not bound)
    port=8888,
    max_model_len=1024,
    gpu_memory_utilization=0.7,
)
LOCAL = replace(REQUEST, host="127.0.0.1")
THREE = replace(REHEARSAL, nodes=(*REHEARSAL.nodes, extra_worker()))
OWN_KEY = (("VLLM_API_KEY", Secret("sk_secret", "env/rehearsal/cluster.env:9")),)


def titles(steps: Plan) -> list[str]:
    """Return where and what, as the report tells it, without what the runtime prepares."""
    prepared = {"Make a folder", "Write a file", "Make the link", "Make the node"}
    flat = (step for step in script.flat(steps) if step.title not in prepared)
    return [f"{step.place}: {step.title}" for step in flat]


def gates(steps: Plan) -> dict[str, Await]:
    """Return the gates of a plan by what they are for."""
    found = (step for step in script.flat(steps) if isinstance(step, Await))
    return {f"{step.place}: {step.title}": step for step in found}


def side_by_side(steps: Plan) -> list[list[str]]:
    """Return the branches of the last steps that are performed side by side."""
    together = [step for step in steps if isinstance(step, Parallel)]
    return [titles(branch) for branch in together[-1].branches]


def watched(gate: Await) -> list[str]:
    """Return what must stay alive while a gate is shut."""
    return [f"{handle.place} {handle.service}" for handle in gate.watched]


def words(query: Query | None) -> tuple[Word, ...]:
    """Return the words of a command inside a node."""
    assert isinstance(query, Command)
    return query.argv


def key(cluster: Cluster, request: ServeRequest) -> Environment:
    """Return the API key in the environment of the server."""
    spec = plans.server(cluster, request, RUNTIME).spec
    assert "VLLM_API_KEY" not in dict(spec.environment)
    return spec.extra


def test_head() -> None:
    """The head is there when Ray answers on it."""
    assert [
        "spark1: Generate a secret, unless it exists",
        "spark1: Start Ray (head)",
        "spark1: Wait until Ray has spark1",
    ] == titles(plans.head(REHEARSAL, RUNTIME))


def test_workers() -> None:
    """Each worker starts once the head answers there; all are waited for together."""
    steps = plans.workers(THREE, THREE.workers, namespace_runtime(THREE))

    assert [
        ["spark2: Wait until the head answers", "spark2: Start Ray (worker)"],
        ["spark3: Wait until the head answers", "spark3: Start Ray (worker)"],
    ] == side_by_side(steps)
    assert "spark1: Wait until Ray has spark2, spark3" == titles(steps)[-1]


def test_one_worker() -> None:
    """One worker that is named starts alone."""
    assert [
        "spark1: Generate a secret, unless it exists",
        "spark3: Wait until the head answers",
        "spark3: Start Ray (worker)",
        "spark1: Wait until Ray has spark3",
    ] == titles(plans.workers(THREE, THREE.workers[1:], namespace_runtime(THREE)))


def test_up() -> None:
    """Head and workers start side by side, and the whole is waited for."""
    steps = plans.up(THREE, namespace_runtime(THREE))

    assert [
        "spark1: Generate a secret, unless it exists",
        "spark1: Start Ray (head)",
        "spark2: Start Ray (worker)",
        "spark3: Start Ray (worker)",
        "spark1: Wait until Ray has spark1, spark2, spark3",
    ] == titles(steps)
    assert 3 == len(side_by_side(steps))


def test_up_watches() -> None:
    """While they join, none may die, and each must have said itself that it has started."""
    found = gates(plans.up(REHEARSAL, RUNTIME))

    assert {
        "spark1: Wait until Ray has spark1, spark2": (
            *(120, ["spark1 ray", "spark2 ray"]),
            "Ray runtime started",
        ),
    } == {name: (gate.seconds, watched(gate), gate.logged) for name, gate in found.items()}


def test_serve() -> None:
    """Nothing starts before the cluster is whole and the port is free; the key is there first."""
    assert [
        "spark1: Check that Ray has spark1, spark2",
        "spark1: Check that port 8888 is free",
        "spark1: Generate a secret, unless it exists",
        "spark1: Serve m",
    ] == titles(plans.serve(REHEARSAL, REQUEST, RUNTIME))


def test_folder_of_the_key() -> None:
    """The key's folder is made before it: another machine may have started the cluster."""
    steps = script.flat(plans.serve(REHEARSAL, REQUEST, RUNTIME))
    places = [step.path for step in steps if isinstance(step, MakeFolder | MakeSecret)]

    assert ["/opt/spark/.state/rehearsal", "/opt/spark/.state/rehearsal/api-key"] == places


def test_serve_refuses() -> None:
    """What stands against a start is asked once, and is a refusal."""
    found = gates(plans.refuse(REHEARSAL, REQUEST, RUNTIME)).values()

    assert [(0, True), (0, True)] == [(gate.seconds, gate.refuses) for gate in found]


def test_ready() -> None:
    """A model may take as long as it needs, while all that it needs is alive."""
    found = gates(plans.ready(REHEARSAL, REQUEST, RUNTIME))

    assert {
        "spark1: Wait until the model is ready": (
            inf,
            False,
            ["spark1 ray", "spark2 ray", "spark1 serve"],
        ),
        "spark1: Check that the server completes a prompt": (0, False, []),
    } == {name: (gate.seconds, gate.refuses, watched(gate)) for name, gate in found.items()}


def test_patience() -> None:
    """The probe waits a little by itself, and by hand for the whole time."""
    wait, check = gates(plans.ready(REHEARSAL, REQUEST, RUNTIME)).values()

    once, by_hand = words(wait.query), words(wait.patient_query)

    assert ("--wait", "2") == once[-2:]
    assert ("--wait", "inf") == by_hand[-2:]
    assert once[:-1] == by_hand[:-1]
    assert (None, False) == (check.patient_query, "--wait" in words(check.query))


def test_down() -> None:
    """The server ends before Ray, and Ray before the nodes, all nodes at once."""
    steps = plans.down(REHEARSAL, RUNTIME)

    assert [
        "spark1: Stop serve",
        "spark1: Stop ray",
        "spark2: Stop ray",
        "spark1: Kill leftover processes",
        "spark2: Kill leftover processes",
        "spark1: Remove the run state",
        "spark2: Remove the run state",
        "link: Kill leftover processes",
        "link: Remove the run state",
    ] == titles(steps)
    assert [["spark1: Stop serve"], ["spark1: Stop ray", "spark2: Stop ray"]] == side_by_side(steps)
    assert [True] == [step.in_turn for step in steps if isinstance(step, Parallel)]


def test_stop_server() -> None:
    """The server ends and nothing else."""
    (step,) = plans.stop_server(REHEARSAL, RUNTIME)

    assert (
        StopProcess(title="Stop serve", handle=RUNTIME.handle("spark1", "serve"), seconds=20.0)
        == step
    )


def test_steps_are_worth_comparing() -> None:
    """The same settings give the same specs, so that a service that runs is known again."""
    first, again = (_specs(plans.up(REHEARSAL, RUNTIME)) for _ in range(2))

    assert first == again
    assert 2 == len(set(first))


@pytest.mark.parametrize(
    "cluster, request_, expected",
    [
        pytest.param(
            REHEARSAL,
            REQUEST,
            (("VLLM_API_KEY", FileText("/opt/spark/.state/rehearsal/api-key")),),
            id="generated when others can reach the server",
        ),
        pytest.param(REHEARSAL, LOCAL, (), id="none on loopback"),
        pytest.param(
            with_variables(REHEARSAL, shared=OWN_KEY), REQUEST, OWN_KEY, id="the user's own"
        ),
        pytest.param(
            with_variables(REHEARSAL, shared=OWN_KEY),
            LOCAL,
            OWN_KEY,
            id="the user's own on loopback",
        ),
        pytest.param(
            with_variables(REHEARSAL, head=OWN_KEY), REQUEST, OWN_KEY, id="in the head's file"
        ),
    ],
)
def test_api_key(cluster: Cluster, request_: ServeRequest, expected: Environment) -> None:
    """A server that others can reach has a key: the user's own, else a generated one."""
    generated = any(isinstance(value, FileText) for _, value in expected)
    tokens = _tokens(plans.serve(cluster, request_, RUNTIME))
    query = plans.complete(cluster, request_, RUNTIME, prompt="", tokens=1).query

    assert expected == key(cluster, request_)
    assert generated == bool(tokens)
    assert isinstance(query, Command)
    assert set(expected) <= set(query.environment)


def test_server() -> None:
    """The server runs on the head, as the request says."""
    step = plans.server(REHEARSAL, REQUEST, RUNTIME)

    assert ("spark1", "serve") == (step.spec.node, step.spec.service)
    assert vllm.serve(REQUEST) == step.spec.argv
    assert "Serve m" == step.title


def _specs(steps: Plan) -> list[str]:
    return [step.spec.digest for step in script.flat(steps) if isinstance(step, StartProcess)]


def _tokens(steps: Plan) -> list[MakeSecret]:
    return [step for step in script.flat(steps) if isinstance(step, MakeSecret)]
