"""Which devices of IB_IF lead where ETH_IF does, and whether NCCL is left one that works."""

from collections.abc import Iterable

from cluster.checks.check import Patient
from cluster.checks.fabric import RING, in_ring, named, ours, port_of
from cluster.facts.ports import Twin


def left(patient: Patient) -> bool:
    """Tell whether NCCL is left a device that works: it leaves out those that are not active.

    Of a Spark's, only those of ETH_IF's port lead where ETH_IF does.
    """
    if _needs_all(patient):
        return False
    spark = len(port_of(patient.facts, patient.node.eth_if)) > 1
    chosen = {*patient.node.ib_if} - (names_of(others(patient)) if spark else set())
    return any(device.active for device in patient.facts.rdma.devices if device.name in chosen)


def _needs_all(patient: Patient) -> bool:
    """Tell whether each port leads to another neighbour; two nodes have no others.

    An ETH_IF that is virtual may be on a port: it is no sign of a ring.
    """
    its = ours(patient)
    virtual = bool(its and its.kind)
    return in_ring(patient) and len(patient.cluster.nodes) >= RING and not virtual


def alien(patient: Patient) -> tuple[Twin, ...]:
    """Return what IB_IF names of another port than ETH_IF's, if ETH_IF is right.

    A second port beside ETH_IF's is nothing wrong, whether it has a link or not; nor are the ports
    of cards other than a Spark's.
    """
    strange = others(patient)
    beside = len(strange) < len(named(patient)) or left(patient)
    return () if beside or not _sound(patient) else strange


def others(patient: Patient) -> tuple[Twin, ...]:
    """Return what IB_IF names of another port than ETH_IF's, if that is a port."""
    own = port_of(patient.facts, patient.node.eth_if)
    return tuple(twin for twin in named(patient) if own and twin.port != own[0].port)


def names_of(chosen: Iterable[Twin]) -> set[str]:
    """Return the names of their devices."""
    return {twin.device.name for twin in chosen}


def _sound(patient: Patient) -> bool:
    """Tell whether ETH_IF has HOST_IP and a link, so that what differs from it is wrong."""
    its = ours(patient)
    return bool(its and its.alive and its == patient.facts.links.holder(patient.node.host_ip))
