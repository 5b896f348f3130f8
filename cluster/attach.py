"""Commands of the user's own inside nodes: on this terminal, or side by side on several nodes."""

import sys
from concurrent.futures import ThreadPoolExecutor

from cluster.containers.inside import ExecCommand
from cluster.errors import Problem, RefusedError
from cluster.machine import processes
from cluster.machine.processes import Completed
from cluster.machine.terminal import show
from cluster.namespaces.steps import Command
from cluster.plan.steps import Inside
from cluster.session import Session
from cluster.words import shell_line

SHELL = ("bash",)


def run(session: Session, names: list[str], argv: tuple[str, ...]) -> int:
    """Run a command inside nodes, inside the head without any names; return its exit code.

    On one node it has this terminal, or this program's input and output. On several, each line of
    output has its node in front, and the first exit code that is not 0 counts.
    """
    if not argv:
        message, remedy = "no command is given", "`inv exec -- nvidia-smi`"
        raise RefusedError(Problem(place="inv exec", message=message, remedy=remedy))
    cluster = session.cluster
    nodes = session.chosen(names or [cluster.head.name], cluster.nodes)
    asks = tuple(session.runtime.inside(cluster, node, argv) for node in nodes)
    if session.dry:
        lines = [_line(asks[0])] if len(asks) == 1 else [ask.text for ask in asks]
        titled = (
            f"# {ask.place}: Run a command\n{its}\n" for ask, its in zip(asks, lines, strict=True)
        )
        show("\n".join(titled))
        return 0
    for node in nodes:
        if session.services.find(session.runtime.trace(node.name, "ray")) is None:
            message = "is not running"
            raise RefusedError(Problem(place=node.name, message=message, remedy=cluster.inv("up")))
    return _here(asks[0]) if len(asks) == 1 else _beside(session, asks)


def _here(ask: Inside) -> int:
    """Run a command with the input and output of this program."""
    if isinstance(ask, ExecCommand):
        argv = ask.attached(terminal=_terminal())
        return processes.attached(Command(place=ask.place, argv=argv))
    return processes.attached(ask)


def _line(ask: Inside) -> str:
    return (
        shell_line(ask.attached(terminal=_terminal())) if isinstance(ask, ExecCommand) else ask.text
    )


def _beside(session: Session, asks: tuple[Inside, ...]) -> int:
    """Run commands side by side, and print what each said when it has ended."""
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(session.services.ask, asks))
    for ask, its in zip(asks, done, strict=True):
        _print(ask.place, its)
    return next((its.code for its in done if its.code), 0)


def _print(node: str, done: Completed) -> None:
    for stream, text in ((sys.stdout, done.output), (sys.stderr, done.error)):
        for line in text.splitlines():
            print(f"{node} | {line}", file=stream)


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
