"""One run of a task: loads the cluster, then prints the plan or performs it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.environment.environment import environment
from cluster.environment.formats import FORMATS, masked, revealed
from cluster.errors import Problem, RefusedError
from cluster.host import Host
from cluster.machine import env_files, files, processes
from cluster.machine.local_addresses import is_local
from cluster.machine.places import REHEARSAL, ROOT, STATE
from cluster.machine.terminal import Report, show
from cluster.namespaces.steps import NODE
from cluster.node import Cluster, Node, env_folder
from cluster.plan import script
from cluster.plan.runtime import Runtime
from cluster.plan.services import Services
from cluster.plan.steps import AnyHandle, Plan
from cluster.settings import settings
from cluster.text import did_you_mean


def load(name: str) -> settings.Settings:
    """Return the settings of a cluster; a SettingsError holds all that is wrong with them."""
    return settings.resolve(name, env_files.env_files(Path(ROOT), name))


def variables(name: str, node: str, form: str, *, reveal: bool) -> str:
    """Return the environment of a node's container in a form of `formats.FORMATS`."""
    cluster = load(name).cluster
    (found,) = chosen(cluster, [node], cluster.nodes)
    pairs = environment(cluster, found, token_path=runtime(cluster).ray_token)
    if form not in FORMATS:
        message, remedy = (
            f"no such format: `{form}`",
            did_you_mean(form, FORMATS, f"one of {', '.join(FORMATS)}"),
        )
        raise RefusedError(Problem(place="--format", message=message, remedy=remedy))
    return FORMATS[form](revealed(pairs, _text) if reveal else masked(pairs))


def _text(path: str) -> str:
    """Return the text of a file; nothing for one that is made only when the cluster starts."""
    file = Path(path)
    return file.read_text(encoding="utf-8") if file.exists() else ""


def chosen(cluster: Cluster, names: list[str], among: tuple[Node, ...]) -> tuple[Node, ...]:
    """Return the nodes with these names, all of `among` when there are none."""
    known = {node.name: node for node in among}
    strangers = tuple(name for name in dict.fromkeys(names) if name not in known)
    if strangers:
        raise RefusedError(*(_stranger(cluster, name, tuple(known)) for name in strangers))
    return tuple(known[name] for name in dict.fromkeys(names)) or among


def _stranger(cluster: Cluster, name: str, known: tuple[str, ...]) -> Problem:
    if name == cluster.head.name:
        return Problem(place=f"--node {name}", message="is the head", remedy=cluster.inv("head"))
    remedy = did_you_mean(name, known, f"there is {', '.join(known) or 'none'}")
    message = f"no such node in cluster {cluster.name}"
    return Problem(place=f"--node {shlex.quote(name)}", message=message, remedy=remedy)


def runtime(cluster: Cluster, *, recreate: bool = False, preflight: bool = True) -> Runtime:
    """Return the cluster's runtime on this machine."""
    # What a cluster does not run on is not loaded: containers take 7 ms, of 240 for `--dry up`.
    if cluster.runtime == "docker":
        from cluster.containers.runtime import Containers

        return Containers(
            cluster=cluster,
            state=f"{STATE}/{cluster.name}",
            engines=engines(cluster),
            recreate=recreate,
            preflight=preflight,
        )
    from cluster.namespaces.runtime import Namespaces

    return Namespaces(
        state=f"{STATE}/{cluster.name}",
        programs=f"{REHEARSAL}/venv/bin",
        cache=f"{REHEARSAL}/cache",
        script=f"{ROOT}/docker/probe.py",
        rootless=not processes.may_administer(),
    )


def engines(cluster: Cluster) -> dict[str, Host]:
    """Return the engine of each node: this machine's own where it has the node's address."""
    return {
        node.name: Host(
            name=node.name, ssh_host="" if is_local(str(node.host_ip)) else node.ssh_host
        )
        for node in cluster.nodes
    }


class Session:
    """The tasks that start and stop things, on one cluster."""

    def __init__(
        self, name: str, *, dry: bool, recreate: bool = False, preflight: bool = True
    ) -> None:
        """Load the cluster; `dry` prints instead of performing, `recreate` replaces containers.

        Without `preflight` nothing is examined before it starts.
        """
        self.cluster = load(name).cluster
        self.runtime = runtime(self.cluster, recreate=recreate, preflight=preflight)
        self.report = Report()
        self.services = Services()
        self.dry = dry
        self._between = ""

    def perform(self, steps: Plan) -> str:
        """Print the plan, or perform it and return what its last gate heard."""
        if self.dry:
            show(self._between + script.text(steps))
            self._between = "\n"
            return ""
        # What a dry run does without is not waited for: it takes a fifth of the time of `--dry up`.
        from cluster.plan.perform import Performer

        return Performer(self.cluster, self.services, self.report).plan(steps)

    def start(self, steps: Plan) -> None:
        """Perform what starts nodes, with all that they need, and alone on this cluster."""
        self.equip()
        with self.alone():
            self.perform(steps)

    def equip(self) -> None:
        """Make what the runtime needs on this machine, unless it is there.

        While a cluster runs from it, it stays as it is, also when it has become out of date.
        """
        process = self.cluster.runtime == "process"
        if process and not self.dry and not processes.lives(NODE, STATE):
            from cluster.rehearsal import install

            install.ensure(ROOT, self.report)

    def alive(self) -> bool:
        """Tell whether anything of the cluster runs; a dry run takes it that nothing does."""
        return not self.dry and any(self.services.find(trace) for trace in self.traces([]))

    def chosen(self, names: list[str], among: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the nodes with these names, all of `among` when there are none."""
        return chosen(self.cluster, names, among)

    def traces(self, names: list[str]) -> tuple[AnyHandle, ...]:
        """Return the services of these nodes, of all nodes when there are no names."""
        nodes = self.chosen(names, self.cluster.nodes)
        rays = tuple(self.runtime.trace(node.name, "ray") for node in nodes)
        return (
            *rays,
            *(self.runtime.trace(node.name, "serve") for node in nodes if node.role == "head"),
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs that change this cluster waiting; a run that dies lets them go on."""
        if self.dry:
            yield
            return
        folder = f"{ROOT}/{env_folder(self.cluster.name)}"
        waiting = "Wait for another `inv` that works on this cluster"
        with files.locked(folder, self.report, self.cluster.name, waiting):
            yield
