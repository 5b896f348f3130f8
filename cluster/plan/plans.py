"""Plans: the ordered steps of each task, from a cluster and a runtime."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

from cluster.commands import ray, vllm
from cluster.commands.run_spec import RunSpec
from cluster.environment.environment import API_KEY, environment
from cluster.node import Cluster, Node
from cluster.plan import questions
from cluster.plan.questions import Question
from cluster.plan.runtime import Runtime
from cluster.plan.steps import Await, Handle, MakeFolder, MakeSecret, Parallel, Plan, Query, Start
from cluster.words import Environment, FileText

HEAD_SECONDS = 60.0
"""Ray's control store is up in about 5 s; a worker may be started before its head."""
JOIN_SECONDS = 120.0
STARTED = "Ray runtime started"
"""Logged by `ray start` once it is in the head's list, which keeps dead nodes for some seconds."""
READY_SECONDS = inf
"""A download may take hours; a dead service, or a fatal line in a log, ends the wait at once."""
ANSWER_SECONDS = 300.0
PATIENCE_SECONDS = 2.0
"""How long the probe itself repeats its question before the logs are read again."""
SERVER_STOP_SECONDS = 20.0
FAILED_STOP_SECONDS = 5.0
"""A server that has failed may wait for a rank that has ended."""
RAY_STOP_SECONDS = 5.0
"""Ray's control store takes 9 s to shut down in order, which only a running server needs."""


def head(cluster: Cluster, runtime: Runtime, checks: Plan = ()) -> Plan:
    """Start Ray's head and wait until it answers; `checks` run before anything is started."""
    start = _ray(cluster, cluster.head, runtime)
    nodes = (cluster.head,)
    return (
        *runtime.check_obstacles((start,)),
        *checks,
        *runtime.prepare(nodes),
        start,
        _join(cluster, nodes, runtime),
    )


def workers(cluster: Cluster, nodes: tuple[Node, ...], runtime: Runtime, checks: Plan = ()) -> Plan:
    """Start Ray on these workers once the head answers there, and wait until they have joined."""
    starts = tuple(_ray(cluster, node, runtime) for node in nodes)
    branches = tuple(
        (_reach(cluster, node, runtime), start) for node, start in zip(nodes, starts, strict=True)
    )
    return (
        *runtime.check_obstacles(starts),
        *checks,
        *runtime.prepare(nodes),
        Parallel(branches=branches),
        _join(cluster, nodes, runtime),
    )


def up(cluster: Cluster, runtime: Runtime, checks: Plan = ()) -> Plan:
    """Start the head and the workers side by side, and wait until all have joined.

    A worker's Ray keeps trying to reach its head, so starting it later would gain nothing.
    """
    starts = tuple(_ray(cluster, node, runtime) for node in cluster.nodes)
    return (
        *runtime.check_obstacles(starts),
        *checks,
        *runtime.prepare(cluster.nodes),
        Parallel(branches=tuple((start,) for start in starts)),
        _join(cluster, cluster.nodes, runtime),
    )


