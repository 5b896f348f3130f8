"""Whether packets as large as an interface sends them arrive at the other nodes."""

from collections.abc import Iterator

from cluster.checks.check import Reports, check, differences
from cluster.checks.interfaces import KEEP
from cluster.checks.node_report import NodeReport, is_machine, node_names
from cluster.checks.reach import LINK_CHECKS, Pair, directions, is_answered, pairs
from cluster.errors import Problem

ETHERNET = 1500


@check("mtu", "blocks", is_machine, requires=LINK_CHECKS)
def _mtu(reports: Reports) -> Iterator[Problem]:
    """Packets as large as the MTU of ETH_IF arrive.

    Looks at: `ping -M do -I ETH_IF` from each node to each other, as large as the MTU
    Why: Something between the nodes silently drops large packets: nodes join, and hang as soon as
      they send something large.
    Do: Let the switch pass packets of this size, or set a smaller MTU on all nodes.
    Known from: eugr/spark-vllm-docker, docs/NETWORKING.md; RFC 2923, section 2.1
    """
    # Report pairs of one MTU that large packets pass in neither direction: one ping may be lost.
    # Something between the interfaces has a smaller MTU then.
    blocked = tuple(
        pair
        for pair in pairs(reports)
        if _is_uniform(pair) and True in _losses(pair) and False not in _losses(pair)
    )
    if ends := _ends(reports, blocked):
        largest = max(map(_size, ends))
        message = f"packets of {largest} bytes, their MTU, do not pass between them; small ones do"
        smaller = ", ".join(_set_size(end, ETHERNET) for end in ends)
        remedy = f"a switch between them must let {largest} bytes pass; or {smaller}"
        yield Problem(place=node_names(ends), message=message, remedy=remedy)


@check("mtu-same", "slow", is_machine, requires=LINK_CHECKS)
def _mtu_same(reports: Reports) -> Iterator[Problem]:
    """All nodes have the same MTU.

    Looks at: `ip link`, and `ping -M do -I ETH_IF` as large as the MTU
    Why: TCP and NCCL's RDMA agree on the smaller one, which costs up to a fifth of the bandwidth;
      other programs send packets that are lost. NVIDIA's files leave 1500.
    Do: Set the same MTU on all nodes, and at least as much on the switch.
    Known from: NVIDIA dgx-spark-playbooks issue 25 and pull request 103; RFC 9293, 3.7.1; NCCL,
      src/transport/net_ib/connect.cc
    """
    # Report pairs with different MTUs, where the larger packets do not pass.
    lossy = (pair for pair in pairs(reports) if not _is_uniform(pair) and True in _losses(pair))
    ends = _ends(reports, tuple(lossy))
    subject = "MTUs differ, and large packets do not arrive"
    yield from differences(subject, ends, lambda end: str(_size(end)), _enlarge)


def _losses(pair: Pair) -> tuple[bool | None, ...]:
    """Whether only large packets are lost, for each direction; None if unknown."""
    return tuple(_loses_large(source, target) for source, target in directions(pair))


def _loses_large(source: NodeReport, target: NodeReport) -> bool | None:
    large = is_answered(source, target, "large")
    if large is None or not (large or is_answered(source, target, "small")):
        return None
    return not large


def _is_uniform(pair: Pair) -> bool:
    return _size(pair[0]) == _size(pair[1])


def _size(report: NodeReport) -> int:
    """Return the MTU of ETH_IF, which exists where this check is made."""
    return next(
        interface.mtu for interface in report.interfaces if interface.name == report.node.eth_if
    )


def _ends(reports: Reports, chosen: tuple[Pair, ...]) -> Reports:
    return tuple(report for report in reports if any(report in pair for pair in chosen))


def _enlarge(ends: Reports) -> str:
    """Return how the interfaces with a smaller MTU get the largest one."""
    largest = max(map(_size, ends))
    commands = (_set_size(end, largest) for end in ends if _size(end) < largest)
    return f"{', '.join(commands)}, {KEEP}"


def _set_size(report: NodeReport, mtu: int) -> str:
    return report.command(f"sudo ip link set {report.node.eth_if} mtu {mtu}")


MTU = (_mtu, _mtu_same)
