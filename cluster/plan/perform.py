"""Performs the steps of a plan on this machine."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import singledispatchmethod
from pathlib import Path
from subprocess import Popen

from cluster.containers.inside import StartService, StopService
from cluster.containers.perform import ContainerSteps
from cluster.containers.steps import (
    CheckContainers,
    CheckNodes,
    RemoveContainer,
    ShareToken,
    StartContainer,
)
from cluster.errors import ClusterError, NodeError, Problem
from cluster.machine import files, processes
from cluster.machine.terminal import Report
from cluster.namespaces.steps import (
    Command,
    HoldNamespaces,
    KillLeftovers,
    StartProcess,
    StopProcess,
)
from cluster.node import Cluster
from cluster.plan.services import Services
from cluster.plan.starting import LOST_SECONDS, Starting
from cluster.plan.steps import (
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    RemoveFolder,
    Step,
    WriteFile,
)
from cluster.plan.waiting import Waiting
from cluster.words import shell_line

START_SECONDS = 10.0
START_POLL_SECONDS = 0.005


class Performer:
    """Performs plans, and tells a report about it.

    Setting `cancelled` from another thread ends every wait at its next look.
    """

    def __init__(self, cluster: Cluster, services: Services, report: Report) -> None:
        """Take the cluster that errors speak of, its services, and who hears of each step."""
        self._cluster = cluster
        self._services = services
        self._report = report
        self._starting = Starting(cluster, services, report)
        self._containers = ContainerSteps(cluster, services, report)
        self.cancelled = threading.Event()

    def plan(self, plan: Plan) -> str:
        """Perform steps in order; return what the last gate heard."""
        heard = ""
        for step in plan:
            heard = self.step(step) or heard
        return heard

    @singledispatchmethod
    def step(self, step: Step) -> str:
        """Perform one step; a Gate returns what it heard."""
        raise NotImplementedError(step)

    @step.register
    def _(self, step: MakeFolder) -> str:
        files.make_folder(step.path)
        return ""

    @step.register
    def _(self, step: WriteFile) -> str:
        Path(step.path).write_text(step.content, encoding="utf-8")
        return ""

    @step.register
    def _(self, step: MakeSecret) -> str:
        files.ensure_secret(step.path)
        return ""

    @step.register
    def _(self, step: Command) -> str:
        done = processes.run(step.argv, step.environment)
        if done.code:
            line = shell_line(step.argv)
            message = f"`{line}` failed: {done.error.strip() or f'exit code {done.code}'}"
            raise NodeError(
                Problem(
                    place=step.place,
                    message=message,
                    remedy=f"{self._cluster.inv('down')}, then again",
                )
            )
        return ""

    @step.register
    def _(self, step: HoldNamespaces) -> str:
        found = processes.find(step.trace)
        if found and Path(step.ready).exists():
            return ""
        with self._report.step(step.place, step.title):
            processes.sweep(*step.trace.mark)
            Path(step.trace.pid_file).unlink(missing_ok=True)
            self._hold(step)
        return ""

    @step.register
    def _(self, step: StartProcess) -> str:
        if not self._starting.runs(step):
            with self._report.step(step.place, step.title):
                processes.end(step.trace, LOST_SECONDS)
                self._launch(step)
        return ""

    @step.register
    def _(self, step: StartContainer) -> str:
        self._containers.contain(step)
        return ""

    @step.register
    def _(self, step: StartService) -> str:
        self._containers.launch(step)
        return ""

    @step.register
    def _(self, step: ShareToken) -> str:
        self._containers.share(step)
        return ""

    @step.register
    def _(self, step: CheckNodes) -> str:
        self._containers.examine(step)
        return ""

    @step.register
    def _(self, step: CheckContainers) -> str:
        self._containers.admit(step)
        return ""

    @step.register
    def _(self, step: StopService) -> str:
        self._containers.halt(step)
        return ""

    @step.register
    def _(self, step: RemoveContainer) -> str:
        self._containers.discard(step)
        return ""

    @step.register
    def _(self, step: Await) -> str:
        if step.unless and self._services.find(step.unless):
            return ""
        with self._report.step(step.place, step.title) as progress:
            waiting = Waiting(self._cluster, step, self._services, progress, self.cancelled)
            return waiting.wait()

    @step.register
    def _(self, step: StopProcess) -> str:
        if processes.find(step.trace):
            with self._report.step(step.place, step.title):
                if not processes.end(step.trace, step.seconds):
                    raise NodeError(_undying(step))
        Path(step.trace.pid_file).unlink(missing_ok=True)
        return ""

    @step.register
    def _(self, step: KillLeftovers) -> str:
        if not processes.sweep(step.name, step.folder):
            raise NodeError(_undying(step))
        return ""

    @step.register
    def _(self, step: RemoveFolder) -> str:
        files.remove_folder(step.path)
        return ""

    @step.register
    def _(self, step: Parallel) -> str:
        """Perform the branches in threads; wait for all, then raise the problems of all."""
        problems: list[ClusterError] = []
        threads = 1 if step.in_turn else len(step.branches)
        with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
            futures = [pool.submit(self.plan, branch) for branch in step.branches]
            try:
                problems = [error for future in futures if (error := _error(future))]
            except KeyboardInterrupt:
                self.cancelled.set()
                raise
        if problems:
            each = (problem for error in problems for problem in error.problems)
            raise type(problems[0])(*dict.fromkeys(each))
        return ""

    def _hold(self, step: HoldNamespaces) -> None:
        pid_file = Path(step.trace.pid_file)
        process = processes.launch(step.argv, step.environment, Path(step.trace.log))
        try:
            self._appear(pid_file, process, step)
            for command in step.setup:
                self.step(command)
            Path(step.ready).touch()
        except BaseException:
            processes.sweep(*step.trace.mark)
            raise

    def _appear(
        self, pid_file: Path, process: Popen[bytes], step: HoldNamespaces | StartProcess
    ) -> None:
        """Wait until a launched process has written its number."""
        until = time.monotonic() + START_SECONDS
        while not (pid_file.exists() and pid_file.stat().st_size):
            if process.poll() is not None or time.monotonic() > until:
                text = Path(step.trace.log).read_text(encoding="utf-8", errors="replace").strip()
                remedy = step.remedy if isinstance(step, HoldNamespaces) else ""
                raise NodeError(
                    Problem(place=step.place, message=f"{step.title}: {text}", remedy=remedy)
                )
            time.sleep(START_POLL_SECONDS)

    def _launch(self, step: StartProcess) -> None:
        pid_file = Path(step.trace.pid_file)
        pid_file.unlink(missing_ok=True)
        pid_file.with_suffix(".command").write_text(step.text, encoding="utf-8")
        self._appear(
            pid_file, processes.launch(step.argv, step.environment, Path(step.trace.log)), step
        )


def _undying(step: StopProcess | KillLeftovers) -> Problem:
    message = f"{step.title}: some processes do not end, not even by SIGKILL"
    return Problem(
        place=step.place, message=message, remedy="restart the machine, or wait for its disk"
    )


def _error(future: Future[str]) -> ClusterError | None:
    """Return what the branch could not do; anything but a ClusterError is a defect, and raised."""
    error = future.exception()
    if error is not None and not isinstance(error, ClusterError):
        raise error
    return error
