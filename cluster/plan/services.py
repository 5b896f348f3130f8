"""The services of nodes, as processes or in containers: asked, found again, their logs read."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.containers.inside import ExecCommand
from cluster.logs.logs import FileLog, Log
from cluster.machine import processes
from cluster.machine.processes import Alive, Completed
from cluster.namespaces.steps import Command, ProcessHandle
from cluster.plan.steps import AnyHandle, Ask

if TYPE_CHECKING:
    from cluster.containers.containment import Containment


class Services:
    """What traces and questions lead to; engines are connected on first use."""

    def __init__(self) -> None:
        """Connect to nothing yet."""
        self._containers: Containment | None = None
        self._connecting = threading.Lock()

    @property
    def containers(self) -> "Containment":
        """The containers on all engines."""
        with self._connecting:  # several threads may be the first to ask
            if self._containers is None:
                from cluster.containers.containment import Containment
                from cluster.machine.engines import Engines

                self._containers = Containment(Engines())
            return self._containers

    def find(self, trace: AnyHandle, *, timed: bool = False) -> Alive | None:
        """Return a service that runs; since when, where that is one more question, if `timed`."""
        if isinstance(trace, ProcessHandle):
            return processes.find(trace)
        return self.containers.find(trace, timed=timed)

    def started(self, trace: AnyHandle) -> bool:
        """Tell whether a service was started at some time and not taken down."""
        if isinstance(trace, ProcessHandle):
            return Path(trace.pid_file).exists()
        return self.containers.started(trace)

    def exit_code(self, trace: AnyHandle) -> int | None:
        """Return the code with which a service has ended, where somebody keeps it."""
        return None if isinstance(trace, ProcessHandle) else self.containers.exit_code(trace)

    def ask(self, ask: Ask, seconds: float | None = None) -> Completed:
        """Run a command to its end; one that outlives `seconds` gives code 124."""
        if isinstance(ask, Command):
            return processes.run(ask.argv, ask.environment, seconds=seconds)
        if seconds and isinstance(ask, ExecCommand):
            # Who asks cannot end a process of another machine; coreutils' timeout can.
            return self.containers.ask(replace(ask, argv=("timeout", f"{seconds:g}", *ask.argv)))
        return self.containers.ask(ask)

    def log(self, trace: AnyHandle) -> Log:
        """Return the log of a service, read from its top."""
        if isinstance(trace, ProcessHandle):
            return FileLog(trace)
        from cluster.containers.log import ContainerLog

        return ContainerLog(trace, self.containers)
