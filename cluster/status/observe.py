"""Observes a cluster: services, Ray's list, the server's health and metrics, all side by side."""

from http import HTTPStatus

from cluster.commands import vllm
from cluster.errors import NodeError
from cluster.machine.parallel import in_background, side_by_side
from cluster.node import Cluster
from cluster.plan import questions, services
from cluster.plan.ray_nodes import node_listing
from cluster.plan.runtime import Runtime
from cluster.plan.services import RunningService
from cluster.plan.steps import Handle
from cluster.status.status import Observation, ServiceState

ASK_SECONDS = 8.0


def observe(cluster: Cluster, runtime: Runtime) -> Observation:
    """Return the present state of a cluster; a question without an answer within 8 s has none.

    A node that does not answer has the reason in its place, and does not hide the other nodes.
    """

    def ask(*argv: str) -> dict[str, object]:
        try:
            question = runtime.run_inside(cluster.head, (*runtime.probe, *argv))
            return questions.fields(services.ask(question, ASK_SECONDS).output)
        except NodeError:
            return {}

    def service_state(node: str) -> ServiceState:
        return _service(runtime.handle(node, "ray"))[1]

    def fetch(address: str) -> dict[str, object]:
        return ask("http", "--url", address, "--timeout", "5")

    names = [node.name for node in cluster.nodes]
    states = in_background(lambda: side_by_side(service_state, names))
    nodes = in_background(lambda: ask(*questions.joined(cluster, ()).argv))
    running, server = _service(runtime.handle(cluster.head.name, "serve"))
    request = vllm.served(running.argv) if running else None
    url = vllm.url(cluster, request) if request else ""
    addresses = (f"{url}/health", f"{url}/metrics")
    health, metrics = side_by_side(fetch, addresses) if url else ({}, {})
    return Observation(
        services=dict(zip(names, states(), strict=True)),
        nodes=node_listing(nodes()),
        server=server,
        request=request,
        url=url,
        healthy=health.get("status") == HTTPStatus.OK,
        metrics=str(metrics.get("body", "")),
    )


def _service(handle: Handle) -> tuple[RunningService | None, ServiceState]:
    try:
        running = services.find(handle, timed=True)
        since = running.since if running else None
        return running, ServiceState(since=since, started=services.was_started(handle))
    except NodeError as error:
        return None, ServiceState(problem=error.problems[0])
