"""A plan as a shell script: what `--dry` prints."""

from cluster.plan.steps import Parallel, Plan, Step


def text(plan: Plan) -> str:
    """Return the commands of a plan in order, each under a comment with its place and title."""
    return "\n".join(f"# {step.place}: {step.title}\n{step.text}\n" for step in flat(plan))


def flat(plan: Plan) -> tuple[Step, ...]:
    """Return all steps in order; those of parallel branches one branch after the other."""
    return tuple(single for step in plan for single in _singles(step))


def _singles(step: Step | Parallel) -> tuple[Step, ...]:
    if isinstance(step, Parallel):
        return tuple(single for branch in step.branches for single in flat(branch))
    return (step,)
