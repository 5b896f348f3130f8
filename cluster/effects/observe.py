"""Looks at a cluster: processes, Ray's list, the server's health and metrics, all side by side."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from cluster import question, ray, vllm
from cluster.effects.services import Services
from cluster.node import Cluster
from cluster.runtime import Runtime
from cluster.status import Facts, Seen
from cluster.step import AnyTrace

ASK_SECONDS = 8.0


def observe(cluster: Cluster, runtime: Runtime, services: Services) -> Facts:
    """Return what can be seen now; what does not answer within 8 s counts as silent."""
    trace = runtime.trace(cluster.head.name, "serve")
    running = services.find(trace)
    request = vllm.served(running.argv) if running else None
    url = vllm.url(cluster, request) if request else ""

    def ask(*argv: str) -> str:
        command = runtime.inside(cluster, cluster.head, (*runtime.probe, *argv))
        return services.ask(command, ASK_SECONDS).output

    def fetch(path: str) -> dict[str, object]:
        return (
            question.fields(ask("http", "--url", f"{url}{path}", "--timeout", "5")) if url else {}
        )

    with ThreadPoolExecutor() as pool:
        nodes = pool.submit(ask, *question.joined(cluster, ()).argv)
        health, metrics = pool.submit(fetch, "/health"), pool.submit(fetch, "/metrics")
        return Facts(
            services={
                node.name: _seen(services, runtime.trace(node.name, "ray"))
                for node in cluster.nodes
            },
            joined=ray.answer(question.fields(nodes.result())),
            server=_seen(services, trace),
            request=request,
            url=url,
            healthy=health.result().get("status") == HTTPStatus.OK,
            metrics=str(metrics.result().get("body", "")),
        )


def _seen(services: Services, trace: AnyTrace) -> Seen:
    found = services.find(trace)
    return Seen(since=found.since if found else None, started=services.started(trace))
