"""The logs of services, each line with its node in front."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import terminal
from cluster.namespaces.steps import ProcessHandle
from cluster.node import Cluster
from cluster.plan.steps import AnyHandle
from cluster.settings.values import WrongValueError, whole

if TYPE_CHECKING:
    from cluster.logs.explanation import ServiceLog
    from cluster.plan.services import Services

POLL_SECONDS = 0.2


class Log(Protocol):
    """A log that is read as it grows."""

    @property
    def exists(self) -> bool:
        """Whether there is a log."""

    def grown(self) -> list[str]:
        """Return the whole lines that are new since the last call; none when there is no log."""

    def rest(self) -> list[str]:
        """Return all lines that are new, a last one that was never finished included."""


Logs = list[tuple[AnyHandle, Log]]


class FileLog:
    """The log of a process."""

    def __init__(self, trace: ProcessHandle) -> None:
        """Begin at the top."""
        self.trace = trace
        self._read = 0

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return Path(self.trace.log).exists()

    def grown(self) -> list[str]:
        """Return the whole lines that are new."""
        content = self._new()
        return self._taken(content[: content.rfind(b"\n") + 1])

    def rest(self) -> list[str]:
        """Return all that is new."""
        return self._taken(self._new())

    def _new(self) -> bytes:
        """Read on; a log that has become shorter is another one, and is read from its top."""
        try:
            with Path(self.trace.log).open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._read:
                    self._read = 0
                log.seek(self._read)
                return log.read()
        except OSError:
            return b""

    def _taken(self, content: bytes) -> list[str]:
        self._read += len(content)
        return content.decode("utf-8", errors="replace").splitlines()


def count(text: str) -> int:
    """Return a number of lines as it was typed; a RefusedError says what is wrong with it."""
    try:
        return whole(0, 1_000_000, "a number of lines")(text)
    except WrongValueError as error:
        raise RefusedError(
            Problem(place="--lines", message=error.message, remedy=error.remedy)
        ) from None


def refuse(*, follow: bool, explain: bool, json: bool) -> None:
    """Raise a RefusedError for options that have no meaning together."""
    if follow and explain:
        message = "what goes on is not explained"
        raise RefusedError(Problem(place="--follow --explain", message=message, remedy="give one"))
    if json and not explain:
        message = "logs are lines"
        raise RefusedError(
            Problem(place="--json", message=message, remedy="give --explain as well")
        )


def show(services: "Services", traces: tuple[AnyHandle, ...], lines: int) -> None:
    """Print the last lines of each log; a NodeError has the nodes that could not be asked."""
    logs, problems = _started(services, traces)
    for trace, log in logs:
        _print(trace, _last(log.rest(), lines))
    if problems:
        raise NodeError(*problems)


def follow(services: "Services", traces: tuple[AnyHandle, ...], lines: int = 0) -> None:
    """Print the last lines of each log, then what is added, until every service has ended."""
    logs, problems = _started(services, traces)
    for trace, log in logs:
        _print(trace, _last(log.grown(), lines))
    while any(services.find(trace) for trace, _ in logs):
        time.sleep(POLL_SECONDS)
        for trace, log in logs:
            _print(trace, log.grown())
    for trace, log in logs:
        _print(trace, log.rest())
    if problems:
        raise NodeError(*problems)


def explain(
    cluster: Cluster, services: "Services", traces: tuple[AnyHandle, ...], *, as_json: bool = False
) -> int:
    """Print what is known to have gone wrong, and return 1 if anything has, else 0.

    A NodeError has the nodes that could not be asked; what the others say is printed before.
    """
    # What every other verb does without is not waited for.
    from cluster.logs import explain, explanation

    read, problems = _read(services, traces)
    explanations = explain.explain(cluster, read)
    if read:
        terminal.show((explanation.as_json if as_json else explanation.text)(explanations, read))
    if problems:
        raise NodeError(*problems)
    return 1 if explanation.has_failed(explanations) else 0


Read = tuple[list["ServiceLog"], tuple[Problem, ...]]
"""The logs that could be read, and why others could not."""


def _read(services: "Services", traces: tuple[AnyHandle, ...]) -> Read:
    """Read all logs to their ends."""
    logs, problems = _started(services, traces)
    read = [_whole(services, trace, log) for trace, log in logs]
    why = dict.fromkeys([*problems, *(problem for _, more in read for problem in more)])
    return [log for whole, _ in read for log in whole], tuple(why)


def _whole(services: "Services", trace: AnyHandle, log: Log) -> Read:
    from cluster.logs.explanation import ServiceLog

    try:
        lines = [*log.rest(), *ending(services, trace)]
    except NodeError as error:
        return [], error.problems
    return [ServiceLog(node=trace.place, service=trace.service, lines=lines)], ()


def ending(services: "Services", trace: AnyHandle) -> list[str]:
    """Return how a service has ended, as a line that it could not log itself; else nothing."""
    code = None if services.find(trace) else services.exit_code(trace)
    return [f"{trace.service} has ended with exit code {code}"] if code else []


def _last(lines: list[str], number: int) -> list[str]:
    return lines[-number:] if number else []


def _started(services: "Services", traces: tuple[AnyHandle, ...]) -> tuple[Logs, list[Problem]]:
    """Return the services that have a log, and why others could not be asked.

    A RefusedError says that none of those that could be asked has one.
    """
    logs: Logs = []
    problems: dict[Problem, None] = {}
    for trace in traces:
        log = services.log(trace)
        exists, why = _exists(log)
        logs += [(trace, log)] if exists else []
        problems |= dict.fromkeys(why)
    if logs or problems:
        return logs, list(problems)
    message, remedy = "no logs: nothing has been started", "`inv up` starts the cluster"
    raise RefusedError(Problem(place=traces[0].place, message=message, remedy=remedy))


def _exists(log: Log) -> tuple[bool, tuple[Problem, ...]]:
    try:
        return log.exists, ()
    except NodeError as error:
        return False, error.problems


def _print(trace: AnyHandle, lines: list[str]) -> None:
    for line in lines:
        print(f"{trace.place} {trace.service} | {line}", flush=True)
