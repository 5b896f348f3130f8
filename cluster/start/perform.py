"""Performs the checks before a start."""

from cluster.errors import Problem, RefusedError
from cluster.plan import services
from cluster.plan.perform import ClusterPerformer, perform
from cluster.start.steps import CheckNodes


@perform.register
def _(step: CheckNodes, performer: ClusterPerformer) -> None:
    """Refuse nodes that cannot work, with all problems of all of them."""
    if all(services.find(handle) for handle in step.unless):
        return
    from cluster.checks import doctor  # the checks take as long to load as everything else

    with performer.report.step(step.place, step.title):
        problems = doctor.blocking(performer.cluster, step.hosts)
    if problems:
        remedy = "skip these checks with `--no-preflight`"
        nothing = Problem(place=step.place, message="nothing was started", remedy=remedy)
        raise RefusedError(*problems, nothing)
