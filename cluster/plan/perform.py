"""Performs plans: step by step, branches side by side, each step by the case for its class."""

from functools import singledispatch

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import files, processes
from cluster.machine.parallel import Event, side_by_side
from cluster.machine.processes import Completed
from cluster.machine.terminal import Report
from cluster.node import Cluster
from cluster.plan import services
from cluster.plan.log_reader import LogReader
from cluster.plan.steps import (
    AttachedCommand,
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    RemoveFolder,
    RunQuery,
    Start,
    Step,
    WriteFile,
)
from cluster.plan.waiting import Waiting


class Performer:
    """Performs plans, and reports the progress of each step.

    Setting `cancelled` from another thread ends every wait at its next poll.
    """

    def __init__(self, report: Report) -> None:
        """`report` receives progress."""
        self.report = report
        self.cancelled = Event()

    def plan(self, plan: Plan) -> tuple[Completed, ...]:
        """Perform steps in order; return the answers to their queries."""
        return tuple(answer for step in plan for answer in perform(step, self) or ())


class ClusterPerformer(Performer):
    """Performs plans of one cluster; the steps of a runtime need it."""

    def __init__(self, report: Report, cluster: Cluster, reader: LogReader) -> None:
        """`cluster` names itself in errors; `reader` explains the logs of what is waited for."""
        super().__init__(report)
        self.cluster = cluster
        self.reader = reader

    def is_running(self, step: Start) -> bool:
        """Whether the service is running as it should; a RefusedError if with other settings."""
        service = services.find(step.handle)
        if service and service.digest != step.spec.digest:
            message = f"{step.spec.service} is already running with different settings"
            part = ("--server",) if step.spec.service == "serve" else ()
            remedy = f"first stop it with {self.cluster.inv('down', *part)}"
            raise RefusedError(Problem(place=step.place, message=message, remedy=remedy))
        if service is None or not self.passes(getattr(step, "proof", None)):
            return False
        self.note_running(step)
        return True

    def passes(self, proof: Await | None) -> bool:
        """Whether a running service also counts as one for the other nodes."""
        return proof is None or not proof.problems(services.ask(proof.query).output)

    def note_running(self, step: Step) -> None:
        """Report a service that is running already."""
        self.report.note(f"{step.place}: {step.title}: already running")


@singledispatch
def perform(step: object, performer: Performer) -> tuple[Completed, ...] | None:
    """Perform one step; return the answers to its queries, if it has any."""
    return services.case(perform, step)(step, performer)


@perform.register
def _(step: MakeFolder, _performer: Performer) -> None:
    files.make_folder(step.path)


@perform.register
def _(step: WriteFile, _performer: Performer) -> None:
    files.write(step.path, step.content)


@perform.register
def _(step: MakeSecret, _performer: Performer) -> None:
    files.ensure_secret(step.path)


@perform.register
def _(step: RemoveFolder, _performer: Performer) -> None:
    files.remove_folder(step.path)


@perform.register
def _(step: RunQuery, _performer: Performer) -> tuple[Completed, ...]:
    try:
        return (services.ask(step.query, step.seconds),)
    except NodeError as error:
        if not step.keeps_errors:
            raise
        return (Completed(code=error.exit_code, output="", error=str(error)),)


@perform.register
def _(step: Await, performer: ClusterPerformer) -> tuple[Completed, ...]:
    if step.unless and services.find(step.unless):
        return ()
    with performer.report.step(step.place, step.title) as progress:
        waiting = Waiting(performer.cluster, step, progress, performer.reader, performer.cancelled)
        return (waiting.answer(),)


@perform.register
def _(step: Parallel, performer: Performer) -> tuple[Completed, ...]:
    answers = side_by_side(
        performer.plan, step.branches, in_turn=step.in_turn, cancelled=performer.cancelled
    )
    return tuple(answer for branch in answers for answer in branch)


@services.ask.register
def _(query: AttachedCommand, seconds: float | None = None) -> Completed:
    del seconds  # the user ends it
    code = processes.attached(query.argv, query.environment)
    return Completed(code=code, output="", error="")
