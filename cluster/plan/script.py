"""A plan as a shell script, as `--dry` prints it."""

from itertools import chain

from cluster.plan.steps import Parallel, Plan, Step


def text(plan: Plan) -> str:
    """Return the commands of a plan in order, each under a comment with its place and title.

    A step without commands is its comment alone.
    """
    steps = (f"# {step.place}: {step.title}\n{step.text}" for step in flat(plan))
    return "\n".join(step.removesuffix("\n") + "\n" for step in steps)


def flat(plan: Plan) -> tuple[Step, ...]:
    """Return all steps in order; those of parallel branches one branch after the other."""
    singles: list[Step] = []
    for step in plan:
        singles += flat(tuple(chain(*step.branches))) if isinstance(step, Parallel) else (step,)
    return tuple(singles)
