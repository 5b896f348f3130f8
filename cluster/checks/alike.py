"""What should be the same on all nodes, and who has what where it is not."""

from collections.abc import Callable, Iterator

from cluster.checks.check import Patient
from cluster.errors import Problem


def names(patients: tuple[Patient, ...]) -> str:
    """Return the nodes' names, as a place or in a sentence."""
    return ", ".join(its.node.name for its in patients)


def apart(
    subject: str,
    patients: tuple[Patient, ...],
    told: Callable[[Patient], str],
    remedy: Callable[[tuple[Patient, ...]], str],
) -> Iterator[Problem]:
    """Say who has what, as one problem of all of them; nothing when all have the same.

    `told` says nothing of a node that is not to be compared; `remedy` is told of all others.
    """
    known = tuple(its for its in patients if told(its))
    values = dict.fromkeys(told(its) for its in known)
    if len(values) > 1:
        groups = {value: tuple(its for its in known if told(its) == value) for value in values}
        each = "; ".join(f"{value} on {names(group)}" for value, group in groups.items())
        yield Problem(place=names(known), message=f"{subject}: {each}", remedy=remedy(known))
