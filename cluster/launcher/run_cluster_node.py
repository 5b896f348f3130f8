"""`run-cluster-node`: checks the machine, writes the variables to a file, and becomes Ray."""

from typing import NoReturn

from cluster.checks.containers import container_facts
from cluster.environment.environment import not_carried
from cluster.errors import ClusterError, NodeError, Problem, RefusedError, SettingsError
from cluster.launcher import flags, readiness, shell_variables
from cluster.launcher.flags import PROGRAM
from cluster.launcher.launch import (
    MOUNTED,
    TOKEN_PATH,
    NodeLaunch,
    contradictions,
    messages,
    node_launch,
    ray_environment,
    token_source,
)
from cluster.launcher.readiness import RAY_PROCESSES, ContainerReport
from cluster.machine import container_view, files, processes

NOT_CARRIED = ".config/vllm/ray_non_carry_over_env_vars.json"
"""Below the home folder: the list of `environment.not_carried`."""
READABLE = 0o644


def main(argv: list[str], root: str = "/") -> int:
    """Start the node that the flags describe; return an exit code only if Ray was not started.

    Files are looked for and written below `root`.
    """
    if "--help" in argv:
        container_view.show(flags.usage())
        return 0
    try:
        _become_ray(tuple(argv), root)
    except ClusterError as error:
        container_view.warn(f"{error}\n")
        return error.exit_code
    except OSError as error:
        place = error.filename or "this machine"
        container_view.warn(f"{PROGRAM}: {place}: {error.strerror or error}\n")
        return NodeError.exit_code


def _become_ray(argv: tuple[str, ...], root: str) -> NoReturn:
    values = flags.read(argv)
    configured = dict(shell_variables.variables(container_view.first_variables(root)))
    inherited = shell_variables.inherited(processes.own_variables(), configured)
    paths = tuple(filter(None, (inherited.get(TOKEN_PATH), MOUNTED)))
    token = token_source(inherited, container_view.token_files(root, paths))
    has_dashboard = container_view.has_package("ray", "aiohttp_cors")
    launch = node_launch(values, inherited, token, dashboard=has_dashboard)
    if wrong := tuple(contradictions(launch, inherited)):
        raise SettingsError(*wrong)
    report = _report(launch, root)
    if obstacles := (*token.problems, *readiness.problems(report)):
        raise RefusedError(*obstacles)
    text = shell_variables.text(launch.environment, configured)
    files.write(f"{root}{shell_variables.FILE}", text, READABLE)
    names = f"{root}{processes.own_variables().get('HOME', '/root')}/{NOT_CARRIED}"
    if not files.exists(names):  # the user may have written the list already
        files.write(names, not_carried(launch.cluster), READABLE)
    for line in messages(launch):
        container_view.show(f"{PROGRAM}: {line}\n")
    for warning in (*launch.warnings, *readiness.warnings(report)):
        container_view.warn(f"{PROGRAM}: warning: {warning.message} ({warning.remedy})\n")
    try:
        container_view.become(launch.argv, ray_environment(launch, inherited))
    except FileNotFoundError:
        message = f"`{launch.argv[0]}` is not on the PATH"
        raise _failure(message, "use the image that `inv build` makes") from None


def _report(launch: NodeLaunch, root: str) -> ContainerReport:
    """Return what the container sees of its machine."""
    store = (str(launch.cluster.head.host_ip), launch.cluster.head_port)
    is_head = launch.node.role == "head"
    container = container_facts(container_view.container_fields(root))
    assert container is not None  # noqa: S101 (both are of one version)
    return ContainerReport(
        cluster=launch.cluster,
        node=launch.node,
        facts=readiness.container_facts_of(
            launch.cluster,
            _addresses(),
            container_view.rdma_devices(root),
            is_taken=is_head and container_view.is_taken(*store),
        ),
        container=container,
        runs_ray=not RAY_PROCESSES.isdisjoint(container_view.process_names(root)),
        head_answers=is_head or container_view.accepts(*store),
    )


def _addresses() -> str:
    try:
        return container_view.addresses()
    except FileNotFoundError:
        raise _failure("`ip` is not on the PATH", "install iproute2") from None
    except ChildProcessError as error:
        message = f"`ip` failed: {error}"
        raise _failure(message, "see what `ip address` prints") from None


def _failure(message: str, remedy: str) -> NodeError:
    return NodeError(Problem(place=PROGRAM, message=message, remedy=remedy))
