"""The status of a cluster: from an observation to a verdict, a table and JSON."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Literal

from cluster.commands.vllm import ServeRequest
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.plan.ray_nodes import NodeListing, living_entry, membership
from cluster.text import aligned

Server = Literal["not started", "loading", "ready", "ended", "unknown"]
TITLES = ("node", "role", "address", "runtime", "ray", "gpus", "since")
REQUESTS = re.compile(r"^vllm:num_requests_running(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """The observed state of one service."""

    since: float | None = None
    """Its start, in seconds since 1970; None if it is not running."""
    started: bool = False
    """Whether it was started and not stopped by a command since."""
    problem: Problem | None = None
    """Why it could not be observed."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The state of a whole cluster at one moment, not judged yet."""

    services: dict[str, ServiceState]
    """Ray on each node, by node name."""
    nodes: NodeListing
    """Ray's list of nodes."""
    server: ServiceState
    request: ServeRequest | None
    """The request that the running server serves."""
    url: str
    healthy: bool
    """Whether `GET /health` answered 200."""
    metrics: str
    """The text of `GET /metrics`; empty without an answer."""


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """A node in the status."""

    node: str
    role: str
    address: str
    runtime: str
    """`running`, `ended` (started, but gone), `stopped` or `unknown`."""
    ray: str
    """`joined`, `dead` or `absent` in Ray's list; `unknown` if the head does not answer."""
    gpus: int
    """GPUs that the node offers to Ray."""
    gpus_expected: int
    since: str
    """Start of Ray on the node, ISO 8601 in UTC; empty if it is not running."""

    @property
    def healthy(self) -> bool:
        """Whether the node is running and has joined Ray with all GPUs of its settings."""
        has_joined = self.runtime == "running" and self.ray == "joined"
        return has_joined and self.gpus == self.gpus_expected


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """The server in the status."""

    state: Server
    model: str = ""
    url: str = ""
    tp: int = 0
    since: str = ""
    requests: int | None = None
    """Running requests; None if the server does not report them."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The judged state of a cluster."""

    cluster: str
    nodes: tuple[NodeState, ...]
    server: ServerState
    problems: tuple[str, ...] = ()
    """Why part of the state is unknown."""

    @property
    def healthy(self) -> bool:
        """Whether every node has joined, and the server answers if one was started."""
        nodes = all(node.healthy for node in self.nodes)
        return nodes and not self.problems and self.server.state in {"ready", "not started"}


def status(cluster: Cluster, observation: Observation) -> Status:
    """Judge an observation."""
    services = (*observation.services.values(), observation.server)
    problems = dict.fromkeys(str(service.problem) for service in services if service.problem)
    nodes, server = (_node(node, observation) for node in cluster.nodes), _server(observation)
    return Status(cluster=cluster.name, nodes=tuple(nodes), server=server, problems=tuple(problems))


def text(result: Status) -> str:
    """Return the status as a table of nodes, with the server and the problems below it."""
    rows = (TITLES, *(_row(node) for node in result.nodes))
    lines = (_server_line(result.server), *result.problems)
    return "\n".join((aligned(rows), *lines)) + "\n"


def as_json(result: Status) -> str:
    """Return the status as JSON."""
    return json.dumps(asdict(result) | {"healthy": result.healthy}, indent=2) + "\n"


def requests(metrics: str) -> int | None:
    """Return the running requests of all engines in vLLM's metrics; None if they have none."""
    numbers = REQUESTS.findall(metrics)
    return int(sum(map(float, numbers))) if numbers else None


def _row(node: NodeState) -> tuple[str, ...]:
    gpus = f"{node.gpus}/{node.gpus_expected}"
    return (node.node, node.role, node.address, node.runtime, node.ray, gpus, node.since)


def _node(node: Node, observation: Observation) -> NodeState:
    service, listing = observation.services[node.name], observation.nodes
    entry = living_entry(node, listing)
    return NodeState(
        node=node.name,
        role=node.role,
        address=str(node.host_ip),
        runtime=_runtime(service),
        ray="unknown" if listing.error else membership(node, listing),
        gpus=int(entry.gpus) if entry else 0,
        gpus_expected=node.gpus,
        since=_moment(service.since),
    )


def _runtime(service: ServiceState) -> str:
    if service.problem:
        return "unknown"
    if service.since is not None:
        return "running"
    return "ended" if service.started else "stopped"


def _server(observation: Observation) -> ServerState:
    service, request = observation.server, observation.request
    if service.problem:
        return ServerState(state="unknown")
    if request is None:
        return ServerState(state="ended" if service.started else "not started")
    return ServerState(
        state="ready" if observation.healthy else "loading",
        model=request.model,
        url=observation.url,
        tp=request.tp,
        since=_moment(service.since),
        requests=requests(observation.metrics),
    )


def _server_line(server: ServerState) -> str:
    if not server.model:
        return f"server: {server.state}"
    running = "unknown" if server.requests is None else server.requests
    return (
        f"server: {server.state}, {server.model} at {server.url}, tensor parallel {server.tp}, "
        f"requests running: {running}, since {server.since}"
    )


def _moment(since: float | None) -> str:
    if since is None:
        return ""
    return datetime.fromtimestamp(since, tz=timezone.utc).isoformat(timespec="seconds")
