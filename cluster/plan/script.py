"""A plan as a shell script: what `--dry` prints."""

from cluster.plan.steps import Parallel, Plan, Step


def text(plan: Plan) -> str:
    """Return the commands of a plan in order, each under a comment with its place and title."""
    return "\n".join(f"# {step.place}: {step.title}\n{_line(step)}" for step in flat(plan))


def _line(step: Step) -> str:
    """Return the shell text of a step with its line end; nothing for a step without commands."""
    return f"{step.text}\n" if step.text else ""


def flat(plan: Plan) -> tuple[Step, ...]:
    """Return all steps in order; those of parallel branches one branch after the other."""
    return tuple(single for step in plan for single in _singles(step))


def _singles(step: Step | Parallel) -> tuple[Step, ...]:
    if isinstance(step, Parallel):
        return tuple(single for branch in step.branches for single in flat(branch))
    return (step,)
