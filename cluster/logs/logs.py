"""Shows, follows and explains the logs of services; each line has its node in front."""

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import clock, terminal
from cluster.node import Cluster
from cluster.plan import services
from cluster.plan.log_reader import ServiceLog
from cluster.plan.services import Log
from cluster.plan.steps import Handle
from cluster.plan.waiting import ending
from cluster.settings.values import WrongValueError, whole

POLL_SECONDS = 0.2


Logs = list[tuple[Handle, Log]]
Problems = tuple[Problem, ...]


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


def show(handles: tuple[Handle, ...], lines: int) -> None:
    """Print the last lines of each log; raise a NodeError for the nodes that do not answer."""
    logs, problems = _existing(handles)
    for handle, log in logs:
        _show(handle, _last(log.remaining_lines(), lines))
    if problems:
        raise NodeError(*problems)


def follow(handles: tuple[Handle, ...], lines: int = 0) -> None:
    """Print the last lines of each log, then each new line, until every service has ended.

    At the end, raise a NodeError for the nodes that do not answer.
    """
    logs, problems = _existing(handles)
    for handle, log in logs:
        _show(handle, _last(log.new_lines(), lines))
    while any(services.find(handle) for handle, _ in logs):
        clock.sleep(POLL_SECONDS)
        for handle, log in logs:
            _show(handle, log.new_lines())
    for handle, log in logs:
        _show(handle, log.remaining_lines())
    if problems:
        raise NodeError(*problems)


def explain(cluster: Cluster, handles: tuple[Handle, ...], *, as_json: bool = False) -> int:
    """Print the explanations of the logs, and return 1 if anything failed, else 0.

    Then raise a NodeError for the nodes that do not answer.
    """
    # The tables of known failures load only for the verbs that need them.
    from cluster.logs import explain, explanation

    read, problems = _read(handles)
    explanations = explain.explain(cluster, read)
    if read:
        terminal.show((explanation.as_json if as_json else explanation.text)(explanations, read))
    if problems:
        raise NodeError(*problems)
    return 1 if explanation.has_failed(explanations) else 0


def _read(handles: tuple[Handle, ...]) -> tuple[list[ServiceLog], Problems]:
    """Read all logs to their ends; return those that could be read, and why others could not."""
    logs, problems = _existing(handles)
    results = [_whole(handle, log) for handle, log in logs]
    reasons = dict.fromkeys([*problems, *(reason for _, why in results for reason in why)])
    return [log for read, _ in results for log in read], tuple(reasons)


def _whole(handle: Handle, log: Log) -> tuple[tuple[ServiceLog, ...], Problems]:
    try:
        lines = [*log.remaining_lines(), *ending(handle)]
    except NodeError as error:
        return (), error.problems
    return (ServiceLog(node=handle.place, service=handle.service, lines=lines),), ()


def _last(lines: list[str], number: int) -> list[str]:
    return lines[-number:] if number else []


def _existing(handles: tuple[Handle, ...]) -> tuple[Logs, Problems]:
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


def _show(handle: Handle, lines: list[str]) -> None:
    terminal.show_lines(f"{handle.place} {handle.service}", lines)
