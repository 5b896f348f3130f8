"""Looks at a cluster: services, Ray's list, the server's health and metrics, all side by side."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from cluster.commands import vllm
from cluster.errors import NodeError
from cluster.machine.processes import Alive
from cluster.node import Cluster
from cluster.plan import questions
from cluster.plan.ray_nodes import node_listing
from cluster.plan.runtime import Runtime
from cluster.plan.services import Services
from cluster.plan.steps import AnyHandle
from cluster.status.status import Facts, Seen

ASK_SECONDS = 8.0


def observe(cluster: Cluster, runtime: Runtime, services: Services) -> Facts:
    """Return what can be seen now; what does not answer within 8 s counts as silent.

    A node that cannot be asked has the reason in its place, and does not hide the others.
    """

    def ask(*argv: str) -> str:
        try:
            inside = runtime.inside(cluster, cluster.head, (*runtime.probe, *argv))
            return services.ask(inside, ASK_SECONDS).output
        except NodeError:
            return ""

    def fetch(url: str) -> dict[str, object]:
        return questions.fields(ask("http", "--url", url, "--timeout", "5"))

    with ThreadPoolExecutor() as pool:
        rays = {
            node.name: pool.submit(_seen, services, runtime.trace(node.name, "ray"))
            for node in cluster.nodes
        }
        nodes = pool.submit(ask, *questions.joined(cluster, ()).argv)
        running, server = _look(services, runtime.trace(cluster.head.name, "serve"))
        request = vllm.served(running.argv) if running else None
        url = vllm.url(cluster, request) if request else ""
        health, metrics = (
            pool.submit(fetch, f"{url}/{path}") if url else None for path in ("health", "metrics")
        )
        return Facts(
            services={node: its.result() for node, its in rays.items()},
            joined=node_listing(questions.fields(nodes.result())),
            server=server,
            request=request,
            url=url,
            healthy=bool(health and health.result().get("status") == HTTPStatus.OK),
            metrics=str(metrics.result().get("body", "")) if metrics else "",
        )


def _seen(services: Services, trace: AnyHandle) -> Seen:
    return _look(services, trace)[1]


def _look(services: Services, trace: AnyHandle) -> tuple[Alive | None, Seen]:
    """Return a service if it runs, and what is to be told of it."""
    try:
        found = services.find(trace, timed=True)
        since = found.since if found else None
        return found, Seen(since=since, started=services.started(trace))
    except NodeError as error:
        return None, Seen(problem=error.problems[0])
