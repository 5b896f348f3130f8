"""`inv doctor`: asks all nodes and prints what is wrong; the same before a cluster starts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cluster import scripts
from cluster.checks.wanted import wanted
from cluster.errors import Problem, RefusedError
from cluster.facts import asking
from cluster.facts.asking import SECONDS, Tell, by_ssh, examine
from cluster.host import Host
from cluster.machine import ssh
from cluster.machine.processes import Completed
from cluster.machine.terminal import show
from cluster.node import Cluster, Node
from cluster.plan.steps import Inside
from cluster.session import Session, engines
from cluster.words import shell_line

if TYPE_CHECKING:
    from cluster.checks.diagnosis import Answers

ABSENT = 125
"""The exit code of a command in a node that does not exist."""


def doctor(session: Session, names: list[str], *, fast: bool, json: bool) -> int:
    """Print what is wrong with these nodes, without names with all; return the exit code.

    A dry run prints the questions instead.
    """
    cluster = session.cluster
    questions = _questions(cluster, session.chosen(names, cluster.nodes), fast=fast)
    if session.dry:
        show("\n".join(_by_hand(session, name, its) for name, its in questions.items()))
        return 0
    # What a dry run does without is not waited for: the checks take half as long as all the rest.
    from cluster.checks import pages
    from cluster.checks.diagnosis import diagnosis

    with session.report.step(cluster.name, "Ask all nodes"):
        answers = _answers(session, questions)
    found = diagnosis(cluster, answers, fast=fast, local=_local(cluster, engines(cluster)))
    show((pages.as_json if json else pages.text)(found))
    return found.exit_code


def blocking(cluster: Cluster, its: tuple[Host, ...]) -> tuple[Problem, ...]:
    """Return what keeps the nodes of these engines, the head's first, from being a cluster.

    Only they are asked, and none about the others, which may be switched off.
    """
    from cluster.checks.diagnosis import diagnosis, problems

    asked = {engine.name: engine for engine in its}
    nodes = tuple(node for node in cluster.nodes if node.name in asked)
    answers = examine(asked, _questions(cluster, nodes, fast=True))
    return problems(diagnosis(cluster, answers, fast=True, local=_local(cluster, asked)))


def _local(cluster: Cluster, its: Mapping[str, Host]) -> set[str]:
    """Return the names of the nodes that are this machine, or namespaces of it."""
    virtual = cluster.runtime == "process"
    return {name for name, engine in its.items() if virtual or not engine.ssh_host}


def _questions(cluster: Cluster, nodes: tuple[Node, ...], *, fast: bool) -> dict[str, str]:
    """Return the question for each of these nodes, about these nodes."""
    return {node.name: wanted(cluster, node, among=nodes, fast=fast).question for node in nodes}


def _answers(session: Session, questions: Mapping[str, str]) -> "Answers":
    """Ask the nodes of a cluster: machines by SSH, namespaces of this machine from inside."""
    tell: Tell = by_ssh
    if session.cluster.runtime == "process":
        _refuse_absent(session, tuple(questions))
        tell = _teller(session)
    return examine(engines(session.cluster), questions, tell)


def _refuse_absent(session: Session, names: tuple[str, ...]) -> None:
    """Raise for nodes that do not exist."""
    absent = tuple(
        Problem(
            place=name,
            message="is not there: nodes of this cluster exist only while it runs",
            remedy=session.cluster.inv("up"),
        )
        for name in names
        if session.services.ask(_inside(session, name, "true")).code == ABSENT
    )
    if absent:
        raise RefusedError(*absent)


def _teller(session: Session) -> Tell:
    def tell(its: Host, text: str) -> Completed:
        return session.services.ask(_inside(session, its.name, "sh", "-c", text), SECONDS)

    return tell


def _inside(session: Session, name: str, *argv: str) -> Inside:
    node = next(its for its in session.cluster.nodes if its.name == name)
    return session.runtime.inside(session.cluster, node, argv)


def _by_hand(session: Session, name: str, question: str) -> str:
    """Return the shell text that asks a node."""
    if session.cluster.runtime == "process":
        return scripts.titled(name, asking.TITLE, _inside(session, name, "sh", "-c", question).text)
    command = shell_line(ssh.command(engines(session.cluster)[name]))
    return scripts.titled(name, asking.TITLE, scripts.here_document(command, question))
