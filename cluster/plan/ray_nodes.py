"""Ray's own list of nodes, compared with the nodes that the settings describe."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cluster.commands import ray
from cluster.errors import Problem
from cluster.node import Cluster, Node

Membership = Literal["joined", "dead", "absent"]


@dataclass(frozen=True, kw_only=True)
class RayNode:
    """One entry of Ray's list."""

    address: str
    hostname: str
    alive: bool
    gpus: float


@dataclass(frozen=True, kw_only=True)
class NodeListing:
    """The list that the head's control store gave, or the reason why there is none."""

    nodes: tuple[RayNode, ...] = ()
    """Oldest first; a node that was restarted has several entries."""
    error: str = ""
    """`unreachable`, `unauthorized` or `failed`; empty when there is a list."""
    detail: str = ""
    """The error's own words, on one line."""


def node_listing(fields: dict[str, Any]) -> NodeListing:
    """Parse the fields of the probe's `ray-nodes` answer; any other shape is a failed listing."""
    try:
        return NodeListing(nodes=tuple(_ray_node(entry) for entry in fields["nodes"]))
    except (KeyError, TypeError):
        detail = str(fields.get("detail", "the probe gave no answer"))
        first_line = detail.strip().partition("\n")[0]
        return NodeListing(error=str(fields.get("error", "failed")), detail=first_line)


def membership_problems(
    cluster: Cluster, nodes: tuple[Node, ...], listing: NodeListing
) -> tuple[Problem, ...]:
    """Compare Ray's list with the settings.

    Returns one problem for each of `nodes` that is missing, dead, misaddressed or has the wrong
    number of GPUs, then one for each node that no env file describes.
    """
    if listing.error:
        return (_no_listing(cluster, listing),)
    problems = (problem for node in nodes for problem in _node_problems(node, cluster, listing))
    return (*problems, *_unknown_nodes(cluster, listing))


def membership(node: Node, listing: NodeListing) -> Membership:
    """Return whether the node is in Ray's list, and whether Ray counts it as alive."""
    alive = tuple(entry.alive for entry in _entries(node, listing))
    if not alive:
        return "absent"
    return "joined" if any(alive) else "dead"


def living_entry(node: Node, listing: NodeListing) -> RayNode | None:
    """Return the newest living entry with the node's address."""
    living = tuple(entry for entry in _entries(node, listing) if entry.alive)
    return living[-1] if living else None


def _entries(node: Node, listing: NodeListing) -> Iterator[RayNode]:
    return (entry for entry in listing.nodes if entry.address == str(node.host_ip))


def _ray_node(entry: dict[str, Any]) -> RayNode:
    keys = ("address", "hostname", "alive", "gpus")
    return RayNode(**{key: entry[key] for key in keys})


def _no_listing(cluster: Cluster, listing: NodeListing) -> Problem:
    if listing.error == "unauthorized":
        message = f"Ray at {ray.address(cluster)} rejected this cluster's token: {listing.detail}"
        remedy = f"stop the Ray that runs there; {cluster.inv('down')} if it is this cluster's"
    else:
        message = f"Ray does not answer at {ray.address(cluster)}: {listing.detail}"
        remedy = f"start it with {cluster.inv('up')}, or read {cluster.inv('logs')}"
    return Problem(place=cluster.head.name, message=message, remedy=remedy)


def _node_problems(node: Node, cluster: Cluster, listing: NodeListing) -> Iterator[Problem]:
    entry = living_entry(node, listing)
    message = _gpu_mismatch(node, entry) if entry else _absence(node, cluster, listing)
    if message:
        remedy = f"next: {cluster.inv('logs', '--node', node.name)}"
        yield Problem(place=node.name, message=message, remedy=remedy)


def _gpu_mismatch(node: Node, entry: RayNode) -> str:
    differs = entry.gpus != node.gpus
    return f"offers {entry.gpus:g} GPUs to Ray, expected {node.gpus}" if differs else ""


def _absence(node: Node, cluster: Cluster, listing: NodeListing) -> str:
    """Describe why no living entry has the node's address."""
    for entry in listing.nodes:
        if entry.alive and entry.hostname == node.name:
            expected = f"{node.host_ip} of {node.eth_if}"
            return f"joined Ray with address {entry.address}, expected {expected}"
    if membership(node, listing) == "dead":
        return f"joined the Ray cluster at {ray.address(cluster)}, then died"
    return f"not in the Ray cluster at {ray.address(cluster)}, expected with {node.host_ip}"


def _unknown_nodes(cluster: Cluster, listing: NodeListing) -> Iterator[Problem]:
    members = {name for node in cluster.nodes for name in (str(node.host_ip), node.name)}
    for entry in listing.nodes:
        if entry.alive and members.isdisjoint({entry.address, entry.hostname}):
            message = f"in the Ray cluster as {entry.hostname}, but no env file describes it"
            remedy = "stop Ray there, or describe the node in env/"
            yield Problem(place=entry.address, message=message, remedy=remedy)