def serve(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Start the server on the head, if the cluster is up and the port is free."""
    key = server_key(cluster, request, runtime)
    generated = any(isinstance(value, FileText) for _, value in key)
    # Another machine may have started the cluster: then the key has no folder here yet.
    place, path = cluster.head.name, runtime.api_key
    folder = MakeFolder(place=place, path=path.rpartition("/")[0])
    secret = (folder, MakeSecret(place=place, path=path)) if generated else ()
    return (*refuse(cluster, request, runtime), *secret, server(cluster, request, runtime))


def ready(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Wait until the server is ready, and ask it for one token."""
    healthy = questions.healthy(cluster, vllm.url(cluster, request))
    watched = (*_rays(cluster.nodes, runtime), runtime.handle(cluster.head.name, "serve"))
    return (
        _wait(runtime, healthy, READY_SECONDS, watched),
        complete(cluster, request, runtime, prompt="Hello", tokens=1),
    )


def refuse(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Check that all nodes are in Ray and the port is free."""
    joined = questions.joined(cluster, cluster.nodes)
    free = questions.free(cluster, request.host, request.port)
    return tuple(replace(_check(runtime, question), refuses=True) for question in (joined, free))


def server(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Start:
    """Start the server on the head."""
    spec = RunSpec(
        node=cluster.head.name,
        service="serve",
        argv=vllm.serve(request),
        environment=_variables(cluster, cluster.head, runtime),
        extra=server_key(cluster, request, runtime),
    )
    return runtime.start(spec, f"Serve {request.model}")


def complete(
    cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime, *, prompt: str, tokens: int
) -> Await:
    """Ask the server for a completion."""
    url = vllm.url(cluster, request)
    question = questions.completion(
        cluster, url, prompt=prompt, tokens=tokens, seconds=ANSWER_SECONDS
    )
    return _check(runtime, question, server_key(cluster, request, runtime))


def down(cluster: Cluster, runtime: Runtime) -> Plan:
    """Stop the server, then Ray on all nodes, and remove all that they used.

    An unreachable node does not keep the others from being stopped.
    """
    rays = tuple((runtime.stop(node, "ray", RAY_STOP_SECONDS),) for node in cluster.nodes)
    ends = (stop_server(cluster, runtime), (Parallel(branches=rays),))
    return (
        Parallel(branches=ends, in_turn=True),
        *runtime.release(cluster.nodes),
        *runtime.end(),
    )


def stop_server(cluster: Cluster, runtime: Runtime, seconds: float = SERVER_STOP_SECONDS) -> Plan:
    """Stop the server and leave Ray running; kill it after `seconds`."""
    return (runtime.stop(cluster.head, "serve", seconds),)


def server_key(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Environment:
    """Return the API key: the user's own, else a generated one when others can reach the server."""
    key = dict((*cluster.variables, *cluster.head.variables)).get(API_KEY)
    if key is not None:
        return ((API_KEY, key),)
    return ((API_KEY, FileText(runtime.api_key)),) if vllm.beyond_loopback(request.host) else ()


def _variables(cluster: Cluster, node: Node, runtime: Runtime) -> Environment:
    return environment(cluster, node, token_path=runtime.ray_token)


def _ray(cluster: Cluster, node: Node, runtime: Runtime) -> Start:
    """Start Ray; a worker that runs but is not in the head's Ray is started again."""
    argv = ray.start(
        cluster,
        node,
        session=runtime.ray_session,
        gpus=runtime.needs_gpu_count,
        dashboard=runtime.has_dashboard,
    )
    variables = _variables(cluster, node, runtime)
    spec = RunSpec(node=node.name, service="ray", argv=argv, environment=variables)
    joined = _check(runtime, questions.joined(cluster, (node,)))
    proof = joined if node.role == "worker" else None
    return runtime.start(spec, f"Start Ray ({node.role})", proof)


def _rays(nodes: tuple[Node, ...], runtime: Runtime) -> tuple[Handle, ...]:
    return tuple(runtime.handle(node.name, "ray") for node in nodes)


def _join(cluster: Cluster, nodes: tuple[Node, ...], runtime: Runtime) -> Await:
    """Wait until these nodes are in Ray, and each has logged that it has started."""
    joined = questions.joined(cluster, nodes)
    return replace(_wait(runtime, joined, JOIN_SECONDS, _rays(nodes, runtime)), logged=STARTED)


def _reach(cluster: Cluster, node: Node, runtime: Runtime) -> Await:
    """Wait until a worker reaches the head's Ray, from where its own Ray will run."""
    question = questions.reachable(cluster, node)
    wait = _repeat(runtime, question, HEAD_SECONDS, runtime.run_beforehand)
    return replace(wait, unless=runtime.handle(node.name, "ray"))


def _check(runtime: Runtime, question: Question, extra: Environment = ()) -> Await:
    """Ask once."""
    return Await(
        place=question.node.name,
        title=f"Check that {question.condition}",
        query=runtime.run_inside(question.node, (*runtime.probe, *question.argv), extra),
        problems=question.problems,
        seconds=0,
    )


def _wait(
    runtime: Runtime, question: Question, seconds: float, watched: tuple[Handle, ...]
) -> Await:
    """Ask beside Ray until the answer is good, while the watched services are alive."""
    return replace(_repeat(runtime, question, seconds, runtime.run_inside), watched=watched)


def _repeat(
    runtime: Runtime,
    question: Question,
    seconds: float,
    run: Callable[[Node, tuple[str, ...]], Query],
) -> Await:
    """Ask until the answer is good; in the shell text, the probe alone waits all the time."""
    short, patient = (
        run(question.node, (*runtime.probe, *question.argv, "--wait", f"{wait:g}"))
        for wait in (PATIENCE_SECONDS, seconds)
    )
    return Await(
        place=question.node.name,
        title=f"Wait until {question.condition}",
        query=short,
        patient_query=patient,
        problems=question.problems,
        seconds=seconds,
    )
