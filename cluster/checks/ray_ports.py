"""Whether Ray can listen on its ports, and the nodes can connect to them."""

from collections.abc import Callable, Iterator

from cluster.checks.check import Reports, check, each
from cluster.checks.node_report import NodeReport, is_machine, node_names
from cluster.checks.reach import LINK_CHECKS, is_connected, open_firewall, pairs
from cluster.commands import ray
from cluster.errors import Problem
from cluster.facts.reach import PortAnswer

STOPPED: dict[PortAnswer, str] = {"silent": "packets vanish", "unreachable": "it is rejected"}
"""What becomes of a connection that a firewall stops."""
LOOPBACK = ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "*", "[::]", "::")  # noqa: S104 (as `ss` prints it)
"""The loopback address of IPv4, and all addresses, which include it."""


@check("ports", "blocks", is_machine)
@each
def taken_ports(report: NodeReport) -> Iterator[Problem]:
    """The ports that the head listens on are free.

    Looks at: `ss -ltn`
    Why: Ray's head does not start when another program, a Redis or another Ray, has its port.
    Do: End the program that listens there, or write another HEAD_PORT or DASHBOARD=false.
    Known from: Ray's documentation, configuring Ray, ports
    """
    cluster, key = report.cluster, report.setting("HEAD_PORT")
    if report.node.role == "head" and not report.is_running:
        yield from _taken(report, cluster.head_port, key, f"another {key}", _clashes_with_ray)
        # Only the image for GPUs has the dashboard.
        if cluster.dashboard and cluster.accelerator != "none":
            port = ray.DASHBOARD_PORT
            yield from _taken(
                report, port, "Ray's dashboard", "DASHBOARD=false", _includes_loopback
            )


def _clashes_with_ray(address: str) -> bool:
    """Ray's control store listens on all IPv4 addresses, so one that is taken is enough."""
    return ":" not in address or _includes_loopback(address)


def _includes_loopback(address: str) -> bool:
    return address in LOOPBACK


def _taken(
    report: NodeReport, port: int, purpose: str, instead: str, clashes: Callable[[str], bool]
) -> Iterator[Problem]:
    """Report programs on a port whose addresses clash; `instead` is written to do without it."""
    programs = {
        f"{listener.process or 'another program'} on {listener.address}": None
        for listener in report.facts.listeners
        if listener.port == port and clashes(listener.address.partition("%")[0])
    }
    if programs:
        show = report.command(f"sudo ss -ltnp sport = :{port}")
        message = f"port {port} ({purpose}) is taken by {', '.join(programs)}"
        remedy = f"{show} shows the program; or write {instead}{report.in_cluster_file}"
        yield report.problem(message, remedy)


@check("head-port", "blocks", is_machine, requires=LINK_CHECKS)
def _head_port(reports: Reports) -> Iterator[Problem]:
    """The workers can connect to the head's control store.

    Looks at: a connection from each worker to HOST_IP and HEAD_PORT of the head; `ufw.conf`, `nft
      list chains`
    Why: Workers join Ray there. Before Ray runs the head refuses the connection, which is fine; a
      firewall makes workers wait, or rejects them.
    Do: Let everything in on the fast network: Ray, gloo and NCCL choose their ports.
    Known from: Ray's documentation, configuring Ray, ports; nft(8), ufw(8)
    """
    for head in reports:
        if head.node.role == "head":
            yield from _stopped(reports, head, head.cluster.head_port, "HEAD_PORT")


@check("worker-port", "blocks", is_machine, requires=LINK_CHECKS)
def _worker_port(reports: Reports) -> Iterator[Problem]:
    """The nodes can connect to Ray's processes on the workers.

    Looks at: a connection from each node to HOST_IP and port 10002 of each worker; `ufw.conf`, `nft
      list chains`
    Why: Ray's processes talk to each other on ports from there on, gloo and NCCL on any: all seems
      well until a rank waits for another.
    Do: Let everything in on the fast network, on workers too.
    Known from: Ray's documentation, configuring Ray, ports; nft(8), ufw(8)
    """
    for worker in reports:
        if worker.node.role == "worker":
            yield from _stopped(reports, worker, ray.WORKER_PORT, "the first of Ray's workers")


def _stopped(reports: Reports, target: NodeReport, port: int, purpose: str) -> Iterator[Problem]:
    """Report all nodes that cannot connect to a port of a node, as one problem."""
    connected = (pair for pair in pairs(reports) if target in pair and is_connected(pair))
    sources = (end for pair in connected for end in pair if end is not target)
    results = {end.node.name: _obstacle(end, target, port) for end in sources}
    stopped = tuple(report for report in reports if results.get(report.node.name))
    if stopped:
        place = f"port {port} ({purpose}) of {target.node.name} at {target.node.host_ip}"
        reasons = ", ".join(dict.fromkeys(results[report.node.name] for report in stopped))
        members = (report for report in reports if report in stopped or report is target)
        message = f"{node_names(stopped)} cannot connect to {place}: {reasons}{_firewall(target)}"
        yield Problem(place=node_names(members), message=message, remedy=open_firewall(target))


def _obstacle(source: NodeReport, target: NodeReport, port: int) -> str:
    """Return what stops a connection; empty if nothing does, or it was not tried."""
    attempts = (
        STOPPED.get(attempt.answer, "")
        for attempt in source.facts.reach.ports
        if (attempt.peer, attempt.port) == (target.node.host_ip, port)
    )
    return next(attempts, "")


def _firewall(target: NodeReport) -> str:
    """Return what is known of a node's firewall; only root may read all of its rules."""
    firewall = target.facts.firewall
    if firewall.ufw:
        return f"; ufw is switched on at {target.node.name}"
    chains = ", ".join(f"`{chain}`" for chain in firewall.drops)
    return f"; {target.node.name} drops what no rule of {chains} lets in" if chains else ""


RAY_PORTS = (taken_ports, _head_port, _worker_port)
