"""What `run-cluster-node` starts: a node, its variables, Ray's command, and words about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cluster.commands import ray
from cluster.environment.environment import environment
from cluster.environment.formats import revealed
from cluster.errors import Problem
from cluster.launcher import launcher
from cluster.launcher.authentication import MODE, NO_TOKEN, TOKEN, TOKEN_PATH, Authentication
from cluster.launcher.launcher import PROGRAM, Values
from cluster.launcher.persistence import FILE
from cluster.node import Cluster, Node, Role, default_subnet
from cluster.settings import passthrough
from cluster.settings.values import shown
from cluster.words import Environment, shell_line

NO_RDMA = "no RDMA: sockets only, several times slower"
ROLES: dict[str, Role] = {"head": "head", "node": "worker", "worker": "worker"}


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A node that can be started."""

    cluster: Cluster
    """The head, and the node itself if that is another."""
    node: Node
    environment: Environment
    """The node's variables, secrets included."""
    argv: tuple[str, ...]
    """Ray's command."""
    warnings: tuple[str, ...]


def launch(
    given: Values, inherited: Mapping[str, str], access: Authentication, *, dashboard: bool
) -> Launch:
    """Return what the flags ask for, in a container with these variables.

    `dashboard` tells whether Ray's is installed.
    """
    cluster = _cluster(given, inherited, access)
    node = cluster.nodes[-1]
    stated = given.get(launcher.GPUS) is not None
    return Launch(
        cluster=cluster,
        node=node,
        environment=_environment(cluster, node, access),
        argv=ray.start(cluster, node, gpus=stated, dashboard=dashboard),
        warnings=() if access.chosen else (NO_TOKEN,),
    )


def contradictions(it: Launch, inherited: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what the container was given although the flags decide it, and in another sense."""
    ours = dict(it.environment)
    for name in passthrough.REFUSED:
        value = inherited.get(name, ours.get(name))
        if name not in {TOKEN, TOKEN_PATH} and value != ours.get(name):
            message = f"is set in this container, but flags decide it: {shown(str(value))}"
            remedy = "start the container without it"
            yield Problem(place=f"{PROGRAM}: {name}", message=message, remedy=remedy)


def variables(it: Launch, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of Ray's process."""
    others = {name: its for name, its in inherited.items() if not passthrough.has_prefix(name)}
    return others | {name: str(its) for name, its in revealed(it.environment, str)}


def words(it: Launch) -> tuple[str, ...]:
    """Return what is said before Ray starts."""
    kept = _kept(it)
    return (
        _whereabouts(it.node),
        f"variables for every bash in this container: {FILE}",
        *((f"set or ruled out by variables of this container: {', '.join(kept)}",) if kept else ()),
        shell_line(it.argv),
    )


def _cluster(given: Values, inherited: Mapping[str, str], access: Authentication) -> Cluster:
    """Return a cluster with the defaults of the env files where no flag decides."""
    node = _node(given)
    head = replace(node, name="head", role="head", host_ip=node.head_ip)
    return Cluster(
        name="",
        nodes=(node,) if node.role == "head" else (head, node),
        subnet=default_subnet(node.host_ip),
        head_port=given.get(launcher.PORT) or Cluster.head_port,
        variables=tuple(_passed(inherited, access)),
    )


def _node(given: Values) -> Node:
    role = ROLES[given[launcher.ROLE]]
    host_ip = given[launcher.HOST_IP]
    return Node(
        name=role,
        role=role,
        host_ip=host_ip,
        head_ip=given.get(launcher.HEAD_IP) or host_ip,
        eth_if=given[launcher.ETH_IF],
        ib_if=given[launcher.IB_IF],
        ssh_host="",
        gpus=given.get(launcher.GPUS) or Node.gpus,
        variables=(),
    )


def _passed(inherited: Mapping[str, str], access: Authentication) -> Iterator[tuple[str, Any]]:
    """Yield the variables that pass through, as those of `cluster.env` do."""
    # An empty mode would switch authentication off in Ray, whatever token there is.
    plain = inherited.get(MODE, "").lower() in {"", "token"}
    ruled = (passthrough.REFUSED.keys() - {TOKEN}) | ({MODE} if plain else set())
    for name, text in inherited.items():
        if passthrough.has_prefix(name) and name not in ruled:
            yield name, passthrough.value(name, text, "this container")
    if not access.chosen:
        yield MODE, "disabled"


def _environment(cluster: Cluster, node: Node, access: Authentication) -> Environment:
    found = environment(cluster, node, token_path=access.path)
    return tuple(pair for pair in found if access.path or pair[0] != TOKEN_PATH)


def _kept(it: Launch) -> tuple[str, ...]:
    """Return the names for which the container's own value replaces what the table gives."""
    plain = environment(replace(it.cluster, variables=()), it.node, token_path="")
    ours = dict(it.environment)
    own = {TOKEN_PATH, *({MODE} if it.warnings else ())}
    return tuple(name for name, its in plain if name not in own and ours.get(name) != its)


def _whereabouts(node: Node) -> str:
    of_head = "" if node.role == "head" else f" of head {node.head_ip}"
    role = "head" if node.role == "head" else "node"
    rdma = f"RDMA by {', '.join(node.ib_if)}" if node.ib_if else NO_RDMA
    return f"{role} {node.host_ip}{of_head} on {node.eth_if}, {rdma}"
