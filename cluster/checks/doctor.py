"""`inv doctor`: asks all nodes and prints what is wrong; the same questions before a start."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cluster.commands import ray
from cluster.errors import Problem, RefusedError
from cluster.facts import asking
from cluster.facts.asking import examine
from cluster.facts.facts import BLOCKING, EXAMINING, FactsRequest
from cluster.host import Host
from cluster.machine.terminal import show
from cluster.node import Cluster, Node
from cluster.runtimes import is_virtual
from cluster.session import Session

if TYPE_CHECKING:
    from cluster.checks.diagnosis import Answers


def doctor(session: Session, names: list[str], *, fast: bool, json: bool) -> int:
    """Print what is wrong with the named nodes, by default all; return the exit code.

    A dry run prints the questions instead.
    """
    cluster, hosts = session.cluster, _hosts(session)
    questions = _questions(cluster, session.nodes(names), fast=fast)
    if session.dry:
        session.perform(asking.steps(hosts, questions))
        return 0
    # A dry run does not wait for what it does not use: the checks take half as long as the rest.
    from cluster.checks import pages
    from cluster.checks.diagnosis import diagnosis

    with session.report.step(cluster.name, "Ask all nodes"):
        answers = _answers(session, questions)
    result = diagnosis(cluster, answers, fast=fast, local=_local(cluster, hosts))
    show((pages.as_json if json else pages.text)(result))
    return result.exit_code


def blocking(cluster: Cluster, hosts: tuple[Host, ...]) -> tuple[Problem, ...]:
    """Return what keeps the nodes of these hosts, the head's first, from being a cluster.

    Only they are asked, and not about the others, which may be switched off.
    """
    from cluster.checks.diagnosis import diagnosis

    by_name = {host.name: host for host in hosts}
    nodes = tuple(node for node in cluster.nodes if node.name in by_name)
    answers = examine(by_name, _questions(cluster, nodes, fast=True))
    result = diagnosis(cluster, answers, fast=True, local=_local(cluster, by_name))
    return tuple(finding.problem for finding in result.of("blocks"))


def request(
    cluster: Cluster, node: Node, *, among: tuple[Node, ...] = (), fast: bool = False
) -> FactsRequest:
    """Return what to ask a node, about all other nodes or those in `among`.

    `fast` leaves out what no blocking check needs. A node that is a namespace of this machine has
    neither an image nor a container.
    """
    peers = tuple(peer for peer in among or cluster.nodes if peer.name != node.name)
    has_container = not is_virtual(cluster)
    return FactsRequest(
        parts=BLOCKING if fast else EXAMINING,
        image=cluster.image if has_container else "",
        container=cluster.container if has_container else "",
        hf_cache=cluster.hf_cache,
        pings=tuple((node.eth_if, peer.host_ip) for peer in peers),
        # On these ports the nodes will listen when the cluster runs.
        ports=tuple(
            (peer.host_ip, cluster.head_port if peer.role == "head" else ray.WORKER_PORT)
            for peer in peers
        ),
        routes_to=tuple(peer.host_ip for peer in peers),
    )


def _local(cluster: Cluster, hosts: Mapping[str, Host]) -> set[str]:
    """Return the names of the nodes that are this machine, or namespaces of it."""
    return {name for name, host in hosts.items() if is_virtual(cluster) or not host.ssh_host}


def _questions(cluster: Cluster, nodes: tuple[Node, ...], *, fast: bool) -> dict[str, str]:
    """Return the question for each of these nodes, about these nodes."""
    return {node.name: request(cluster, node, among=nodes, fast=fast).question for node in nodes}


def _answers(session: Session, questions: Mapping[str, str]) -> "Answers":
    """Ask the nodes of a cluster; namespaces that do not exist are a RefusedError."""
    answers = examine(_hosts(session), questions)
    absent = tuple(
        Problem(
            place=name,
            message="does not exist: nodes of this cluster exist only while it runs",
            remedy=session.cluster.inv("up"),
        )
        for name, answer in answers.items()
        if session.runtime.is_virtual and isinstance(answer, Problem)
    )
    if absent:
        raise RefusedError(*absent)
    return answers


def _hosts(session: Session) -> dict[str, Host]:
    return {node.name: session.runtime.host(node) for node in session.cluster.nodes}
