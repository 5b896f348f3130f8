"""What belongs together in a node: the twins of a port, their interfaces and RDMA devices."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from cluster.checks.check import Look, Patient, each
from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.links import DOCKERS, RJ45, Interface
from cluster.facts.ports import Twin, ports, twins
from cluster.node import Node

RING = 3
"""Nodes of the smallest ring."""


def counterpart(facts: Facts, twin: Twin) -> Twin | None:
    """Return the other twin of a port."""
    its = (port.twins for port in ports(facts) if twin in port.twins)
    return next((one for one in next(its, ()) if one != twin), None)


def port_of(facts: Facts, name: str) -> tuple[Twin, ...]:
    """Return the twins of the port of an interface, its own first; none of one without RDMA."""
    own = (twin for twin in twins(facts) if twin.interface.name == name)
    its = next((port.twins for twin in own for port in ports(facts) if twin in port.twins), ())
    return tuple(sorted(its, key=lambda twin: twin.interface.name != name))


def ours(patient: Patient) -> Interface | None:
    """Return the interface that ETH_IF names."""
    return patient.facts.links.named(patient.node.eth_if)


def named(patient: Patient) -> tuple[Twin, ...]:
    """Return what IB_IF names and the node has."""
    return tuple(twin for twin in twins(patient.facts) if twin.device.name in patient.node.ib_if)


def absent(patient: Patient) -> tuple[str, ...]:
    """Return what IB_IF names and the node has not."""
    return tuple(name for name in patient.node.ib_if if not patient.facts.rdma.named(name))


def in_ring(patient: Patient) -> bool:
    """Tell whether a node's ports lead to different neighbours.

    No address of a ConnectX port reaches all nodes then, so ETH_IF is another interface (NVIDIA
    dgx-spark-playbooks, connect-three-sparks).
    """
    if port_of(patient.facts, patient.node.eth_if):
        return False
    chosen = {twin.port for twin in named(patient)}
    alive = {twin.port for twin in twins(patient.facts) if twin.device.active}
    return len(chosen) > 1 or (len(alive) > 1 and len(patient.cluster.nodes) >= RING)


@dataclass(frozen=True, kw_only=True)
class Detour:
    """ETH_IF has HOST_IP, and leads away from the other nodes; another interface leads there."""

    other: Node
    interface: Interface
    address: IPv4Address
    """Of the interface, in the network of the other node."""


def detour(patient: Patient) -> Detour | None:
    """Return which interface would be the right one; the head is, but on the slow port."""
    its = ours(patient)
    if not its or patient.node.host_ip not in (one.ip for one in its.addresses):
        return None
    others = _others(patient)
    if any(node.host_ip in one.network for one in its.addresses for node in others):
        return None
    return next(_better(patient, others), None)


def _others(patient: Patient) -> tuple[Node, ...]:
    """Return whom a node must find in the network of its interface."""
    if patient.node.role == "worker":
        return (patient.cluster.head,)
    return patient.cluster.workers if patient.node.eth_if == RJ45 else ()


def _better(patient: Patient, others: tuple[Node, ...]) -> Iterator[Detour]:
    for one in own(patient):
        for address in one.addresses if one.name != RJ45 else ():
            for node in others:
                if node.host_ip in address.network:
                    yield Detour(other=node, interface=one, address=address.ip)


def own(patient: Patient) -> tuple[Interface, ...]:
    """Return the interfaces that are not Docker's."""
    interfaces = patient.facts.links.interfaces
    return tuple(one for one in interfaces if not one.name.startswith(DOCKERS))


def used(patient: Patient) -> tuple[Twin, ...]:
    """Return the twins that carry the cluster's data: those of IB_IF, and that of ETH_IF."""
    chosen = {patient.node.eth_if, *(twin.interface.name for twin in named(patient))}
    return tuple(twin for twin in twins(patient.facts) if twin.interface.name in chosen)


def machines(look: Callable[[Patient], Iterator[Problem]]) -> Look:
    """Turn a look at one machine into a look at all; the links of namespaces are made later."""
    every = each(look)
    return lambda patients: every(
        tuple(patient for patient in patients if patient.cluster.runtime != "process")
    )


def joined(look: Callable[[Patient], Iterator[Problem]]) -> Look:
    """Do the same for a cluster of several nodes; one alone needs no link."""
    every = machines(look)
    return lambda patients: every(tuple(patient for patient in patients if patient.cluster.workers))
