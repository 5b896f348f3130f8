"""Ray's command lines, and what its list of nodes says about ours."""

from dataclasses import dataclass
from typing import Any

from cluster.errors import Problem
from cluster.node import Cluster, Node

# Beyond loopback anybody could use the dashboard: it asks for no password unless Ray's token
# authentication is on, and submitting a job is running code (docs.ray.io, Ray security).
DASHBOARD_HOST = "127.0.0.1"
DASHBOARD_PORT = 8265


def start(
    cluster: Cluster,
    node: Node,
    *,
    session: str = "",
    gpus: bool = False,
    dashboard: bool = True,
) -> tuple[str, ...]:
    """Return the `ray start` line of a node.

    `session` is Ray's folder for sockets and logs (its own default when empty). `gpus` states the
    number of GPUs instead of letting Ray count them, for nodes whose devices Ray cannot see.
    `dashboard` tells whether the dashboard is installed; the settings tell whether it is wanted.
    """
    head = _head(cluster, dashboard=cluster.dashboard and dashboard)
    return (
        *("ray", "start", "--block"),
        *(head if node.role == "head" else ("--address", address(cluster))),
        *("--node-ip-address", str(node.host_ip)),
        *("--object-store-memory", str(cluster.object_store_memory)),
        *(("--num-gpus", str(node.gpus)) if gpus else ()),
        *(("--temp-dir", session) if session else ()),
        "--disable-usage-stats",
    )


def address(cluster: Cluster) -> str:
    """Return `IP:PORT` of the head's global control store."""
    return f"{cluster.head.host_ip}:{cluster.head_port}"


def _head(cluster: Cluster, *, dashboard: bool) -> tuple[str, ...]:
    place = ("--dashboard-host", DASHBOARD_HOST, "--dashboard-port", str(DASHBOARD_PORT))
    return (
        *("--head", "--port", str(cluster.head_port)),
        f"--include-dashboard={str(dashboard).lower()}",
        *(place if dashboard else ()),
    )


@dataclass(frozen=True, kw_only=True)
class RayNode:
    """A node as Ray sees it."""

    address: str
    hostname: str
    alive: bool
    gpus: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the head's control store said: its nodes, or why it said nothing."""

    nodes: tuple[RayNode, ...] = ()
    """The oldest first; a node that came again is there more than once."""
    error: str = ""
    """`unreachable`, `unauthorized` or `failed`; empty when there is a list."""
    detail: str = ""
    """The error in the words of who met it, on one line."""


def answer(found: dict[str, Any]) -> Answer:
    """Return what the fields of the probe's `ray-nodes` say; anything else is no answer."""
    try:
        return Answer(nodes=tuple(_ray_node(node) for node in found["nodes"]))
    except (KeyError, TypeError):
        detail = str(found.get("detail", "no answer")).strip().partition("\n")[0]
        return Answer(error=str(found.get("error", "failed")), detail=detail)


def missing(cluster: Cluster, nodes: tuple[Node, ...], found: Answer) -> tuple[Problem, ...]:
    """Return a problem for each node that is not in Ray as its settings say, and each stranger."""
    if found.error:
        return (_silent(cluster, found),)
    ours = tuple(problem for node in nodes for problem in _absent(node, cluster, found))
    return (*ours, *_strangers(cluster, found.nodes))


def state(node: Node, found: Answer) -> str:
    """Return `joined`, `dead` or `absent`: the node's place in Ray's list."""
    seen = tuple(other.alive for other in found.nodes if other.address == str(node.host_ip))
    if not seen:
        return "absent"
    return "joined" if any(seen) else "dead"


def alive(node: Node, found: Answer) -> RayNode | None:
    """Return the newest living entry with the node's address."""
    here = (other for other in found.nodes if other.alive and other.address == str(node.host_ip))
    return next(reversed(tuple(here)), None)


def _ray_node(node: dict[str, Any]) -> RayNode:
    keys = ("address", "hostname", "alive", "gpus")
    return RayNode(**{key: node[key] for key in keys})


def _silent(cluster: Cluster, found: Answer) -> Problem:
    if found.error == "unauthorized":
        message = f"Ray at {address(cluster)} does not take this cluster's token: {found.detail}"
        remedy = f"end the Ray that runs there, by {cluster.inv('down')} if it is this cluster's"
    else:
        message = f"Ray does not answer at {address(cluster)}: {found.detail}"
        remedy = f"start it by {cluster.inv('up')}; next: {cluster.inv('logs')}"
    return Problem(place=cluster.head.name, message=message, remedy=remedy)


def _absent(node: Node, cluster: Cluster, found: Answer) -> tuple[Problem, ...]:
    here = alive(node, found)
    message = _gpus(node, here) if here else _elsewhere(node, cluster, found.nodes)
    remedy = f"next: {cluster.inv('logs', '--node', node.name)}"
    return (Problem(place=node.name, message=message, remedy=remedy),) if message else ()


def _gpus(node: Node, here: RayNode) -> str:
    wrong = here.gpus != node.gpus
    return f"offers {here.gpus:g} GPUs to Ray, {node.gpus} expected" if wrong else ""


def _elsewhere(node: Node, cluster: Cluster, seen: tuple[RayNode, ...]) -> str:
    named = tuple(other for other in seen if other.alive and other.hostname == node.name)
    if named:
        return f"joined Ray with address {named[0].address}, not {node.host_ip} of {node.eth_if}"
    if any(other.address == str(node.host_ip) for other in seen):
        return f"joined Ray at {address(cluster)} and died"
    return f"has not joined Ray at {address(cluster)} with address {node.host_ip}"


def _strangers(cluster: Cluster, seen: tuple[RayNode, ...]) -> tuple[Problem, ...]:
    known = {str(node.host_ip) for node in cluster.nodes} | {node.name for node in cluster.nodes}
    living = (other for other in seen if other.alive)
    strangers = (other for other in living if known.isdisjoint({other.address, other.hostname}))
    return tuple(_stranger(other) for other in strangers)


def _stranger(other: RayNode) -> Problem:
    message = f"is in Ray as {other.hostname} but in no env file"
    remedy = "stop Ray there, or describe the node in env/"
    return Problem(place=other.address, message=message, remedy=remedy)
