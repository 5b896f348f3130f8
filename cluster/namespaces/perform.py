"""Performs the steps on processes, and finds, asks and reads the services that are processes."""

from cluster.errors import NodeError, Problem
from cluster.machine import files, processes
from cluster.machine.places import ROOT, STATE
from cluster.machine.processes import Completed
from cluster.machine.terminal import Report
from cluster.namespaces.runtime import Namespaces
from cluster.namespaces.steps import (
    NODE,
    SPEC,
    Command,
    HoldNamespaces,
    KillLeftovers,
    LaunchStep,
    ProcessHandle,
    StartProcess,
    StopProcess,
)
from cluster.plan import services
from cluster.plan.perform import ClusterPerformer, Performer, perform
from cluster.plan.services import Log, RunningService
from cluster.words import shell_line

OBSOLETE_SECONDS = 5.0
"""Time to end an obsolete service."""


@perform.register
def _(step: Command, performer: ClusterPerformer) -> None:
    result = processes.run(step.argv, step.environment)
    if result.code:
        reason = result.error.strip() or f"exit code {result.code}"
        message = f"`{shell_line(step.argv)}` failed: {reason}"
        remedy = f"{performer.cluster.inv('down')}, then try again"
        raise NodeError(Problem(place=step.place, message=message, remedy=remedy))


@perform.register
def _(step: HoldNamespaces, performer: Performer) -> None:
    if processes.find(step.handle.number) and files.exists(step.ready):
        return
    with performer.report.step(step.place, step.title):
        processes.kill_below(*step.handle.mark)
        try:
            _launch(step, step.remedy)
            for command in step.setup:
                perform(command, performer)
            files.write(step.ready, "")
        except BaseException:
            processes.kill_below(*step.handle.mark)
            raise


@perform.register
def _(step: StartProcess, performer: ClusterPerformer) -> None:
    if not performer.is_running(step):
        with performer.report.step(step.place, step.title):
            processes.end(step.handle.number, OBSOLETE_SECONDS)
            files.write(f"{step.handle.pid_file.removesuffix('.pid')}.command", step.text)
            _launch(step, "")


@perform.register
def _(step: StopProcess, performer: Performer) -> None:
    if processes.find(step.handle.number):
        with performer.report.step(step.place, step.title):
            if not processes.end(step.handle.number, step.seconds):
                raise NodeError(_unkillable(step))
    files.remove_file(step.handle.pid_file)


@perform.register
def _(step: KillLeftovers, _performer: Performer) -> None:
    if not processes.kill_below(step.name, step.folder):
        raise NodeError(_unkillable(step))


@services.find.register
def _(handle: ProcessHandle, *, timed: bool = False) -> RunningService | None:
    del timed  # known without another question
    process = processes.find(handle.number)
    if process is None:
        return None
    digest = process.environment.get(SPEC, "")
    return RunningService(argv=process.argv, digest=digest, since=process.since)


@services.was_started.register
def _(handle: ProcessHandle) -> bool:
    return files.exists(handle.pid_file)


@services.exit_code.register
def _(_handle: ProcessHandle) -> int | None:
    return None  # nobody keeps the exit code of a process that outlived its parent


@services.ask.register
def _(query: Command, seconds: float | None = None) -> Completed:
    return processes.run(query.argv, query.environment, seconds=seconds)


@services.log.register
def _(handle: ProcessHandle) -> Log:
    return FileLog(handle)


class FileLog:
    """The log of a process."""

    def __init__(self, handle: ProcessHandle) -> None:
        """Begin at the top."""
        self._path = handle.log
        self._read = 0

    @property
    def exists(self) -> bool:
        """Whether the file exists."""
        return files.exists(self._path)

    def new_lines(self) -> list[str]:
        """Return the whole lines that are new."""
        content = self._unread()
        return self._lines(content[: content.rfind(b"\n") + 1])

    def remaining_lines(self) -> list[str]:
        """Return everything that is new."""
        return self._lines(self._unread())

    def _unread(self) -> bytes:
        """Read on; a log that has become shorter is a new one, and is read from its top."""
        size = files.size(self._path)
        if size < self._read:
            self._read = 0
        return files.read_from(self._path, self._read)

    def _lines(self, content: bytes) -> list[str]:
        self._read += len(content)
        return content.decode("utf-8", errors="replace").splitlines()


@services.equip.register
def _(_runtime: Namespaces, report: Report) -> None:
    """Install the environment of the rehearsal, unless it is complete.

    While any cluster runs from it, it stays as it is, even if it is out of date.
    """
    if not processes.lives(NODE, STATE):
        from cluster.rehearsal import install  # a subject of its own

        install.ensure(ROOT, report)


def _launch(step: LaunchStep, remedy: str) -> None:
    """Start the process, and wait until it has written its number."""
    handle = step.handle
    error = processes.launch(step.argv, step.environment, handle.log, handle.pid_file)
    if error:
        message = f"{step.title}: {error}"
        raise NodeError(Problem(place=step.place, message=message, remedy=remedy))


def _unkillable(step: StopProcess | KillLeftovers) -> Problem:
    message = f"{step.title}: some processes do not end, not even after SIGKILL"
    return Problem(place=step.place, message=message, remedy="restart the machine")
