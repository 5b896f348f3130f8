"""Whether the nodes are who their files say, and reach each other by the fast link."""

from collections.abc import Iterator

from cluster.checks.addresses import sound
from cluster.checks.alike import names
from cluster.checks.check import Check, Patient
from cluster.checks.firewall import FIREWALL, let_in
from cluster.checks.packets import PACKETS
from cluster.checks.pairs import Pair, astray, broken, pairs, said
from cluster.checks.twice import TWICE
from cluster.errors import Problem


def _reach(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Find pairs; say of a node that reaches nobody, or of a link where nobody does, one thing."""
    every = pairs(patients)
    dead = tuple(filter(broken, every))
    if len(dead) > 1 and len(dead) == len(every):
        yield _nobody(patients, dead)
        return
    alone = tuple(its for its in patients if _alone(its, every))
    for its in alone:
        yield _alone_problem(its, next(pair for pair in dead if its in pair))
    for pair in dead:
        if not any(its in alone for its in pair):
            yield _pair(pair)


def _alone(patient: Patient, every: tuple[Pair, ...]) -> bool:
    own = tuple(pair for pair in every if patient in pair)
    return len(own) > 1 and all(broken(pair) for pair in own)


def _nobody(patients: tuple[Patient, ...], dead: tuple[Pair, ...]) -> Problem:
    everybody = tuple(its for its in patients if any(its in pair for pair in dead))
    message = f"no node reaches another by ETH_IF{_words(dead[0])}"
    return Problem(place=names(everybody), message=message, remedy=_look(dead[0]))


def _alone_problem(patient: Patient, pair: Pair) -> Problem:
    message = f"reaches no other node by ETH_IF {patient.node.eth_if}{_words(pair)}"
    return patient.problem(message, _look(pair))


def _pair(pair: Pair) -> Problem:
    ends = (f"{its.node.host_ip} ({its.node.eth_if})" for its in pair)
    message = f"no ping comes back between {' and '.join(ends)}{_words(pair)}"
    return Problem(place=names(pair), message=message, remedy=_look(pair))


def _words(pair: Pair) -> str:
    return f": {words}" if (words := said(pair)) else ""


def _look(pair: Pair) -> str:
    """Return what to look at: a firewall, if one is known that lets no ping in, as ufw does."""
    walls = (its for its in pair if its.facts.surroundings.firewall.drops)
    rules = ", ".join(let_in(its) for its in walls if not its.facts.surroundings.firewall.ufw)
    one, other = pair
    ping = one.on(f"ping -c 3 -I {one.node.eth_if} {other.node.host_ip}")
    return rules or f"is it one cable or one switch? {ping}, with the cable in the other port too"


def _route(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Say of each node whom it would look for by which wrong interface."""
    right = sound(patients)
    for its in right:
        others = tuple(other for other in right if other is not its)
        found = {other.node.name: astray(its, other) for other in others}
        for device in dict.fromkeys(wrong for wrong in found.values() if wrong is not None):
            yield _astray(
                its, tuple(one for one in others if found[one.node.name] == device), device
            )


def _astray(patient: Patient, others: tuple[Patient, ...], device: str) -> Problem:
    to = ", ".join(f"{its.node.name} ({its.node.host_ip})" for its in others)
    way = f"by {device}, not by" if device else "none, so not by"
    message = f"the kernel's way to {to} is {way} ETH_IF {patient.node.eth_if}"
    return patient.problem(message, _way(patient, others, device))


def _way(patient: Patient, others: tuple[Patient, ...], device: str) -> str:
    """Return how the way becomes right: by a network that holds both, or by a route."""
    interface, its = patient.node.eth_if, patient.facts.links.named(patient.node.eth_if)
    networks = tuple(one.network for one in its.addresses) if its else ()
    if not any(others[0].node.host_ip in network for network in networks):
        new = f"{patient.node.host_ip}/{patient.cluster.subnet.prefixlen}"
        return f"{patient.on(f'sudo ip address add {new} dev {interface}')}, and netplan to keep it"
    add = f"sudo ip route add {others[0].node.host_ip} dev {interface} src {patient.node.host_ip}"
    return f"take that network off {device}; or {patient.on(add)}, and netplan to keep it"


BETWEEN: tuple[Check, ...] = (
    *TWICE,
    Check(
        name="reach",
        severity="blocks",
        title="All nodes reach each other by the fast link",
        looks_at="`ping -I ETH_IF` from each node to the HOST_IP of each other, 84 bytes",
        why="Ray, gloo and NCCL take this way and no other; without it workers wait for the head, "
        "or ranks for each other.",
        remedy="See that the ports of ETH_IF lead to each other: the same cable, the same VLAN of "
        "a switch, addresses of one network.",
        source="NVIDIA dgx-spark-playbooks, connect-two-sparks and multi-sparks-through-switch",
        look=_reach,
    ),
    *PACKETS,
    Check(
        name="route",
        severity="blocks",
        title="The kernel's way to the other nodes is ETH_IF",
        looks_at="`ip route get` of the HOST_IP of each other node",
        why="Connections that name no interface take the kernel's way: over the slow network, or "
        "to a machine that is not there.",
        remedy="Have the cluster's network on ETH_IF alone, as wide on all nodes.",
        source="ip-route(8); vLLM's guide to multi-node serving, troubleshooting",
        look=_route,
    ),
    *FIREWALL,
)
