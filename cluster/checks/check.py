"""A check: what it looks at, why that matters, and what it found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.node_context import NodeContext

Severity = Literal["blocks", "slow", "note"]
"""The cluster will not work; it will, but not well; worth knowing."""
SEVERITIES: tuple[Severity, ...] = ("blocks", "slow", "note")


@dataclass(frozen=True, kw_only=True)
class Patient(NodeContext):
    """A node in its cluster, and what its machine said."""

    facts: Facts = field(repr=False)

    def on(self, line: str) -> str:
        """Return a shell command for the node, in backticks."""
        return self.command(line)


Look = Callable[[tuple[Patient, ...]], Iterator[Problem]]
"""From all nodes that answered, the head first, to what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that keeps clusters from working, or from working well."""

    name: str
    """What `inv doctor --explain` takes: small letters and hyphens."""
    severity: Severity
    title: str
    """What should be so, as a sentence without a full stop."""
    looks_at: str
    """Files and commands that tell."""
    why: str
    """What happens otherwise, in a sentence or two."""
    remedy: str
    """What to do in general; what was found names the very command."""
    source: str
    """Where this is known from, for people to read: document, issue, source file."""
    look: Look = field(repr=False)
    serving: bool = False
    """It keeps the server from starting, and not the cluster: the fast form leaves it out."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    check: Check
    problem: Problem
    """Its place is the node, or `spark1, spark2` for what is between them."""


def each(look: Callable[[Patient], Iterator[Problem]]) -> Look:
    """Turn a look at one node into a look at all of them, one after the other."""
    return lambda patients: (problem for patient in patients for problem in look(patient))
