"""The logs of services, each line with its node in front."""

import time
from pathlib import Path

from cluster.effects import processes
from cluster.errors import Problem, RefusedError
from cluster.step import Trace
from cluster.values import WrongValueError, whole

POLL_SECONDS = 0.2


class Log:
    """A log that is read as it grows."""

    def __init__(self, trace: Trace) -> None:
        """Begin at the top."""
        self.trace = trace
        self._read = 0

    def grown(self) -> list[str]:
        """Return the whole lines that are new since the last call; none when there is no log."""
        try:
            with Path(self.trace.log).open("rb") as log:
                log.seek(self._read)
                content = log.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def count(text: str) -> int:
    """Return a number of lines as it was typed; a RefusedError says what is wrong with it."""
    try:
        return whole(0, 1_000_000, "a number of lines")(text)
    except WrongValueError as error:
        raise RefusedError(Problem(place="--lines", what=error.what, remedy=error.remedy)) from None


def show(traces: tuple[Trace, ...], lines: int) -> None:
    """Print the last lines of each log, all of them when `lines` is 0."""
    for trace in _started(traces):
        _print(trace, Log(trace).grown()[-lines:])


def follow(traces: tuple[Trace, ...], lines: int = 0) -> None:
    """Print the last lines of each log, then what is added, until every service has ended."""
    logs = [Log(trace) for trace in _started(traces)]
    for log in logs:
        _print(log.trace, log.grown()[-lines:] if lines else [])
    while any(processes.find(trace) for trace in traces):
        time.sleep(POLL_SECONDS)
        for log in logs:
            _print(log.trace, log.grown())


def _started(traces: tuple[Trace, ...]) -> tuple[Trace, ...]:
    """Return the services that have a log; a RefusedError when none has."""
    if found := tuple(trace for trace in traces if Path(trace.log).exists()):
        return found
    raise RefusedError(Problem(place=traces[0].place, what="no logs: nothing has been started"))


def _print(trace: Trace, lines: list[str]) -> None:
    for line in lines:
        print(f"{trace.place} {trace.service} | {line}", flush=True)
