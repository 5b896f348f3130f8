"""Whose address is on whose machine: what checks of one node must know of the others.

`mixed_up(patients)` names the nodes that the check `twice` speaks of; `address` says nothing about
these. `sound(patients)` are those whose own interface and address are as their files say: checks
between nodes speak of them alone, because what another check has found explains the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal

from cluster.checks.check import Patient
from cluster.checks.fabric import detour

Kind = Literal["one machine", "swapped", "as well", "instead"]


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """The HOST_IP of one node is on the machine of another."""

    kind: Kind
    """Both are one machine; each has the other's; both have it; only the other has it."""
    one: Patient
    other: Patient


def has(machine: Patient, owner: Patient) -> bool:
    """Tell whether a node's machine has the HOST_IP of a node: its own, or another's."""
    return machine.facts.links.holder(owner.node.host_ip) is not None


def mixups(patients: tuple[Patient, ...]) -> tuple[Mixup, ...]:
    """Return every mix-up, each once; namespaces of one machine cannot be mixed up."""
    real = tuple(its for its in patients if its.cluster.runtime != "process")
    return (*_mutual(real), *_taken(real))


def mixed_up(patients: tuple[Patient, ...]) -> frozenset[str]:
    """Return the names of the nodes that have, or lack, an address that is another's."""
    return frozenset(name for its in mixups(patients) for name in _names(its.one, its.other))


def sound(patients: tuple[Patient, ...]) -> tuple[Patient, ...]:
    """Return the nodes that should reach each other: ETH_IF has a cable and, alone, HOST_IP."""
    others = mixed_up(patients)
    return tuple(its for its in patients if its.node.name not in others and _settled(its))


def _mutual(patients: tuple[Patient, ...]) -> Iterator[Mixup]:
    for one, other in combinations(patients, 2):
        if kind := _kind(one, other):
            yield Mixup(kind=kind, one=one, other=other)


def _kind(one: Patient, other: Patient) -> Kind | None:
    if _identity(one) == _identity(other):
        return "one machine"
    crossed = has(one, other) and has(other, one)
    return "swapped" if crossed and not has(one, one) and not has(other, other) else None


def _taken(patients: tuple[Patient, ...]) -> Iterator[Mixup]:
    mutual = {_names(its.one, its.other) for its in _mutual(patients)}
    for one, other in permutations(patients, 2):
        if has(other, one) and _names(one, other) not in mutual:
            yield Mixup(kind="as well" if has(one, one) else "instead", one=one, other=other)


def _names(one: Patient, other: Patient) -> frozenset[str]:
    return frozenset({one.node.name, other.node.name})


def _identity(patient: Patient) -> tuple[str, frozenset[str]]:
    """Return what no two machines have in common."""
    macs = frozenset(its.mac for its in patient.facts.links.interfaces)
    return patient.facts.machine.hostname, macs


def _settled(patient: Patient) -> bool:
    ours = patient.facts.links.named(patient.node.eth_if)
    if not ours or patient.cluster.runtime == "process":
        return False
    held = patient.facts.links.holder(patient.node.host_ip) is ours
    return ours.alive and held and not detour(patient)
