"""Where the nodes are: the way of the bytes to each from here, and from another node."""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address

from cluster.errors import NodeError
from cluster.host import Host, host_problem
from cluster.machine import processes
from cluster.node import Cluster, Node
from cluster.ship import chain, route
from cluster.ship.chain import Hop
from cluster.ship.route import Way


@dataclass(frozen=True, kw_only=True)
class Site:
    """A node, the way to it from here, and the way from the node before it in a chain."""

    way: Way
    hop: Hop


def found(cluster: Cluster, nodes: tuple[Node, ...], its: Mapping[str, Host]) -> tuple[Site, ...]:
    """Return how nodes are reached; asks this machine alone, and raises NodeError if ssh cannot."""
    with ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        return tuple(pool.map(lambda node: _site(cluster, node, its[node.name]), nodes))


def _site(cluster: Cluster, node: Node, its: Host) -> Site:
    """Return how a node is reached; asks this machine alone."""
    if not its.ssh_host:
        return Site(way=Way(engine=its), hop=chain.hop(str(node.host_ip), ""))
    asked = processes.run(("ssh", "-T", "-G", its.ssh_host))
    if asked.code:
        raise NodeError(host_problem(its, asked.error))
    way = route.way(cluster, node, its, source=_source(node.host_ip), ssh=asked.output)
    return Site(way=way, hop=chain.hop(str(node.host_ip), asked.output))


def _source(address: IPv4Address) -> str:
    """Return this machine's address on the way to another; a datagram's way, but none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
