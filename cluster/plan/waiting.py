"""Waits at a gate: asks again and again, and meanwhile watches the logs of what must stay alive."""

import threading
import time
from contextlib import suppress

from cluster.errors import NodeError, Problem, RefusedError
from cluster.logs import logs
from cluster.logs.explanation import Explanation, ServiceLog
from cluster.logs.reader import LogReader
from cluster.machine.processes import Completed
from cluster.machine.terminal import Progress
from cluster.node import Cluster
from cluster.plan.services import Services
from cluster.plan.steps import AnyHandle, Await

LOGS = LogReader()
POLL_SECONDS = 0.2
SETTLE_SECONDS = 2.0
"""How long the lines that follow a fatal one may take to arrive."""


class Watched:
    """A service that must stay alive, and what it logs meanwhile."""

    def __init__(self, trace: AnyHandle, services: Services) -> None:
        """Begin at the top of the log."""
        self.trace = trace
        self.lines: list[str] = []
        self._services = services
        self._log = services.log(trace)
        self._ending: list[str] = []

    def grown(self) -> list[str]:
        """Return the lines that are new since the last call."""
        new = self._log.grown()
        self.lines += new
        return new

    def has_logged(self, words: str) -> bool:
        """Tell whether a line so far has these words."""
        return not words or any(words in line for line in self.lines)

    def end(self) -> None:
        """Read the log to its end."""
        self.lines += self._log.rest()

    @property
    def alive(self) -> bool:
        """Whether the service lives."""
        return self._services.find(self.trace) is not None

    @property
    def ended(self) -> str:
        """What is to be said of a service that does not live any more."""
        self._ending = logs.ending(self._services, self.trace)
        return next(iter(self._ending), f"{self.trace.service} has ended")

    @property
    def log(self) -> ServiceLog:
        """What it has logged so far, and how it has ended."""
        lines = [*self.lines, *self._ending]
        return ServiceLog(node=self.trace.place, service=self.trace.service, lines=lines)


class Waiting:
    """One wait at one gate."""

    def __init__(
        self,
        cluster: Cluster,
        gate: Await,
        services: Services,
        progress: Progress,
        cancelled: threading.Event,
    ) -> None:
        """Take the gate, whom it asks, who hears of it, and the event that ends it early."""
        self._cluster = cluster
        self._gate = gate
        self._services = services
        self._progress = progress
        self._cancelled = cancelled
        self._watched = [Watched(trace, services) for trace in gate.watch]

    def wait(self) -> str:
        """Return the first answer without a problem; raise when time is up or a service fails."""
        until = time.monotonic() + self._gate.seconds
        while True:
            asked = self._services.ask(self._gate.ask)
            problems = self._gate.problems(asked.output)
            if problems or self._gate.logged:
                self._look()
            problems = problems or self._unlogged()
            if not problems:
                return asked.output
            if time.monotonic() > until:
                raise (RefusedError if self._gate.refuses else NodeError)(
                    *problems, *self._mute(asked), *self._known()
                )
            if self._cancelled.wait(POLL_SECONDS):
                raise KeyboardInterrupt

    def _unlogged(self) -> tuple[Problem, ...]:
        """Return the services that have not yet logged what they must."""
        missing = (it for it in self._watched if not it.has_logged(self._gate.logged))
        message = f"has not logged `{self._gate.logged}`"
        return tuple(Problem(place=it.trace.place, message=message) for it in missing)

    def _mute(self, asked: Completed) -> tuple[Problem, ...]:
        """Say why there was no answer at all: the question itself could not be asked."""
        lines = asked.error.strip().splitlines()
        said = lines[-1:] if asked.code else []
        return tuple(
            Problem(place=self._gate.place, message=f"could not be asked: {it}") for it in said
        )

    def _look(self) -> None:
        """Raise the failure of the first service that failed; tell the newest phase."""
        for watched in self._watched:
            new = watched.grown()
            if not watched.alive:
                raise self._failure(watched, watched.ended)
            if any(LOGS.is_fatal(line) for line in new):
                time.sleep(SETTLE_SECONDS)
                raise self._failure(watched, f"{watched.trace.service} failed")
            phases = [phase for line in new if (phase := LOGS.phase(line))]
            # The last one is waited for; what the others did before is old news.
            if phases and watched.trace.service == self._watched[-1].trace.service:
                self._progress.tell(phases[-1])

    def _failure(self, failed: Watched, message: str) -> NodeError:
        """Say what became of a service: the lines of its log that matter, the cause, a remedy."""
        failed.end()
        for watched in self._watched:
            with suppress(NodeError):  # the cause may be in any log that can be read
                watched.end()
        node = failed.trace.place
        lines = LOGS.excerpt(failed.lines)
        likely = self._likely()
        why = likely.reason((message, *lines)) if likely else ()
        indented = "".join(f"\n    {line}" for line in (*lines, *why))
        remedy = likely.remedy if likely else f"next: {self._cluster.inv('logs', '--node', node)}"
        return NodeError(Problem(place=node, message=f"{message}{indented}\n   ", remedy=remedy))

    def _likely(self) -> Explanation | None:
        """Return the likely cause of what was logged, if it is known."""
        return LOGS.likely_cause(self._cluster, [watched.log for watched in self._watched])

    def _known(self) -> tuple[Problem, ...]:
        """Say what is known to go wrong meanwhile, when time is up."""
        likely = self._likely()
        return (likely.problem,) if likely else ()
