"""What is wrong with the way that the data took, or with the data that came out."""

from collections.abc import Iterator, Mapping

from cluster.bandwidth.answer import Answer, Device
from cluster.bandwidth.seat import Seat
from cluster.bandwidth.sizes import shown
from cluster.errors import Problem
from cluster.node import Cluster
from cluster.node_context import NodeContext

Answers = Mapping[int, Answer]
NCCL = "nccl"
FORCING = {"NCCL_IB_DISABLE": "1", "NCCL_NET": "Socket"}
"""Variables with which somebody keeps NCCL from RDMA."""


def failures(cluster: Cluster, seats: tuple[Seat, ...], answers: Answers) -> tuple[Problem, ...]:
    """Return what no measurement may have."""
    return (*wrong(cluster, seats, answers), *sockets(cluster, seats, answers))


def wrong(cluster: Cluster, seats: tuple[Seat, ...], answers: Answers) -> Iterator[Problem]:
    """Yield what came out wrong; nothing may be measured by it, or computed."""
    for seat in seats:
        for row in answers[seat.rank].rows:
            if not row.right:
                message = f"{row.operation} of {shown(row.size)} gave wrong numbers"
                remedy = "try another cable, and NVIDIA's own nccl-tests"
                yield NodeContext(cluster=cluster, node=seat.node).problem(message, remedy)


def sockets(cluster: Cluster, seats: tuple[Seat, ...], answers: Answers) -> Iterator[Problem]:
    """Yield the ranks that leave their node over sockets although it has RDMA."""
    for seat in seats:
        its = answers[seat.rank]
        active = tuple(one for one in its.rdma if one.active)
        ours = its.backend == NCCL and (its.transport.by_sockets or its.transport.unknown)
        if ours and (active or seat.node.ib_if):
            site = NodeContext(cluster=cluster, node=seat.node)
            message = f"rank {seat.rank} {_over(its)}, {_although(seat, active)}"
            yield site.problem(message, _remedy(site, active))


def _over(its: Answer) -> str:
    if its.transport.unknown:
        return "does not say which way its data took"
    return f"uses sockets over {' and '.join(its.transport.carriers or its.transport.sockets)}"


def _although(seat: Seat, active: tuple[Device, ...]) -> str:
    if active:
        return f"and the node has RDMA: {', '.join(one.name for one in active)}"
    return f"and IB_IF is {','.join(seat.node.ib_if)}"


def _remedy(site: NodeContext, active: tuple[Device, ...]) -> str:
    """Name what keeps NCCL from RDMA in the env files; its log has no word of NCCL_NET."""
    own = dict((*site.cluster.variables, *site.node.variables))
    forced = [name for name, value in FORCING.items() if own.get(name) == value]
    if forced:
        return f"take {' and '.join(forced)} out of your env files, then {_anew(site)}"
    if not site.node.ib_if:
        devices = ",".join(_of_one_port(active))
        return f"write IB_IF={devices} in {site.node_file}, then {_anew(site)}"
    return site.cluster.inv("doctor")


def _of_one_port(active: tuple[Device, ...]) -> tuple[str, ...]:
    return tuple(one.name for one in active if one.port == active[0].port)


def _anew(site: NodeContext) -> str:
    """Return how a running cluster gets other settings."""
    return f"{site.cluster.inv('down')} and {site.cluster.inv('up')}"


def idle_twins(cluster: Cluster, seats: tuple[Seat, ...], answers: Answers) -> Iterator[Problem]:
    """Yield the nodes that use one twin of a port whose other twin is active as well."""
    for seat in seats:
        its = answers[seat.rank]
        used = set(its.transport.carriers)
        ports = {one.port for one in its.rdma if one.name in used}
        idle = (one for one in its.rdma if one.active and one.name not in used)
        twins = [one.name for one in idle if one.port in ports]
        if twins:
            site = NodeContext(cluster=cluster, node=seat.node)
            message = f"rank {seat.rank} leaves {', '.join(twins)} idle, the other twin of its port"
            yield site.problem(message, _both(site, (*its.transport.carriers, *twins)))


def _both(site: NodeContext, devices: tuple[str, ...]) -> str:
    """Say how NCCL gets both twins; where the settings have them already, something else is."""
    if set(devices) <= set(site.node.ib_if):
        return site.cluster.inv("doctor")
    return f"write IB_IF={','.join(devices)} in {site.node_file}, then {_anew(site)}"
