"""What should be the same on all nodes, and who has what where it is not."""

from collections.abc import Callable, Iterator

from cluster.doctor.check import Patient
from cluster.errors import Problem


def differing(
    patients: tuple[Patient, ...], told: Callable[[Patient], str]
) -> dict[str, tuple[Patient, ...]]:
    """Return who has which value, the first node's first; nothing when all have one.

    `told` says nothing of a node that is not to be compared.
    """
    known = tuple((told(its), its) for its in patients if told(its))
    values = dict.fromkeys(value for value, _ in known)
    groups = {value: tuple(its for own, its in known if own == value) for value in values}
    return groups if len(groups) > 1 else {}


def names(patients: tuple[Patient, ...]) -> str:
    """Return the nodes' names, as a place or in a sentence."""
    return ", ".join(its.node.name for its in patients)


def apart(subject: str, groups: dict[str, tuple[Patient, ...]], remedy: str) -> Iterator[Problem]:
    """Say who has what, as one problem of all of them."""
    if groups:
        everybody = tuple(its for group in groups.values() for its in group)
        each = "; ".join(f"{value} on {names(group)}" for value, group in groups.items())
        yield Problem(place=names(everybody), what=f"{subject}: {each}", remedy=remedy)
