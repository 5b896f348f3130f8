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
from cluster.plan.steps import (
    AnyHandle,
    AnyStart,
    Ask,
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    Step,
)
from cluster.words import Environment, FileText

HEAD_SECONDS = 60.0
"""Ray's control store is up in about 5 s; a worker may be asked for before its head."""
JOIN_SECONDS = 120.0
STARTED = "Ray runtime started"
"""What `ray start` says once it is in the head's list, which keeps dead nodes for some seconds."""
READY_SECONDS = inf
"""A download may take hours; what dies, and every fatal line of a log, ends the wait at once."""
ANSWER_SECONDS = 300.0
PATIENCE_SECONDS = 2.0
"""How long the probe itself asks again before the logs are looked at."""
SERVER_STOP_SECONDS = 20.0
FAILED_STOP_SECONDS = 5.0
"""A server that has failed may wait for a rank that is gone."""
RAY_STOP_SECONDS = 5.0
"""Ray's control store takes 9 s to leave in order; without a server there is nothing to order."""


def head(cluster: Cluster, runtime: Runtime) -> Plan:
    """Start Ray's head and wait until it answers."""
    start = _ray(cluster, cluster.head, runtime)
    nodes = (cluster.head,)
    return (
        *runtime.admit((start,)),
        *runtime.prepare(cluster, nodes),
        start,
        _join(cluster, nodes, runtime),
    )


def workers(cluster: Cluster, nodes: tuple[Node, ...], runtime: Runtime) -> Plan:
    """Start Ray on these workers once the head answers there, and wait until they have joined."""
    starts = tuple(_ray(cluster, node, runtime) for node in nodes)
    branches: tuple[tuple[Step, ...], ...] = tuple(
        (_reach(cluster, node, runtime), start) for node, start in zip(nodes, starts, strict=True)
    )
    join = _join(cluster, nodes, runtime)
    return (
        *runtime.admit(starts),
        *runtime.prepare(cluster, nodes),
        Parallel(branches=branches),
        join,
    )


def up(cluster: Cluster, runtime: Runtime) -> Plan:
    """Start the head and the workers side by side, and wait until all have joined.

    A worker's Ray asks again and again for its head, so nothing is gained by starting it later.
    """
    starts = tuple(_ray(cluster, node, runtime) for node in cluster.nodes)
    return (
        *runtime.admit(starts),
        *runtime.prepare(cluster, cluster.nodes),
        Parallel(branches=tuple((start,) for start in starts)),
        _join(cluster, cluster.nodes, runtime),
    )


