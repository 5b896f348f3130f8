"""What two nodes know of the way between them: pings, connections, routes."""

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

from cluster.checks.addresses import sound
from cluster.checks.check import Patient
from cluster.checks.fabric import port_of
from cluster.facts.links import Interface

SMALL = 84
"""Bytes of the ping that fits every MTU; the other one is as large as its interface's."""
NOT_SENT = ("ping: not found", "ping: socket", "ping: socktype", "ping: SO_BINDTODEVICE")
"""How begins what ping says that could not even try: it is not there, or may not."""
HEARD = ("open", "refused")
"""Answers to a connection that come from the other node itself, not from what is on the way."""
Pair = tuple[Patient, Patient]


def pairs(patients: tuple[Patient, ...]) -> tuple[Pair, ...]:
    """Return who should reach whom, each pair once, but for those that take another way."""
    every = combinations(sound(patients), 2)
    return tuple(
        (one, other)
        for one, other in every
        if astray(one, other) is None and astray(other, one) is None
    )


def linked(pair: Pair) -> bool:
    """Tell whether anything went from one to the other and back."""
    one, other = pair
    small = (answered(one, other, "small"), answered(other, one, "small"))
    return True in small or _heard(one, other) or _heard(other, one)


def broken(pair: Pair) -> bool:
    """Tell whether pings were sent, and nothing came back at either end."""
    one, other = pair
    small = (answered(one, other, "small"), answered(other, one, "small"))
    return False in small and not linked(pair)


def answered(one: Patient, other: Patient, size: Literal["small", "large"]) -> bool | None:
    """Tell whether a node's ping came back from another's HOST_IP; None when none was sent."""
    return next(
        (
            its.answered
            for its in one.facts.reach.pings
            if its.peer == other.node.host_ip
            and its.interface == one.node.eth_if
            and (its.size > SMALL) == (size == "large")
            and not its.said.startswith(NOT_SENT)
        ),
        None,
    )


def said(pair: Pair) -> str:
    """Return what ping said of a pair, the first that said anything."""
    one, other = pair
    pings = (*_pings(one, other), *_pings(other, one))
    return next(filter(None, pings), "")


def astray(one: Patient, other: Patient) -> str | None:
    """Return the wrong interface of a node's way to another; empty where there is no way.

    Both twins of a port in one network are none: they lead to the same neighbour.
    """
    ways = (its.device for its in one.facts.reach.ways if its.peer == other.node.host_ip)
    device = next(ways, one.node.eth_if)
    twins = (twin.interface for twin in port_of(one.facts, one.node.eth_if))
    right = {one.node.eth_if, *(its.name for its in twins if _leads(its, other))}
    return None if device in right else device


def ours(patient: Patient) -> Interface:
    """Return the interface that ETH_IF names, of a node that is sound."""
    return next(its for its in patient.facts.links.interfaces if its.name == patient.node.eth_if)


def _leads(interface: Interface, other: Patient) -> bool:
    return any(other.node.host_ip in its.network for its in interface.addresses)


def _heard(one: Patient, other: Patient) -> bool:
    return any(
        its.peer == other.node.host_ip and its.answer in HEARD for its in one.facts.reach.ports
    )


def _pings(one: Patient, other: Patient) -> Iterator[str]:
    sent = (its for its in one.facts.reach.pings if not its.said.startswith(NOT_SENT))
    return (its.said for its in sent if its.peer == other.node.host_ip)
