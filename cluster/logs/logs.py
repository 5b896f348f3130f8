"""Shows, follows and explains the logs of services; each line has its node in front."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import clock, terminal
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
Problems = tuple[Problem, ...]


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


def line_count(text: str) -> int:
    """Return the value of `--lines`; raise a RefusedError if it is no number of lines."""
    try:
        return whole(0, 1_000_000, "a number of lines")(text)
    except WrongValueError as error:
        raise RefusedError(
            Problem(place="--lines", message=error.message, remedy=error.remedy)
        ) from None


def check_options(*, follow: bool, explain: bool, json: bool) -> None:
    """Raise a RefusedError for options that contradict each other."""
    if follow and explain:
        message = "--follow and --explain cannot be combined"
        raise RefusedError(Problem(place="inv logs", message=message))
    if json and not explain:
        message = "only explanations have a JSON form"
        raise RefusedError(Problem(place="--json", message=message, remedy="add --explain"))


def show(services: "Services", handles: tuple[AnyHandle, ...], lines: int) -> None:
    """Print the last lines of each log; raise a NodeError for the nodes that do not answer."""
    logs, problems = _existing(services, handles)
    for handle, log in logs:
        _show(handle, _last(log.rest(), lines))
    if problems:
        raise NodeError(*problems)


def follow(services: "Services", handles: tuple[AnyHandle, ...], lines: int = 0) -> None:
    """Print the last lines of each log, then each new line, until every service has ended.

    At the end, raise a NodeError for the nodes that do not answer.
    """
    logs, problems = _existing(services, handles)
    for handle, log in logs:
        _show(handle, _last(log.grown(), lines))
    while any(services.find(handle) for handle, _ in logs):
        clock.sleep(POLL_SECONDS)
        for handle, log in logs:
            _show(handle, log.grown())
    for handle, log in logs:
        _show(handle, log.rest())
    if problems:
        raise NodeError(*problems)


def explain(
    cluster: Cluster, services: "Services", handles: tuple[AnyHandle, ...], *, as_json: bool = False
) -> int:
    """Print the explanations of the logs, and return 1 if anything failed, else 0.

    Then raise a NodeError for the nodes that do not answer.
    """
    # The tables of known failures load only for the verbs that need them.
    from cluster.logs import explain, explanation

    read, problems = _read(services, handles)
    explanations = explain.explain(cluster, read)
    if read:
        terminal.show((explanation.as_json if as_json else explanation.text)(explanations, read))
    if problems:
        raise NodeError(*problems)
    return 1 if explanation.has_failed(explanations) else 0


def _read(
    services: "Services", handles: tuple[AnyHandle, ...]
) -> tuple[list["ServiceLog"], Problems]:
    """Read all logs to their ends; return those that could be read, and why others could not."""
    logs, problems = _existing(services, handles)
    results = [_whole(services, handle, log) for handle, log in logs]
    reasons = dict.fromkeys([*problems, *(reason for _, why in results for reason in why)])
    return [log for read, _ in results for log in read], tuple(reasons)


def _whole(
    services: "Services", handle: AnyHandle, log: Log
) -> tuple[tuple["ServiceLog", ...], Problems]:
    from cluster.logs.explanation import ServiceLog

    try:
        lines = [*log.rest(), *ending(services, handle)]
    except NodeError as error:
        return (), error.problems
    return (ServiceLog(node=handle.place, service=handle.service, lines=lines),), ()


def ending(services: "Services", handle: AnyHandle) -> list[str]:
    """Return the end of a service as a line, which it could not log itself; empty if unknown."""
    code = None if services.find(handle) else services.exit_code(handle)
    return [f"{handle.service} has ended with exit code {code}"] if code else []


def _last(lines: list[str], number: int) -> list[str]:
    return lines[-number:] if number else []


def _existing(services: "Services", handles: tuple[AnyHandle, ...]) -> tuple[Logs, Problems]:
    """Return the services that have a log, and the problems of nodes that do not answer.

    Raise a RefusedError if all nodes answer and no service has a log.
    """
    candidates = [(handle, services.log(handle)) for handle in handles]
    answers = [_exists(log) for _, log in candidates]
    logs = [pair for pair, (exists, _) in zip(candidates, answers, strict=True) if exists]
    problems = dict.fromkeys(problem for _, problems in answers for problem in problems)
    if not logs and not problems:
        message, remedy = "no logs: nothing has been started", "start the cluster with `inv up`"
        raise RefusedError(Problem(place=handles[0].place, message=message, remedy=remedy))
    return logs, tuple(problems)


def _exists(log: Log) -> tuple[bool, Problems]:
    try:
        return log.exists, ()
    except NodeError as error:
        return False, error.problems


def _show(handle: AnyHandle, lines: list[str]) -> None:
    terminal.show_lines(f"{handle.place} {handle.service}", lines)
