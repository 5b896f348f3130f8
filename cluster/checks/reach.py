"""Whether nodes reach each other over the fast link, by the right interface, in large packets."""

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

from cluster.checks.check import Reports, check, differences
from cluster.checks.interfaces import KEEP, add_address
from cluster.checks.node_report import NodeReport, is_machine, node_names
from cluster.errors import Problem
from cluster.facts.links import Interface

SMALL = 84
"""Bytes of the ping that fits every MTU; the other one is as large as its interface's."""
ETHERNET_MTU = 1500
NOT_SENT = ("ping: not found", "ping: socket", "ping: socktype", "ping: SO_BINDTODEVICE")
"""How the output of ping begins if it could not even try: it is not installed, or not permitted."""
FROM_PEER = ("open", "refused")
"""Results of a connection that come from the other node itself, not from what is on the way."""
LINK_CHECKS = ("twice", "interface", "address", "cable")
"""What keeps a node from reaching any other: then its pairs are not looked at."""
Pair = tuple[NodeReport, NodeReport]


def pairs(reports: Reports) -> tuple[Pair, ...]:
    """Return the nodes that should reach each other, each pair once.

    A pair is left out if one of them takes another interface to the other, which `route` reports.
    """
    return tuple(
        (first, second)
        for first, second in combinations(reports, 2)
        if wrong_route(first, second) is None and wrong_route(second, first) is None
    )


def directions(pair: Pair) -> tuple[Pair, Pair]:
    """Return both directions of a pair: from the first node to the second, and back."""
    return pair, (pair[1], pair[0])


def is_connected(pair: Pair) -> bool:
    """Whether anything went from one node to the other and back."""
    return any(
        is_answered(source, target, "small") or _hears(source, target)
        for source, target in directions(pair)
    )


def is_broken(pair: Pair) -> bool:
    """Whether pings were sent, but nothing came back at either end."""
    small = tuple(is_answered(source, target, "small") for source, target in directions(pair))
    return False in small and not is_connected(pair)


def is_answered(
    source: NodeReport, target: NodeReport, size: Literal["small", "large"]
) -> bool | None:
    """Whether a node's ping to another's HOST_IP was answered; None if none was sent."""
    return next(
        (
            ping.answered
            for ping in source.facts.reach.pings
            if ping.peer == target.node.host_ip
            and ping.interface == source.node.eth_if
            and (ping.size > SMALL) == (size == "large")
            and not ping.message.startswith(NOT_SENT)
        ),
        None,
    )


def wrong_route(source: NodeReport, target: NodeReport) -> str | None:
    """Return the wrong interface of a node's route to another; empty if there is no route.

    The twins of a port in one network are both right: they lead to the same neighbour.
    """
    devices = (
        route.device for route in source.facts.reach.routes if route.peer == target.node.host_ip
    )
    device = next(devices, source.node.eth_if)
    twins = (twin.interface for twin in source.port)
    right = {
        source.node.eth_if,
        *(interface.name for interface in twins if _leads_to(interface, target)),
    }
    return None if device in right else device


def _leads_to(interface: Interface, target: NodeReport) -> bool:
    return any(target.node.host_ip in address.network for address in interface.addresses)


def _hears(source: NodeReport, target: NodeReport) -> bool:
    return any(
        port.peer == target.node.host_ip and port.answer in FROM_PEER
        for port in source.facts.reach.ports
    )


def _reason(pair: Pair) -> str:
    """Return what ping printed about a pair, the first output that is not empty."""
    outputs = (
        f": {ping.message}"
        for source, target in directions(pair)
        for ping in source.facts.reach.pings
        if ping.peer == target.node.host_ip
        and ping.message
        and not ping.message.startswith(NOT_SENT)
    )
    return next(outputs, "")


def open_firewall(report: NodeReport) -> str:
    """Return how a node's firewall lets the fast network in."""
    firewall, interface = report.facts.firewall, report.node.eth_if
    if firewall.ufw:
        return report.command(f"sudo ufw allow in on {interface}")
    if firewall.drops:
        rules = (
            report.command(f"sudo nft insert rule {chain} iifname {interface} accept")
            for chain in firewall.drops
        )
        return f"{', '.join(rules)}, and keep it in the firewall's files"
    show = report.command("sudo nft list ruleset")
    return f"everything must be let in on {interface}: {show} shows what keeps it out"


