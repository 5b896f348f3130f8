"""Ray's command lines, and what its list of nodes says about ours."""

import json
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.node import Cluster, Node

# `ray start` accepts connections beyond loopback on the dashboard without a password: submitting a job is running code.
DASHBOARD_HOST = "127.0.0.1"
DASHBOARD_PORT = 8265


def start(
    cluster: Cluster, node: Node, *, session: str = "", gpus: bool = False
) -> tuple[str, ...]:
    """Return the `ray start` line of a node.

    `session` is Ray's folder for sockets and logs (its own default when empty). `gpus` states the number of GPUs instead
    of letting Ray count them, for nodes whose devices Ray cannot see.
    """
    return (
        *("ray", "start", "--block"),
        *(_head(cluster) if node.role == "head" else ("--address", address(cluster))),
        *("--node-ip-address", str(node.host_ip)),
        *("--object-store-memory", str(cluster.object_store_memory)),
        *(("--num-gpus", str(node.gpus)) if gpus else ()),
        *(("--temp-dir", session) if session else ()),
        "--disable-usage-stats",
    )


def address(cluster: Cluster) -> str:
    """Return `IP:PORT` of the head's global control store."""
    return f"{cluster.head.host_ip}:{cluster.head_port}"


def _head(cluster: Cluster) -> tuple[str, ...]:
    shown = ("--dashboard-host", DASHBOARD_HOST, "--dashboard-port", str(DASHBOARD_PORT))
    dashboard = shown if cluster.dashboard else ()
    return (
        "--head",
        "--port",
        str(cluster.head_port),
        f"--include-dashboard={cluster.dashboard}",
        *dashboard,
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
    error: str = ""


def answer(text: str) -> Answer:
    """Parse the one JSON line of the probe's `ray-nodes`; anything else counts as no answer."""
    try:
        found = json.loads(text)
    except ValueError:
        return Answer(error="no answer")
    if "nodes" not in found:
        return Answer(error=str(found.get("error", "no answer")))
    keys = ("address", "hostname", "alive", "gpus")
    return Answer(
        nodes=tuple(RayNode(**{key: node[key] for key in keys}) for node in found["nodes"])
    )


def missing(cluster: Cluster, nodes: tuple[Node, ...], text: str) -> tuple[Problem, ...]:
    """Return one problem per node that is not in Ray as its settings say; the join gate is open when there is none."""
    found = answer(text)
    if found.error:
        return (_silent(cluster, found.error),)
    ours = tuple(problem for node in nodes for problem in _absent(node, cluster, found.nodes))
    return (*ours, *_strangers(cluster, found.nodes))


def state(node: Node, found: Answer) -> str:
    """Return `joined`, `dead` or `absent`: the node's place in Ray's list."""
    seen = tuple(other.alive for other in found.nodes if other.address == str(node.host_ip))
    if not seen:
        return "absent"
    return "joined" if any(seen) else "dead"


def _silent(cluster: Cluster, error: str) -> Problem:
    what = f"Ray does not answer at {address(cluster)}: {error}"
    return Problem(place=cluster.head.name, what=what, remedy="next: `inv head`, then `inv logs`")


def _absent(node: Node, cluster: Cluster, seen: tuple[RayNode, ...]) -> tuple[Problem, ...]:
    here = tuple(other for other in seen if other.alive and other.address == str(node.host_ip))
    what = _gpus(node, here[0]) if here else _elsewhere(node, cluster, seen)
    remedy = f"next: `inv logs --node {node.name}`"
    return (Problem(place=node.name, what=what, remedy=remedy),) if what else ()


def _gpus(node: Node, here: RayNode) -> str:
    return (
        "" if here.gpus == node.gpus else f"offers {here.gpus:g} GPUs to Ray, {node.gpus} expected"
    )


def _elsewhere(node: Node, cluster: Cluster, seen: tuple[RayNode, ...]) -> str:
    named = tuple(other for other in seen if other.alive and other.hostname == node.name)
    if named:
        return f"joined Ray with address {named[0].address}, not {node.host_ip} of {node.eth_if}"
    if any(other.address == str(node.host_ip) for other in seen):
        return f"joined Ray at {address(cluster)} and died"
    return f"has not joined Ray at {address(cluster)} with address {node.host_ip}"


def _strangers(cluster: Cluster, seen: tuple[RayNode, ...]) -> tuple[Problem, ...]:
    known = {str(node.host_ip) for node in cluster.nodes} | {node.name for node in cluster.nodes}
    strangers = (
        other for other in seen if other.alive and not known & {other.address, other.hostname}
    )
    return tuple(_stranger(other) for other in strangers)


def _stranger(other: RayNode) -> Problem:
    what = f"is in Ray as {other.hostname} but in no env file"
    return Problem(
        place=other.address, what=what, remedy="stop Ray there, or describe the node in env/"
    )
