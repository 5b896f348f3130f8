"""The steps before a start: the doctor's checks, and a container of the image on each node."""

from dataclasses import dataclass
from typing import ClassVar

from cluster.errors import Problem
from cluster.host import Host
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext
from cluster.plan.runtime import Runtime
from cluster.plan.steps import Await, Handle, Parallel, Plan


@dataclass(frozen=True, kw_only=True)
class CheckNodes:
    """Check that nothing blocks the cluster: the doctor's blocking checks."""

    title: ClassVar[str] = "Check that nothing blocks the cluster"
    place: ClassVar[str] = "all nodes"
    command: str
    """The verb that does the same."""
    hosts: tuple[Host, ...]
    """Those of the nodes, the head's first."""
    unless: tuple[Handle, ...]
    """Nothing is checked while all of these run."""

    @property
    def text(self) -> str:
        """The shell line."""
        return self.command


def checks(cluster: Cluster, nodes: tuple[Node, ...], runtime: Runtime) -> Plan:
    """Check the machines of these nodes, then each node from a container of the image.

    Namespaces of this machine are made for the cluster: there is nothing to check.
    """
    if runtime.is_virtual:
        return ()
    # Workers are compared with the head even when they are started alone.
    members = tuple(dict.fromkeys((cluster.head, *nodes)))
    selected = members if len(members) < len(cluster.nodes) else ()
    words = (word for node in selected for word in ("--node", node.name))
    machines = CheckNodes(
        command=cluster.inv("doctor", "--fast", *words).strip("`"),
        hosts=tuple(runtime.host(node) for node in members),
        unless=tuple(runtime.handle(node.name, "ray") for node in nodes),
    )
    containers = tuple((_preflight(cluster, node, runtime),) for node in nodes)
    return (machines, Parallel(branches=containers))


def _preflight(cluster: Cluster, node: Node, runtime: Runtime) -> Await:
    is_local = not runtime.host(node).ssh_host
    context = NodeContext(cluster=cluster, node=node, is_local=is_local)
    return Await(
        place=node.name,
        title=f"Check that {node.name} can run Ray",
        query=runtime.run_beforehand(node, runtime.preflight),
        problems=lambda text: _preflight_problems(context, text),
        seconds=0,
        unless=runtime.handle(node.name, "ray"),
        refuses=True,
    )


def _preflight_problems(context: NodeContext, text: str) -> tuple[Problem, ...]:
    """Return the problems that keep a node from running Ray."""
    # A dry run does without the rules, and does not wait for them.
    from cluster.checks.preflight import preflight_problems

    return tuple(preflight_problems(context, text))
