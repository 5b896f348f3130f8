"""What `run-cluster-node` starts: the node, Ray's token, the variables, Ray's command, messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cluster.commands import ray
from cluster.environment.environment import environment
from cluster.environment.formats import revealed
from cluster.errors import Problem
from cluster.launcher import flags
from cluster.launcher.flags import PROGRAM, Values
from cluster.launcher.shell_variables import FILE
from cluster.node import Cluster, Node, Role, default_subnet
from cluster.settings import passthrough
from cluster.settings.values import shown
from cluster.words import Environment, shell_line

NO_RDMA = "no RDMA: sockets only, several times slower"
ROLES: dict[str, Role] = {"head": "head", "node": "worker", "worker": "worker"}
TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105 (the name of a variable)
TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 (as above)
MODE = "RAY_AUTH_MODE"
MODES_WITH_TOKEN = {"", "token"}
"""Values of the mode that do not switch the token off."""
MOUNTED = "/run/secrets/ray-token"
"""The path of a token that was mounted into the container."""
MOUNT = f"docker run -v /path/to/token:{MOUNTED}:ro"
NO_TOKEN = Problem(
    place=PROGRAM,
    message="no token, so everyone who reaches Ray's ports can run programs on this machine",
    remedy=f"mount the same one on all nodes: {MOUNT}",
)


@dataclass(frozen=True, kw_only=True)
class TokenSource:
    """Where Ray in this container finds its token."""

    path: str = ""
    """The file with the token; empty if it is in a variable, or there is none."""
    is_decided: bool = True
    """Whether the user decided for or against a token; if not, Ray accepts commands from all."""
    problems: tuple[Problem, ...] = ()


def token_source(inherited: Mapping[str, str], files: Mapping[str, bool]) -> TokenSource:
    """Return where Ray's token is; `files` are those that exist, and whether they hold a token.

    The order is Ray's own: the variable, then the file that a variable names (docs.ray.io, token
    authentication). The file that was mounted comes last.
    """
    mode = inherited.get(MODE, "").lower()
    if inherited.get(TOKEN) or mode not in MODES_WITH_TOKEN:
        return TokenSource()
    path = inherited.get(TOKEN_PATH) or (MOUNTED if MOUNTED in files else "")
    if files.get(path):
        return TokenSource(path=path)
    if not path and not mode:
        return TokenSource(is_decided=False)
    place, message = (path, "has no readable token") if path else (MODE, "requires a token")
    problem = Problem(place=f"{PROGRAM}: {place}", message=message, remedy=f"mount one: {MOUNT}")
    return TokenSource(problems=(problem,))


@dataclass(frozen=True, kw_only=True)
class NodeLaunch:
    """A node that can be started."""

    cluster: Cluster
    """The head, and the node itself if that is another one."""
    node: Node
    environment: Environment
    """The node's variables, secrets included."""
    argv: tuple[str, ...]
    """Ray's command."""
    warnings: tuple[Problem, ...]


def node_launch(
    values: Values, inherited: Mapping[str, str], token: TokenSource, *, dashboard: bool
) -> NodeLaunch:
    """Return what the flags ask for, in a container with these variables.

    `dashboard` is whether Ray was installed with it.
    """
    cluster = _cluster(values, inherited, token)
    node = cluster.nodes[-1]
    states_gpus = values.get(flags.GPUS) is not None
    pairs = environment(cluster, node, token_path=token.path)
    return NodeLaunch(
        cluster=cluster,
        node=node,
        environment=tuple(pair for pair in pairs if token.path or pair[0] != TOKEN_PATH),
        argv=ray.start(cluster, node, gpus=states_gpus, dashboard=dashboard),
        warnings=() if token.is_decided else (NO_TOKEN,),
    )


def contradictions(launch: NodeLaunch, inherited: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the variables of the container that have another value than the flags give them."""
    values = dict(launch.environment)
    for name in passthrough.REFUSED:
        value = inherited.get(name, values.get(name))
        if name not in {TOKEN, TOKEN_PATH} and value != values.get(name):
            message = f"is set in this container, but flags decide it: {shown(str(value))}"
            remedy = "start the container without it"
            yield Problem(place=f"{PROGRAM}: {name}", message=message, remedy=remedy)


def ray_environment(launch: NodeLaunch, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of Ray's process."""
    kept = {name: value for name, value in inherited.items() if not passthrough.has_prefix(name)}
    return kept | {name: str(value) for name, value in revealed(launch.environment, str)}


def messages(launch: NodeLaunch) -> tuple[str, ...]:
    """Return the lines to print before Ray starts."""
    names = _replaced(launch)
    replaced = f"set or ruled out by variables of this container: {', '.join(names)}"
    return (
        _summary(launch.node),
        f"variables for every bash in this container: {FILE}",
        *((replaced,) if names else ()),
        shell_line(launch.argv),
    )


def _cluster(values: Values, inherited: Mapping[str, str], token: TokenSource) -> Cluster:
    """Return the cluster; what no flag sets has the default of the env files."""
    node = _node(values)
    head = replace(node, name="head", role="head", host_ip=node.head_ip)
    return Cluster(
        name="",
        nodes=(node,) if node.role == "head" else (head, node),
        subnet=default_subnet(node.host_ip),
        head_port=values.get(flags.PORT) or Cluster.head_port,
        variables=tuple(_passed_variables(inherited, token)),
    )


def _node(values: Values) -> Node:
    role = ROLES[values[flags.ROLE]]
    host_ip = values[flags.HOST_IP]
    return Node(
        name=role,
        role=role,
        host_ip=host_ip,
        head_ip=values.get(flags.HEAD_IP) or host_ip,
        eth_if=values[flags.ETH_IF],
        ib_if=values[flags.IB_IF],
        ssh_host="",
        gpus=values.get(flags.GPUS) or Node.gpus,
        variables=(),
    )


def _passed_variables(
    inherited: Mapping[str, str], token: TokenSource
) -> Iterator[tuple[str, Any]]:
    """Yield the variables that pass through, as those of `cluster.env` do."""
    # An empty mode would switch authentication off in Ray, whatever token there is.
    has_token = inherited.get(MODE, "").lower() in MODES_WITH_TOKEN
    ruled = (passthrough.REFUSED.keys() - {TOKEN}) | ({MODE} if has_token else set())
    for name, text in inherited.items():
        if passthrough.has_prefix(name) and name not in ruled:
            yield name, passthrough.value(name, text, "this container")
    if not token.is_decided:
        yield MODE, "disabled"


def _replaced(launch: NodeLaunch) -> tuple[str, ...]:
    """Return the names whose value in the table is replaced by the container's own."""
    table = environment(replace(launch.cluster, variables=()), launch.node, token_path="")
    values = dict(launch.environment)
    ignored = {TOKEN_PATH, *({MODE} if launch.warnings else ())}
    return tuple(name for name, value in table if name not in ignored and values.get(name) != value)


def _summary(node: Node) -> str:
    name = f"head {node.host_ip}"
    if node.role == "worker":
        name = f"node {node.host_ip} of head {node.head_ip}"
    rdma = f"RDMA over {', '.join(node.ib_if)}" if node.ib_if else NO_RDMA
    return f"{name} on {node.eth_if}, {rdma}"
