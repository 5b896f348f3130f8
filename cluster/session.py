"""One run of a task on a cluster: loads its settings, then prints plans or performs them."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from cluster import runtimes
from cluster.environment.environment import environment
from cluster.environment.formats import FORMATS, masked, revealed
from cluster.errors import Problem, RefusedError
from cluster.host import Host
from cluster.machine import env_files, files, processes
from cluster.machine.local_addresses import is_local
from cluster.machine.places import REHEARSAL, ROOT, STATE
from cluster.machine.processes import Completed
from cluster.node import Cluster, Node, env_folder
from cluster.plan import services
from cluster.plan.log_reader import LogReader, PlainReader
from cluster.plan.run import Run
from cluster.plan.runtime import Runtime
from cluster.plan.steps import Handle, Plan
from cluster.settings import settings
from cluster.text import did_you_mean


def load(name: str) -> settings.Settings:
    """Return the settings of a cluster; a SettingsError holds all that is wrong with them."""
    return settings.resolve(name, env_files.env_files(ROOT, name))


def variables(name: str, node: str, form: str, *, reveal: bool) -> str:
    """Return the environment of a node's container in one of the `FORMATS`."""
    cluster = load(name).cluster
    (described,) = select_nodes(cluster, [node], cluster.nodes)
    pairs = environment(cluster, described, token_path=runtime(cluster).ray_token)
    if form not in FORMATS:
        remedy = did_you_mean(form, FORMATS, f"one of {', '.join(FORMATS)}")
        message = f"no such format: `{form}`"
        raise RefusedError(Problem(place="--format", message=message, remedy=remedy))
    # A file that is made only when the cluster starts has no text yet.
    return FORMATS[form](revealed(pairs, files.text) if reveal else masked(pairs))


def select_nodes(cluster: Cluster, names: list[str], among: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return the nodes with these names, all of `among` without names."""
    nodes = {node.name: node for node in among}
    unknown = tuple(name for name in dict.fromkeys(names) if name not in nodes)
    if unknown:
        raise RefusedError(*(_unknown(cluster, name, tuple(nodes)) for name in unknown))
    return tuple(nodes[name] for name in dict.fromkeys(names)) or among


def _unknown(cluster: Cluster, name: str, choices: tuple[str, ...]) -> Problem:
    if name == cluster.head.name:
        return Problem(place=f"--node {name}", message="is the head", remedy=cluster.inv("head"))
    remedy = did_you_mean(name, choices, f"nodes: {', '.join(choices) or 'none'}")
    message = f"no such node in cluster {cluster.name}"
    return Problem(place=f"--node {shlex.quote(name)}", message=message, remedy=remedy)


def runtime(cluster: Cluster, *, recreate: bool = False) -> Runtime:
    """Return the cluster's runtime on this machine."""
    machine = runtimes.LocalMachine(
        root=ROOT,
        rehearsal=REHEARSAL,
        state=f"{STATE}/{cluster.name}",
        hosts={node.name: _host(node) for node in cluster.nodes},
        rootless=not processes.may_administer(),
    )
    return runtimes.runtime(cluster, machine, recreate=recreate)


def _host(node: Node) -> Host:
    """Return how a node is reached: without SSH where this machine has the node's address."""
    return Host(name=node.name, ssh_host="" if is_local(str(node.host_ip)) else node.ssh_host)


class Session(Run):
    """A run on one cluster, with its runtime."""

    def __init__(self, name: str, *, dry: bool, recreate: bool = False) -> None:
        """Load the cluster; `recreate` replaces containers that run with other settings."""
        super().__init__(dry=dry)
        self.cluster = load(name).cluster
        self.runtime = runtime(self.cluster, recreate=recreate)
        self.reader: LogReader = PlainReader()
        """Explains the logs of services that a plan waits for."""

    def _performed(self, plan: Plan) -> tuple[Completed, ...]:
        from cluster.plan.perform import ClusterPerformer  # as late as in `Run`

        return ClusterPerformer(self.report, self.cluster, self.reader).plan(plan)

    def start(self, plan: Plan) -> None:
        """Perform a plan that starts services, alone on this cluster."""
        self.equip()
        with self.alone():
            self.perform(plan)

    def equip(self) -> None:
        """Install what the runtime needs on this machine, unless it is complete."""
        if not self.dry:
            services.equip(self.runtime, self.report)

    def is_up(self) -> bool:
        """Whether anything of the cluster is running; a dry run assumes that nothing is."""
        return not self.dry and any(services.find(handle) for handle in self.handles([]))

    def refuse_stopped(self, nodes: tuple[Node, ...]) -> None:
        """Raise a RefusedError with the nodes whose Ray is not running; a dry run asks none."""
        stopped = tuple(
            Problem(place=node.name, message="is not running", remedy=self.cluster.inv("up"))
            for node in nodes
            if not self.dry and services.find(self.runtime.handle(node.name, "ray")) is None
        )
        if stopped:
            raise RefusedError(*stopped)

    def nodes(self, names: list[str], among: tuple[Node, ...] = ()) -> tuple[Node, ...]:
        """Return the nodes with these names; without names all, or all of `among`."""
        return select_nodes(self.cluster, names, among or self.cluster.nodes)

    def handles(self, names: list[str]) -> tuple[Handle, ...]:
        """Return the services of these nodes, of all nodes without names."""
        nodes = self.nodes(names)
        rays = tuple(self.runtime.handle(node.name, "ray") for node in nodes)
        servers = (self.runtime.handle(node.name, "serve") for node in nodes if node.role == "head")
        return (*rays, *servers)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make other runs that change this cluster wait until the block ends."""
        if self.dry:
            yield
            return
        folder = f"{ROOT}/{env_folder(self.cluster.name)}"
        waiting = "Wait for another `inv` that works on this cluster"
        with files.locked(folder, self.report, self.cluster.name, waiting):
            yield
