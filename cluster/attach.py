"""The user's own commands inside nodes: on this terminal, or side by side on several nodes."""

from dataclasses import dataclass
from typing import ClassVar

from cluster.errors import Problem, RefusedError
from cluster.machine import processes, terminal
from cluster.machine.parallel import side_by_side
from cluster.plan import script, services
from cluster.plan.steps import Attachment, InsideQuery
from cluster.session import Session

SHELL = ("bash",)


@dataclass(frozen=True, kw_only=True)
class RunCommand:
    """Run the user's command on one node."""

    title: ClassVar[str] = "Run a command"
    place: str
    command: InsideQuery | Attachment

    @property
    def text(self) -> str:
        """The shell line."""
        return self.command.text


def run(session: Session, names: list[str], argv: tuple[str, ...]) -> int:
    """Run a command inside nodes, by default inside the head; return its exit code.

    On one node it has this terminal, or this program's input and output. On several, each line of
    output begins with its node, and the first exit code that is not 0 counts.
    """
    if not argv:
        message, remedy = "no command given", "`inv exec nvidia-smi`"
        raise RefusedError(Problem(place="inv exec", message=message, remedy=remedy))
    nodes = session.nodes(names or [session.cluster.head.name])
    queries = tuple(session.runtime.run_inside(node, argv) for node in nodes)
    if len(queries) > 1:
        return _side_by_side(session, queries)
    attachment = queries[0].attached(terminal=terminal.is_interactive())
    if session.dry:
        terminal.show(script.text((RunCommand(place=nodes[0].name, command=attachment),)))
        return 0
    session.refuse_stopped(nodes)
    return processes.attached(attachment.argv, attachment.environment)


def _side_by_side(session: Session, queries: tuple[InsideQuery, ...]) -> int:
    """Run a command on several nodes; print the output of each when it has ended."""
    if session.dry:
        steps = tuple(RunCommand(place=query.place, command=query) for query in queries)
        terminal.show(script.text(steps))
        return 0
    session.refuse_stopped(session.nodes([query.place for query in queries]))
    results = side_by_side(services.ask, queries)
    for query, result in zip(queries, results, strict=True):
        terminal.show_lines(query.place, result.output.splitlines())
        terminal.show_lines(query.place, result.error.splitlines(), error=True)
    return next((result.code for result in results if result.code), 0)