@check("reach", "blocks", is_machine, requires=LINK_CHECKS)
def _reach(reports: Reports) -> Iterator[Problem]:
    """All nodes reach each other over the fast link.

    Looks at: `ping -I ETH_IF` from each node to the HOST_IP of each other, 84 bytes
    Why: Ray, gloo and NCCL use this link only; without it workers wait for the head, or ranks for
      each other.
    Do: See that the ports of ETH_IF lead to each other: the same cable, the same VLAN of a switch,
      addresses of one network.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks and multi-sparks-through-switch
    """
    # Report pairs; a node that reaches no other, or a link that nobody reaches over, only once.
    all_pairs = pairs(reports)
    broken = tuple(filter(is_broken, all_pairs))
    if len(broken) > 1 and len(broken) == len(all_pairs):
        place = node_names(_ends(reports, broken))
        message = f"no node reaches another over ETH_IF{_reason(broken[0])}"
        yield Problem(place=place, message=message, remedy=_look(broken[0]))
        return
    alone = tuple(report for report in reports if _reaches_none(report, all_pairs))
    for report in alone:
        pair = next(pair for pair in broken if report in pair)
        message = f"reaches no other node over ETH_IF {report.node.eth_if}{_reason(pair)}"
        yield report.problem(message, _look(pair))
    for pair in broken:
        if not any(report in alone for report in pair):
            ends = " and ".join(f"{end.node.host_ip} ({end.node.eth_if})" for end in pair)
            message = f"no ping is answered between {ends}{_reason(pair)}"
            yield Problem(place=node_names(pair), message=message, remedy=_look(pair))


def _reaches_none(report: NodeReport, all_pairs: tuple[Pair, ...]) -> bool:
    involved = tuple(pair for pair in all_pairs if report in pair)
    return len(involved) > 1 and all(is_broken(pair) for pair in involved)


def _look(pair: Pair) -> str:
    """Return what to look at: a firewall, if one is known that drops pings; ufw lets them in."""
    walls = (end for end in pair if end.facts.firewall.drops)
    rules = ", ".join(open_firewall(wall) for wall in walls if not wall.facts.firewall.ufw)
    source, target = pair
    ping = source.command(f"ping -c 3 -I {source.node.eth_if} {target.node.host_ip}")
    return rules or f"is it one cable or one switch? {ping}, with the cable in the other port too"


@check("route", "blocks", is_machine, requires=LINK_CHECKS)
def _route(reports: Reports) -> Iterator[Problem]:
    """The kernel's route to the other nodes goes over ETH_IF.

    Looks at: `ip route get` of the HOST_IP of each other node
    Why: Connections that name no interface take the kernel's route: over the slow network, or to a
      machine that does not exist.
    Do: Have the cluster's network on ETH_IF only, with the same prefix on all nodes.
    Known from: ip-route(8); vLLM's guide to multi-node serving, troubleshooting
    """
    # Report for each node the others that it would look for by a wrong interface.
    for source in reports:
        wrong = {
            target.node.name: device
            for target in reports
            if target is not source and (device := wrong_route(source, target)) is not None
        }
        for device in dict.fromkeys(wrong.values()):
            targets = tuple(target for target in reports if wrong.get(target.node.name) == device)
            names = ", ".join(f"{target.node.name} ({target.node.host_ip})" for target in targets)
            eth_if = f"over ETH_IF {source.node.eth_if}"
            message = (
                f"the kernel's route to {names} goes over {device}, not {eth_if}"
                if device
                else f"the kernel has no route to {names} {eth_if}"
            )
            yield source.problem(message, _correct_route(source, targets[0], device))


def _correct_route(source: NodeReport, target: NodeReport, device: str) -> str:
    """Return how the route becomes right: by a network with both nodes, or by a route."""
    if not (source.interface and _leads_to(source.interface, target)):
        return f"{add_address(source)}, {KEEP}"
    line = f"{target.node.host_ip} dev {source.node.eth_if} src {source.node.host_ip}"
    add = source.command(f"sudo ip route add {line}")
    return f"remove that network from {device}; or {add}, {KEEP}"


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
    uniform = (pair for pair in pairs(reports) if _size(pair[0]) == _size(pair[1]))
    blocked = tuple(pair for pair in uniform if _losses(pair) == {True})
    if ends := _ends(reports, blocked):
        largest = max(map(_size, ends))
        message = f"packets of {largest} bytes, their MTU, do not pass between them; small ones do"
        smaller = ", ".join(_set_size(end, ETHERNET_MTU) for end in ends)
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
    mixed = (pair for pair in pairs(reports) if _size(pair[0]) != _size(pair[1]))
    ends = _ends(reports, tuple(pair for pair in mixed if True in _losses(pair)))
    subject = "MTUs differ, and large packets do not arrive"
    yield from differences(subject, ends, lambda end: str(_size(end)), _enlarge)


def _losses(pair: Pair) -> set[bool]:
    """Whether only large packets are lost, for each direction where that is known."""
    answers = (
        (is_answered(*direction, "small"), is_answered(*direction, "large"))
        for direction in directions(pair)
    )
    return {not large for small, large in answers if large is not None and (large or small)}


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


REACH = (_reach, _route, _mtu, _mtu_same)
