"""Performs plans: step by step, branches side by side, each step by the case for its class."""

from functools import singledispatch

from cluster.errors import Problem, RefusedError
from cluster.machine import files
from cluster.machine.parallel import Event, branches
from cluster.machine.terminal import Report
from cluster.node import Cluster
from cluster.plan import services
from cluster.plan.log_reader import LogReader
from cluster.plan.steps import (
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    RemoveFolder,
    Start,
    Step,
    WriteFile,
)
from cluster.plan.waiting import Waiting


class Performer:
    """Performs plans of one cluster, and reports the progress of each step.

    Setting `cancelled` from another thread ends every wait at its next poll.
    """

    def __init__(self, cluster: Cluster, report: Report, reader: LogReader) -> None:
        """`cluster` names itself in errors; `report` receives progress; `reader` explains logs."""
        self.cluster = cluster
        self.report = report
        self.reader = reader
        self.cancelled = Event()

    def plan(self, plan: Plan) -> str:
        """Perform steps in order; return the answer to the last query."""
        answer = ""
        for step in plan:
            answer = perform(step, self) or answer
        return answer

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
        """Report that there is nothing to do."""
        self.report.note(f"{step.place}: {step.title}: already running")


@singledispatch
def perform(step: object, performer: Performer) -> str:
    """Perform one step; return the answer to its query, if it has one."""
    answer: str = services.case(perform, step)(step, performer)
    return answer


@perform.register
def _(step: MakeFolder, _performer: Performer) -> str:
    files.make_folder(step.path)
    return ""


@perform.register
def _(step: WriteFile, _performer: Performer) -> str:
    files.write(step.path, step.content)
    return ""


@perform.register
def _(step: MakeSecret, _performer: Performer) -> str:
    files.ensure_secret(step.path)
    return ""


@perform.register
def _(step: RemoveFolder, _performer: Performer) -> str:
    files.remove_folder(step.path)
    return ""


@perform.register
def _(step: Await, performer: Performer) -> str:
    if step.unless and services.find(step.unless):
        return ""
    with performer.report.step(step.place, step.title) as progress:
        waiting = Waiting(performer.cluster, step, progress, performer.reader, performer.cancelled)
        return waiting.answer()


@perform.register
def _(step: Parallel, performer: Performer) -> str:
    branches(performer.plan, step.branches, performer.cancelled, in_turn=step.in_turn)
    return ""
