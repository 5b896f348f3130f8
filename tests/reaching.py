"""Nodes that reach each other, for the tests of the checks between nodes, and what breaks them."""

from collections.abc import Callable
from dataclasses import replace

from cluster.checks.doctor import request
from cluster.checks.node_report import NodeReport
from cluster.facts.reach import Answer, Ping, Port, Reach, Way
from cluster.node import Cluster
from tests.clusters import SPARKS, extra_worker
from tests.node_reports import node_report, with_facts

THREE = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
UNREACHABLE = "From 192.168.177.11 icmp_seq=1 Destination Host Unreachable"
Nodes = tuple[NodeReport, ...]


def reaching(cluster: Cluster = SPARKS) -> Nodes:
    """Return healthy nodes that have tried to reach each other, and did."""
    return tuple(_tried(node_report(node.name, cluster)) for node in cluster.nodes)


def _tried(before: NodeReport) -> NodeReport:
    asked = request(before.cluster, before.node)
    mtu = next(its.mtu for its in before.facts.links.interfaces if its.name == before.node.eth_if)
    pings = tuple(
        Ping(interface=interface, peer=peer, size=size, answered=True)
        for interface, peer in asked.pings
        for size in (84, mtu)
    )
    ports = tuple(Port(peer=peer, port=port, answer="refused") for peer, port in asked.ports)
    ways = tuple(Way(peer=peer, device=before.node.eth_if) for peer in asked.routes_to)
    return with_facts(before, reach=Reach(pings=pings, ports=ports, ways=ways))


def pinged(
    nodes: Nodes, one: str, other: str, lost: Callable[[Ping], bool], said: str = ""
) -> Nodes:
    """Return the nodes when some pings from one to another are lost."""
    peer = next(its.node.host_ip for its in nodes if its.node.name == other)

    def change(reach: Reach) -> Reach:
        return replace(
            reach,
            pings=tuple(
                replace(ping, answered=False, said=said)
                if ping.peer == peer and lost(ping)
                else ping
                for ping in reach.pings
            ),
        )

    return _changed(nodes, one, change)


def stopped(nodes: Nodes, one: str, other: str, answer: Answer) -> Nodes:
    """Return the nodes when connections from one to another come to something else."""
    peer = next(its.node.host_ip for its in nodes if its.node.name == other)

    def change(reach: Reach) -> Reach:
        ports = tuple(
            replace(port, answer=answer) if port.peer == peer else port for port in reach.ports
        )
        return replace(reach, ports=ports)

    return _changed(nodes, one, change)


def led(nodes: Nodes, one: str, other: str, device: str) -> Nodes:
    """Return the nodes when one's way to another is by another interface."""
    peer = next(its.node.host_ip for its in nodes if its.node.name == other)

    def change(reach: Reach) -> Reach:
        ways = tuple(replace(way, device=device) if way.peer == peer else way for way in reach.ways)
        return replace(reach, ways=ways)

    return _changed(nodes, one, change)


def cut(nodes: Nodes, one: str, other: str, said: str = "") -> Nodes:
    """Return the nodes when nothing passes between two of them."""
    for its, peer in ((one, other), (other, one)):
        nodes = stopped(pinged(nodes, its, peer, lambda _: True, said), its, peer, "silent")
    return nodes


def large(ping: Ping) -> bool:
    """Tell whether a ping is as large as the MTU."""
    return ping.size > 84


def _changed(nodes: Nodes, one: str, change: Callable[[Reach], Reach]) -> Nodes:
    return tuple(
        with_facts(its, reach=change(its.facts.reach)) if its.node.name == one else its
        for its in nodes
    )
