"""Nodes that reach each other, for the tests of the checks between nodes, and faults of them."""

from collections.abc import Callable
from dataclasses import replace

from cluster.checks.doctor import request
from cluster.checks.node_report import NodeReport
from cluster.facts.reach import PeerRoute, Ping, PortAnswer, PortAttempt, Reach
from cluster.node import Cluster
from tests.clusters import SPARKS, extra_worker
from tests.node_reports import node_report, with_facts

THREE = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
UNREACHABLE = "From 192.168.177.11 icmp_seq=1 Destination Host Unreachable"
Nodes = tuple[NodeReport, ...]


def reaching(cluster: Cluster = SPARKS) -> Nodes:
    """Return healthy nodes that reach each other."""
    return tuple(_tried(node_report(node.name, cluster)) for node in cluster.nodes)


def _tried(before: NodeReport) -> NodeReport:
    questions = request(before.cluster, before.node)
    mtu = next(
        interface.mtu
        for interface in before.facts.links.interfaces
        if interface.name == before.node.eth_if
    )
    pings = tuple(
        Ping(interface=interface, peer=peer, size=size, answered=True)
        for interface, peer in questions.pings
        for size in (84, mtu)
    )
    ports = tuple(
        PortAttempt(peer=peer, port=port, answer="refused") for peer, port in questions.ports
    )
    routes = tuple(PeerRoute(peer=peer, device=before.node.eth_if) for peer in questions.routes_to)
    return with_facts(before, reach=Reach(pings=pings, ports=ports, routes=routes))


def pinged(
    nodes: Nodes, source: str, target: str, lost: Callable[[Ping], bool], output: str = ""
) -> Nodes:
    """Return the nodes when some pings from one to another are lost."""
    peer = next(report.node.host_ip for report in nodes if report.node.name == target)

    def change(reach: Reach) -> Reach:
        return replace(
            reach,
            pings=tuple(
                replace(ping, answered=False, message=output)
                if ping.peer == peer and lost(ping)
                else ping
                for ping in reach.pings
            ),
        )

    return _changed(nodes, source, change)


def stopped(nodes: Nodes, source: str, target: str, answer: PortAnswer) -> Nodes:
    """Return the nodes when connections from one to another have another result."""
    peer = next(report.node.host_ip for report in nodes if report.node.name == target)

    def change(reach: Reach) -> Reach:
        ports = tuple(
            replace(port, answer=answer) if port.peer == peer else port for port in reach.ports
        )
        return replace(reach, ports=ports)

    return _changed(nodes, source, change)


def led(nodes: Nodes, source: str, target: str, device: str) -> Nodes:
    """Return the nodes when the route from one to another goes over another interface."""
    peer = next(report.node.host_ip for report in nodes if report.node.name == target)

    def change(reach: Reach) -> Reach:
        routes = tuple(
            replace(route, device=device) if route.peer == peer else route for route in reach.routes
        )
        return replace(reach, routes=routes)

    return _changed(nodes, source, change)


def cut(nodes: Nodes, source: str, target: str, output: str = "") -> Nodes:
    """Return the nodes when nothing passes between two of them."""
    for end, peer in ((source, target), (target, source)):
        nodes = stopped(pinged(nodes, end, peer, lambda _: True, output), end, peer, "silent")
    return nodes


def large(ping: Ping) -> bool:
    """Whether a ping is as large as the MTU."""
    return ping.size > 84


def _changed(nodes: Nodes, source: str, change: Callable[[Reach], Reach]) -> Nodes:
    return tuple(
        with_facts(report, reach=change(report.facts.reach))
        if report.node.name == source
        else report
        for report in nodes
    )
