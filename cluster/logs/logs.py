"""Shows, follows and explains the logs of services; each line has its node in front."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import clock, terminal
from cluster.node import Cluster
from cluster.plan import services
from cluster.plan.log_reader import ServiceLog
from cluster.plan.services import Log
from cluster.plan.steps import Handle
from cluster.plan.waiting import ending
from cluster.settings.values import option, whole

POLL_SECONDS = 0.2

Logs = list[tuple[Handle, Log]]
Problems = dict[Problem, None]
"""Those of nodes that do not answer, once each, in order."""


def line_count(text: str) -> int:
    """Return the value of `--lines`; raise a RefusedError if it is no number of lines."""
    return option("--lines", whole(0, 1_000_000, "a number of lines"), text)


def check_options(*, follow: bool, explain: bool, json: bool) -> None:
    """Raise a RefusedError for options that contradict each other."""
    if follow and explain:
        raise RefusedError(Problem("inv logs", "--follow and --explain cannot be combined"))
    if json and not explain:
        raise RefusedError(Problem("--json", "only explanations have a JSON form", "add --explain"))


def show(handles: tuple[Handle, ...], lines: int) -> None:
    """Print the last lines of each log; raise a NodeError for the nodes that do not answer."""
    with _existing(handles) as (logs, _):
        for handle, log in logs:
            _show(handle, _last(log.remaining_lines(), lines))


def follow(handles: tuple[Handle, ...], lines: int = 0) -> None:
    """Print the last lines of each log, then each new line, until every service has ended.

    At the end, raise a NodeError for the nodes that do not answer.
    """
    with _existing(handles) as (logs, _):
        for handle, log in logs:
            _show(handle, _last(log.new_lines(), lines))
        while any(services.find(handle) for handle, _ in logs):
            clock.sleep(POLL_SECONDS)
            for handle, log in logs:
                _show(handle, log.new_lines())
        for handle, log in logs:
            _show(handle, log.remaining_lines())


def explain(cluster: Cluster, handles: tuple[Handle, ...], *, as_json: bool = False) -> int:
    """Print the explanations of the logs, and return 1 if anything failed, else 0.

    Then raise a NodeError for the nodes that do not answer.
    """
    # The tables of known failures load only for the verbs that need them.
    from cluster.logs import explain

    with _existing(handles) as (logs, problems):
        read: list[ServiceLog] = []
        for handle, log in logs:
            with _collected(problems):
                lines = [*log.remaining_lines(), *ending(handle)]
                read.append(ServiceLog(node=handle.place, service=handle.service, lines=lines))
        explanations = explain.explain(cluster, read)
        if read:
            terminal.show((explain.as_json if as_json else explain.text)(explanations, read))
    return 1 if explain.has_failed(explanations) else 0


@contextmanager
def _existing(handles: tuple[Handle, ...]) -> Iterator[tuple[Logs, Problems]]:
    """Yield the services that have a log, and the problems of nodes that do not answer.

    Raise a RefusedError if all nodes answer and no service has a log; in the end, raise a NodeError
    for the problems.
    """
    logs, problems = Logs(), Problems()
    for handle in handles:
        with _collected(problems):
            log = services.log(handle)
            logs += [(handle, log)] if log.exists else []
    if not logs and not problems:
        message, remedy = "no logs: nothing has been started", "start the cluster with `inv up`"
        raise RefusedError(Problem(handles[0].place, message, remedy))
    yield logs, problems
    if problems:
        raise NodeError(*problems)


@contextmanager
def _collected(problems: Problems) -> Iterator[None]:
    try:
        yield
    except NodeError as error:
        problems |= dict.fromkeys(error.problems)


def _last(lines: list[str], number: int) -> list[str]:
    return lines[-number:] if number else []


def _show(handle: Handle, lines: list[str]) -> None:
    terminal.show_lines(f"{handle.place} {handle.service}", lines)
