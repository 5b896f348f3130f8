"""The state of a cluster: from what was seen on its nodes to a verdict, a table and JSON."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Literal

from cluster.commands.vllm import Request
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.plan.ray_nodes import NodeListing, living_entry, membership
from cluster.text import aligned

Server = Literal["not started", "loading", "ready", "ended", "unknown"]
TITLES = ("node", "role", "address", "runtime", "ray", "gpus", "since")
REQUESTS = re.compile(r"^vllm:num_requests_running(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of one service."""

    since: float | None = None
    """Its start, in seconds since 1970; None when it does not run."""
    started: bool = False
    """It was started at some time and not taken down."""
    problem: Problem | None = None
    """Why nothing could be seen."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was seen of a whole cluster at one moment."""

    services: dict[str, Seen]
    """Ray on each node, by node name."""
    joined: NodeListing
    server: Seen
    request: Request | None
    """What the running server was asked to serve."""
    url: str
    healthy: bool
    """`GET /health` answered 200."""
    metrics: str
    """The text of `GET /metrics`; empty without an answer."""


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """One node of the report."""

    node: str
    role: str
    address: str
    runtime: str
    """`running`, `ended` (it was started and is gone), `stopped` or `unknown`."""
    ray: str
    """`joined`, `dead` or `absent` in the head's list; `unknown` when the head does not answer."""
    gpus: int
    """GPUs that the node offers to Ray."""
    gpus_expected: int
    since: str
    """Start of Ray on the node, ISO 8601 in UTC; empty when it does not run."""

    @property
    def healthy(self) -> bool:
        """Whether the node is all that its settings say."""
        return (
            self.runtime == "running" and self.ray == "joined" and self.gpus == self.gpus_expected
        )


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """The server of the report."""

    state: Server
    model: str = ""
    url: str = ""
    tp: int = 0
    since: str = ""
    requests: int | None = None
    """Requests that are being answered; unknown while the server does not tell."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The report."""

    cluster: str
    nodes: tuple[NodeState, ...]
    server: ServerState
    problems: tuple[str, ...] = ()
    """Why something is unknown."""

    @property
    def healthy(self) -> bool:
        """Whether every node has joined, and the server, if one was started, answers."""
        nodes = all(node.healthy for node in self.nodes)
        return nodes and not self.problems and self.server.state in {"ready", "not started"}


def status(cluster: Cluster, facts: Facts) -> Status:
    """Judge what was seen."""
    nodes = tuple(_node(node, facts) for node in cluster.nodes)
    seen = (*facts.services.values(), facts.server)
    problems = dict.fromkeys(str(its.problem) for its in seen if its.problem)
    return Status(
        cluster=cluster.name, nodes=nodes, server=_server(facts), problems=tuple(problems)
    )


def text(found: Status) -> str:
    """Return the report as a person reads it."""
    rows = (TITLES, *(_row(node) for node in found.nodes))
    lines = (_server_line(found.server), *found.problems)
    return "\n".join((aligned(rows), *lines)) + "\n"


def as_json(found: Status) -> str:
    """Return the report as JSON."""
    return json.dumps(asdict(found) | {"healthy": found.healthy}, indent=2) + "\n"


def requests(metrics: str) -> int | None:
    """Return the number of running requests in vLLM's metrics, over all engines."""
    found = REQUESTS.findall(metrics)
    return int(sum(float(number) for number in found)) if found else None


def _row(node: NodeState) -> tuple[str, ...]:
    gpus = f"{node.gpus}/{node.gpus_expected}"
    return (node.node, node.role, node.address, node.runtime, node.ray, gpus, node.since)


def _node(node: Node, facts: Facts) -> NodeState:
    seen = facts.services[node.name]
    entry = living_entry(node, facts.joined)
    return NodeState(
        node=node.name,
        role=node.role,
        address=str(node.host_ip),
        runtime=_runtime(seen),
        ray="unknown" if facts.joined.error else membership(node, facts.joined),
        gpus=int(entry.gpus) if entry else 0,
        gpus_expected=node.gpus,
        since=_moment(seen.since),
    )


def _runtime(seen: Seen) -> str:
    if seen.problem:
        return "unknown"
    if seen.since is not None:
        return "running"
    return "ended" if seen.started else "stopped"


def _server(facts: Facts) -> ServerState:
    if facts.server.problem:
        return ServerState(state="unknown")
    if facts.request is None:
        return ServerState(state="ended" if facts.server.started else "not started")
    return ServerState(
        state="ready" if facts.healthy else "loading",
        model=facts.request.model,
        url=facts.url,
        tp=facts.request.tp,
        since=_moment(facts.server.since),
        requests=requests(facts.metrics),
    )


def _server_line(server: ServerState) -> str:
    if not server.model:
        return f"server: {server.state}"
    running = "unknown" if server.requests is None else server.requests
    facts = (
        f"server: {server.state}",
        f"{server.model} at {server.url}",
        f"tensor parallel {server.tp}",
        f"requests running: {running}",
        f"since {server.since}",
    )
    return ", ".join(facts)


def _moment(since: float | None) -> str:
    if since is None:
        return ""
    return datetime.fromtimestamp(since, tz=timezone.utc).isoformat(timespec="seconds")
