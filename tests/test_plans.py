"""The order of each verb's steps, and what the shell text in `tests/dry/` does not show."""

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


def titles(plan: Plan) -> list[str]:
    """Return place and title of each step, without those that only prepare the nodes."""
    prepared = {"Make a folder", "Write a file", "Make the link", "Make the node"}
    steps = (step for step in script.flat(plan) if step.title not in prepared)
    return [f"{step.place}: {step.title}" for step in steps]


def waits(plan: Plan) -> dict[str, Await]:
    """Return the `Await` steps of a plan by place and title."""
    steps = (step for step in script.flat(plan) if isinstance(step, Await))
    return {f"{step.place}: {step.title}": step for step in steps}


def branches(plan: Plan) -> list[list[str]]:
    """Return the titles in each branch of a plan's last parallel step."""
    parallel = [step for step in plan if isinstance(step, Parallel)]
    return [titles(branch) for branch in parallel[-1].branches]


def watched(wait: Await) -> list[str]:
    """Return the services that must stay alive during a wait."""
    return [f"{handle.place} {handle.service}" for handle in wait.watched]


def words(query: Query | None) -> tuple[Word, ...]:
    """Return the words of a command inside a node."""
    assert isinstance(query, Command)
    return query.argv


def digests(plan: Plan) -> list[str]:
    """Return the digests of the services that a plan starts."""
    return [step.spec.digest for step in script.flat(plan) if isinstance(step, StartProcess)]


def api_key(cluster: Cluster, request: ServeRequest) -> Environment:
    """Return the API key in the environment of the server."""
    spec = plans.server(cluster, request, RUNTIME).spec
    assert "VLLM_API_KEY" not in dict(spec.environment)
    return spec.extra


def test_head() -> None:
    """The head has started once Ray answers on it."""
    assert [
        "spark1: Generate a secret, unless it exists",
        "spark1: Start Ray (head)",
        "spark1: Wait until Ray has spark1",
    ] == titles(plans.head(REHEARSAL, RUNTIME))


def test_workers() -> None:
    """Each worker starts once it reaches the head; one wait covers them all."""
    plan = plans.workers(THREE, THREE.workers, namespace_runtime(THREE))

    assert [
        ["spark2: Wait until the head answers", "spark2: Start Ray (worker)"],
        ["spark3: Wait until the head answers", "spark3: Start Ray (worker)"],
    ] == branches(plan)
    assert "spark1: Wait until Ray has spark2, spark3" == titles(plan)[-1]


def test_one_worker() -> None:
    """A single worker can be started alone."""
    assert [
        "spark1: Generate a secret, unless it exists",
        "spark3: Wait until the head answers",
        "spark3: Start Ray (worker)",
        "spark1: Wait until Ray has spark3",
    ] == titles(plans.workers(THREE, THREE.workers[1:], namespace_runtime(THREE)))


def test_up() -> None:
    """Head and workers start side by side; one wait covers them all."""
    plan = plans.up(THREE, namespace_runtime(THREE))

    assert [
        "spark1: Generate a secret, unless it exists",
        "spark1: Start Ray (head)",
        "spark2: Start Ray (worker)",
        "spark3: Start Ray (worker)",
        "spark1: Wait until Ray has spark1, spark2, spark3",
    ] == titles(plan)
    assert 3 == len(branches(plan))


def test_up_watches() -> None:
    """While the nodes join, none may end, and each must log that it has started."""
    steps = waits(plans.up(REHEARSAL, RUNTIME))

    assert {
        "spark1: Wait until Ray has spark1, spark2": (
            *(120, ["spark1 ray", "spark2 ray"]),
            "Ray runtime started",
        ),
    } == {name: (wait.seconds, watched(wait), wait.logged) for name, wait in steps.items()}


def test_serve() -> None:
    """The server starts after the checks of the nodes and the port, and after the key exists."""
    assert [
        "spark1: Check that Ray has spark1, spark2",
        "spark1: Check that port 8888 is free",
        "spark1: Generate a secret, unless it exists",
        "spark1: Serve m",
    ] == titles(plans.serve(REHEARSAL, REQUEST, RUNTIME))


def test_folder_of_the_key() -> None:
    """The key's folder is made first: another machine may have started the cluster."""
    steps = script.flat(plans.serve(REHEARSAL, REQUEST, RUNTIME))
    paths = [step.path for step in steps if isinstance(step, MakeFolder | MakeSecret)]

    assert ["/opt/spark/.state/rehearsal", "/opt/spark/.state/rehearsal/api-key"] == paths


def test_serve_refuses() -> None:
    """The checks before a server starts ask once and refuse."""
    checks = waits(plans.refuse(REHEARSAL, REQUEST, RUNTIME)).values()

    assert [(0, True), (0, True)] == [(check.seconds, check.refuses) for check in checks]


def test_ready() -> None:
    """Loading a model has no time limit while all services are alive."""
    steps = waits(plans.ready(REHEARSAL, REQUEST, RUNTIME))

    assert {
        "spark1: Wait until the model is ready": (
            inf,
            False,
            ["spark1 ray", "spark2 ray", "spark1 serve"],
        ),
        "spark1: Check that the server completes a prompt": (0, False, []),
    } == {name: (wait.seconds, wait.refuses, watched(wait)) for name, wait in steps.items()}


def test_patient_query() -> None:
    """The probe waits for 2 s at a time, and for the whole time in the shell text."""
    wait, check = waits(plans.ready(REHEARSAL, REQUEST, RUNTIME)).values()

    short, patient = words(wait.query), words(wait.patient_query)

    assert ("--wait", "2") == short[-2:]
    assert ("--wait", "inf") == patient[-2:]
    assert short[:-1] == patient[:-1]
    assert (None, False) == (check.patient_query, "--wait" in words(check.query))


def test_down() -> None:
    """The server stops before Ray, and Ray before the nodes are removed; all nodes at once."""
    plan = plans.down(REHEARSAL, RUNTIME)

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
    ] == titles(plan)
    assert [["spark1: Stop serve"], ["spark1: Stop ray", "spark2: Stop ray"]] == branches(plan)
    assert [True] == [step.in_turn for step in plan if isinstance(step, Parallel)]


def test_stop_server() -> None:
    """Only the server is stopped."""
    handle = RUNTIME.handle("spark1", "serve")
    expected = StopProcess(title="Stop serve", handle=handle, seconds=20.0)

    assert (expected,) == plans.stop_server(REHEARSAL, RUNTIME)


def test_digests() -> None:
    """The same settings give the same digests, so that a running service is recognised."""
    first, second = (digests(plans.up(REHEARSAL, RUNTIME)) for _ in range(2))

    assert first == second
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
    is_generated = any(isinstance(value, FileText) for _, value in expected)
    plan = plans.serve(cluster, request_, RUNTIME)
    secrets = [step for step in script.flat(plan) if isinstance(step, MakeSecret)]
    query = plans.complete(cluster, request_, RUNTIME, prompt="", tokens=1).query

    assert expected == api_key(cluster, request_)
    assert is_generated == bool(secrets)
    assert isinstance(query, Command)
    assert set(expected) <= set(query.environment)


def test_server() -> None:
    """The server runs on the head with the flags of the request."""
    step = plans.server(REHEARSAL, REQUEST, RUNTIME)

    assert ("spark1", "serve") == (step.spec.node, step.spec.service)
    assert vllm.serve(REQUEST) == step.spec.argv
    assert "Serve m" == step.title
