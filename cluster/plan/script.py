"""A plan as a shell script: what `--dry` prints."""

from collections.abc import Iterable
from typing import Protocol

from cluster.plan.steps import Parallel, Plan, Single


class Printable(Protocol):
    """A step as `--dry` shows it."""

    @property
    def place(self) -> str:
        """The node, or what else the step works on."""

    @property
    def title(self) -> str:
        """What the step does."""

    @property
    def text(self) -> str:
        """Shell text that does the same."""


def text(plan: Plan) -> str:
    """Return the commands of a plan in order, each under a comment that says where and what."""
    return lines(flat(plan))


def lines(steps: Iterable[Printable]) -> str:
    """Return the commands of single steps in the same form."""
    return "\n".join(f"# {step.place}: {step.title}\n{step.text}\n" for step in steps)


def flat(plan: Plan) -> tuple[Single, ...]:
    """Return the steps in order, those of branches one branch after the other."""
    return tuple(single for step in plan for single in _singles(step))


def _singles(step: Single | Parallel) -> tuple[Single, ...]:
    if isinstance(step, Parallel):
        return tuple(single for branch in step.branches for single in flat(branch))
    return (step,)
