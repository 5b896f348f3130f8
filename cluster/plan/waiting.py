"""A wait: repeats a query, and meanwhile watches the logs of the services that must stay alive."""

from contextlib import suppress

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import clock
from cluster.machine.parallel import Event
from cluster.machine.processes import Completed
from cluster.machine.terminal import Progress
from cluster.node import Cluster
from cluster.plan import services
from cluster.plan.log_reader import Cause, LogReader, ServiceLog
from cluster.plan.steps import Await, Handle

POLL_SECONDS = 0.2
SETTLE_SECONDS = 2.0
"""How long the lines after a fatal one may take to arrive."""


def ending(handle: Handle) -> list[str]:
    """Return the exit code of a service that has ended as a log line; empty if it is unknown."""
    code = None if services.find(handle) else services.exit_code(handle)
    return [f"{handle.service} has ended with exit code {code}"] if code else []


class WatchedService:
    """A service that must stay alive, and its log."""

    def __init__(self, handle: Handle) -> None:
        """Begin at the top of the log."""
        self.handle = handle
        self.lines: list[str] = []
        self._log = services.log(handle)
        self._ending: list[str] = []

    def new_lines(self) -> list[str]:
        """Return the lines that are new since the last call."""
        lines = self._log.new_lines()
        self.lines += lines
        return lines

    def has_logged(self, words: str) -> bool:
        """Whether a line so far contains these words."""
        return not words or any(words in line for line in self.lines)

    def read_to_end(self) -> None:
        """Read the log to its end."""
        self.lines += self._log.remaining_lines()

    @property
    def is_alive(self) -> bool:
        """Whether the service is running."""
        return services.find(self.handle) is not None

    def end_message(self) -> str:
        """Return the message for a service that is not running any more."""
        self._ending = ending(self.handle)
        return next(iter(self._ending), f"{self.handle.service} has ended")

    @property
    def log(self) -> ServiceLog:
        """Everything it has logged so far, and how it has ended."""
        lines = [*self.lines, *self._ending]
        return ServiceLog(node=self.handle.place, service=self.handle.service, lines=lines)


class Waiting:
    """One wait."""

    def __init__(
        self,
        cluster: Cluster,
        step: Await,
        progress: Progress,
        reader: LogReader,
        cancelled: Event,
    ) -> None:
        """`progress` receives the phases of the last watched service; `cancelled` ends the wait."""
        self._cluster = cluster
        self._step = step
        self._progress = progress
        self._reader = reader
        self._cancelled = cancelled
        self._watched = [WatchedService(handle) for handle in step.watched]

    def answer(self) -> Completed:
        """Return the first answer without a problem; raise when time is up or a service fails."""
        deadline = clock.monotonic() + self._step.seconds
        while True:
            result = services.ask(self._step.query)
            problems = self._step.problems(result.output)
            if problems or self._step.logged:
                self._look()
            problems = problems or self._missing_lines()
            if not problems:
                return result
            if clock.monotonic() > deadline:
                error = RefusedError if self._step.refuses else NodeError
                raise error(*problems, *self._query_problems(result), *self._known_problems())
            if self._cancelled.wait(POLL_SECONDS):
                raise KeyboardInterrupt

    def _missing_lines(self) -> tuple[Problem, ...]:
        """Return a problem for each service that has not yet logged the line it must log."""
        line = self._step.logged
        silent = (service for service in self._watched if not service.has_logged(line))
        message = f"has not logged `{line}`"
        return tuple(Problem(place=service.handle.place, message=message) for service in silent)

    def _query_problems(self, result: Completed) -> tuple[Problem, ...]:
        """Return why there was no answer at all, if the query itself failed."""
        lines = result.error.strip().splitlines()[-1:] if result.code else []
        messages = (f"the question failed: {line}" for line in lines)
        return tuple(Problem(place=self._step.place, message=message) for message in messages)

    def _look(self) -> None:
        """Raise the failure of the first service that failed; report the newest phase."""
        for service in self._watched:
            lines = service.new_lines()
            if not service.is_alive:
                raise self._failure(service, service.end_message())
            if any(self._reader.is_fatal(line) for line in lines):
                clock.sleep(SETTLE_SECONDS)
                raise self._failure(service, f"{service.handle.service} failed")
            phases = [phase for line in lines if (phase := self._reader.phase(line))]
            # The wait is for the last service; the others have been ready before.
            if phases and service.handle.service == self._watched[-1].handle.service:
                self._progress.update(phases[-1])

    def _failure(self, failed: WatchedService, message: str) -> NodeError:
        """Return the error of a failed service: the lines that matter, the cause, a remedy."""
        failed.read_to_end()
        for service in self._watched:
            with suppress(NodeError):  # the cause may be in any log that can be read
                service.read_to_end()
        node = failed.handle.place
        lines = self._reader.excerpt(failed.lines)
        cause = self._likely_cause()
        reasons = cause.reason((message, *lines)) if cause else ()
        indented = "".join(f"\n    {line}" for line in (*lines, *reasons))
        logs = f"next: {self._cluster.inv('logs', '--node', node)}"
        remedy = cause.problem.remedy if cause else logs
        return NodeError(Problem(place=node, message=f"{message}{indented}\n   ", remedy=remedy))

    def _likely_cause(self) -> Cause | None:
        logs = [service.log for service in self._watched]
        return self._reader.likely_cause(self._cluster, logs)

    def _known_problems(self) -> tuple[Problem, ...]:
        """Return the failures that the logs show when time is up."""
        cause = self._likely_cause()
        return (cause.problem,) if cause else ()
