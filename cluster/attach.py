"""The user's own commands inside nodes: on this terminal, or side by side on several nodes."""

from cluster.errors import Problem, RefusedError
from cluster.machine import terminal
from cluster.plan.steps import InsideQuery, Parallel, Plan, Query, RunQuery
from cluster.session import Session

SHELL = ("bash",)


def run(session: Session, names: list[str], argv: tuple[str, ...]) -> int:
    """Run a command inside nodes, by default inside the head; return its exit code.

    On one node it has this terminal, or this program's input and output. On several, each line of
    output begins with its node, and the first exit code that is not 0 counts.
    """
    if not argv:
        message, remedy = "no command given", "`inv exec nvidia-smi`"
        raise RefusedError(Problem(place="inv exec", message=message, remedy=remedy))
    nodes = session.nodes(names or [session.cluster.head.name])
    session.refuse_stopped(nodes)
    answers = session.perform(plan(tuple(session.runtime.run_inside(node, argv) for node in nodes)))
    for node, answer in zip(nodes, answers, strict=not session.dry):  # a dry run has no answers
        terminal.show_lines(node.name, answer.output.splitlines())
        terminal.show_lines(node.name, answer.error.splitlines(), error=True)
    return next((answer.code for answer in answers if answer.code), 0)


def plan(queries: tuple[InsideQuery, ...]) -> Plan:
    """Return the step that runs a query on this terminal, or several side by side."""
    if len(queries) == 1:
        return (_step(queries[0].attached(terminal=terminal.is_interactive())),)
    return (Parallel(branches=tuple((_step(query),) for query in queries)),)


def _step(query: Query) -> RunQuery:
    return RunQuery(title="Run a command", query=query)