def serve(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Start the server on the head, if the cluster is up and the port is free."""
    generated = any(
        isinstance(value, FileText) for _, value in server_key(cluster, request, runtime)
    )
    # Another machine may have made the cluster: then there is no folder for the key yet.
    place, path = cluster.head.name, runtime.api_key
    folder = MakeFolder(place=place, path=path.rpartition("/")[0])
    key = (folder, MakeSecret(place=place, path=path)) if generated else ()
    start = server(cluster, request, runtime)
    return (*refuse(cluster, request, runtime), *key, start)


def ready(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Wait until the server is ready, and ask it for one token."""
    healthy = questions.healthy(cluster, vllm.url(cluster, request))
    watch = (*_rays(cluster.nodes, runtime), runtime.trace(cluster.head.name, "serve"))
    return (
        _wait(cluster, runtime, healthy, READY_SECONDS, watch),
        complete(cluster, request, runtime, prompt="Hello", tokens=1),
    )


def refuse(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Plan:
    """Ask what makes a server impossible right now: a node that is not in Ray, a taken port."""
    joined = questions.joined(cluster, cluster.nodes)
    free = questions.free(cluster, request.host, request.port)
    return tuple(replace(_check(cluster, runtime, asked), refuses=True) for asked in (joined, free))


def server(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> AnyStart:
    """Start the server on the head."""
    spec = RunSpec(
        node=cluster.head.name,
        service="serve",
        argv=vllm.serve(request),
        environment=_variables(cluster, cluster.head, runtime),
        extra=server_key(cluster, request, runtime),
    )
    return runtime.service(spec, f"Serve {request.model}")


def complete(
    cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime, *, prompt: str, tokens: int
) -> Await:
    """Ask the server for a completion."""
    url = vllm.url(cluster, request)
    asked = questions.completion(cluster, url, prompt=prompt, tokens=tokens, seconds=ANSWER_SECONDS)
    return _check(cluster, runtime, asked, server_key(cluster, request, runtime))


def down(cluster: Cluster, runtime: Runtime) -> Plan:
    """Stop the server, then Ray on all nodes, and remove all that they used.

    A node that cannot be reached does not keep the others up.
    """
    rays = tuple((runtime.stop(node, "ray", RAY_STOP_SECONDS),) for node in cluster.nodes)
    ends = (stop_server(cluster, runtime), (Parallel(branches=rays),))
    return (
        Parallel(branches=ends, in_turn=True),
        *runtime.release(cluster.nodes),
        *runtime.end(),
    )


def stop_server(cluster: Cluster, runtime: Runtime, seconds: float = SERVER_STOP_SECONDS) -> Plan:
    """Stop the server and leave Ray running; kill it when the seconds are over."""
    return (runtime.stop(cluster.head, "serve", seconds),)


def _variables(cluster: Cluster, node: Node, runtime: Runtime) -> Environment:
    return environment(cluster, node, token_path=runtime.ray_token)


def server_key(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Environment:
    """Return the API key: the user's own, else a generated one when others can reach the server."""
    own = dict((*cluster.variables, *cluster.head.variables)).get(API_KEY)
    if own is not None:
        return ((API_KEY, own),)
    return ((API_KEY, FileText(runtime.api_key)),) if vllm.beyond_loopback(request.host) else ()


def _ray(cluster: Cluster, node: Node, runtime: Runtime) -> AnyStart:
    """Start Ray; a worker that runs but is not in the head's Ray is started anew."""
    argv = ray.start(
        cluster,
        node,
        session=runtime.ray_session,
        gpus=runtime.states_gpus,
        dashboard=runtime.has_dashboard,
    )
    spec = RunSpec(
        node=node.name, service="ray", argv=argv, environment=_variables(cluster, node, runtime)
    )
    joined = _check(cluster, runtime, questions.joined(cluster, (node,)))
    proof = joined if node.role == "worker" else None
    return runtime.service(spec, f"Start Ray ({node.role})", proof)


def _rays(nodes: tuple[Node, ...], runtime: Runtime) -> tuple[AnyHandle, ...]:
    return tuple(runtime.trace(node.name, "ray") for node in nodes)


def _join(cluster: Cluster, nodes: tuple[Node, ...], runtime: Runtime) -> Await:
    watch = _rays(nodes, runtime)
    gate = _wait(cluster, runtime, questions.joined(cluster, nodes), JOIN_SECONDS, watch)
    return replace(gate, logged=STARTED)


def _reach(cluster: Cluster, node: Node, runtime: Runtime) -> Await:
    asked = questions.reachable(cluster, node)

    def ask(argv: tuple[str, ...]) -> Ask:
        return runtime.beforehand(cluster, node, (*runtime.probe, *argv))

    gate = _patient(asked, HEAD_SECONDS, ask, ())
    return replace(gate, unless=runtime.trace(node.name, "ray"))


def _check(cluster: Cluster, runtime: Runtime, asked: Question, extra: Environment = ()) -> Await:
    """Ask once."""
    return Await(
        place=asked.node.name,
        title=f"Check that {asked.hope}",
        ask=runtime.inside(cluster, asked.node, (*runtime.probe, *asked.argv), extra),
        problems=asked.problems,
        seconds=0,
    )


def _wait(
    cluster: Cluster,
    runtime: Runtime,
    asked: Question,
    seconds: float,
    watch: tuple[AnyHandle, ...],
) -> Await:
    def ask(argv: tuple[str, ...]) -> Ask:
        return runtime.inside(cluster, asked.node, (*runtime.probe, *argv))

    return _patient(asked, seconds, ask, watch)


def _patient(
    asked: Question,
    seconds: float,
    ask: Callable[[tuple[str, ...]], Ask],
    watch: tuple[AnyHandle, ...],
) -> Await:
    """Ask until the answer is good; by hand the probe alone waits, as nobody reads the logs."""
    once, by_hand = (
        ask((*asked.argv, "--wait", f"{wait:g}")) for wait in (PATIENCE_SECONDS, seconds)
    )
    return Await(
        place=asked.node.name,
        title=f"Wait until {asked.hope}",
        ask=once,
        problems=asked.problems,
        seconds=seconds,
        by_hand=by_hand,
        watch=watch,
    )
