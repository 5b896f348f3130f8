"""What a node is asked: about its image, its container, and the other nodes of its cluster."""

from cluster.facts.facts import BLOCKING, EXAMINING, Request
from cluster.node import Cluster, Node

WORKER_PORT = 10002
"""The first port of Ray's workers, which listen on every node (`ray start`, --min-worker-port)."""


def wanted(
    cluster: Cluster, node: Node, *, among: tuple[Node, ...] = (), fast: bool = False
) -> Request:
    """Return what a node is asked, about all others or those `among` which it is.

    `fast` leaves out what no blocking check needs. A node that is a namespace of this machine has
    neither an image nor a container.
    """
    peers = tuple(peer for peer in among or cluster.nodes if peer.name != node.name)
    boxed = cluster.runtime == "docker"
    return Request(
        parts=BLOCKING if fast else EXAMINING,
        image=cluster.image if boxed else "",
        container=cluster.container if boxed else "",
        hf_cache=cluster.hf_cache,
        pings=tuple((node.eth_if, peer.host_ip) for peer in peers),
        ports=tuple((peer.host_ip, _port(cluster, peer)) for peer in peers),
        routes_to=tuple(peer.host_ip for peer in peers),
    )


def _port(cluster: Cluster, peer: Node) -> int:
    """Return a port on which a node will listen when the cluster runs."""
    return cluster.head_port if peer.role == "head" else WORKER_PORT
