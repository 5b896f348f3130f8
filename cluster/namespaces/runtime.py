"""The process runtime: nodes are Linux namespaces of this machine, joined by a virtual link."""

from dataclasses import dataclass

from cluster.commands.run_spec import RunSpec, Service
from cluster.environment.environment import environment, not_carried
from cluster.host import Host
from cluster.namespaces.steps import (
    NODE,
    SERVICE,
    SPEC,
    Command,
    HoldNamespaces,
    KillLeftovers,
    ProcessHandle,
    StartProcess,
    StopProcess,
)
from cluster.namespaces.virtual_node import (
    RAY_FOLDER,
    TEMPORARY,
    Lines,
    bridge,
    cable,
    hosts_file,
    system,
)
from cluster.node import Cluster, Node
from cluster.plan.steps import (
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    RemoveFolder,
    Start,
    WriteFile,
)
from cluster.runtimes import LocalMachine
from cluster.words import Environment, MarkedPid, Word

# The process writes its number as /proc shows it here, also when it is 1 in its own namespace. Then
# it reaps: as the init of a namespace it adopts orphaned processes (pid_namespaces(7)).
INIT = (
    'read -r pid rest </proc/self/stat; echo "$pid" >"$1"; '
    'trap "exit 0" TERM; while :; do sleep 3600 & wait; done'
)
LAUNCH = 'echo "$$" >"$1"; shift; exec "$@"'
NODE_SPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FORBIDDEN = (
    "run as root, or let users make namespaces: `sysctl -w kernel.unprivileged_userns_clone=1 "
    "kernel.apparmor_restrict_unprivileged_userns=0`, whichever of the two this kernel has"
)
# Where vLLM looks for its own settings, below the home folder (vllm/envs.py, VLLM_CONFIG_ROOT).
NOT_CARRIED = "home/.config/vllm/ray_non_carry_over_env_vars.json"


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """A runtime whose nodes are namespaces; all paths are absolute and on this machine."""

    cluster: Cluster
    state: str
    """The folder of the cluster's run state; `inv down` removes it."""
    programs: str
    """The folder with `ray`, `vllm` and `python` of the rehearsal environment."""
    script: str
    """The probe, docker/probe.py."""
    cache: str
    """A folder for vLLM's compile cache; it outlives the cluster."""
    rootless: bool
    """Not root: everything happens inside a user namespace."""
    is_virtual: bool = True
    ray_session: str = RAY_FOLDER
    needs_gpu_count: bool = True
    has_dashboard: bool = False

    def path(self, *parts: str) -> str:
        """Return the path of a file of the run state."""
        return "/".join((self.state, *parts))

    @property
    def ray_token(self) -> str:
        """Path of Ray's token: the nodes share this machine's files."""
        return self.path("ray-token")

    @property
    def api_key(self) -> str:
        """Path of the generated API key."""
        return self.path("api-key")

    @property
    def probe(self) -> tuple[str, ...]:
        """The probe, run by the Python that has Ray."""
        return ("python", self.script)

    @property
    def preflight(self) -> tuple[str, ...]:
        """Empty: there is no image to check."""
        return ()

    @property
    def rank_program(self) -> tuple[str, ...]:
        """The program that measures, docker/nccl.py, beside the probe."""
        return ("python", f"{self.script.rpartition('/')[0]}/nccl.py")

    def host(self, node: Node) -> Host:
        """Return how a node is entered from this machine, with the variables of its services."""
        pairs = (f"{name}={value}" for name, value in self._base(node.name))
        return Host(name=node.name, entry=("env", "-i", *pairs, *self._enter(node.name)))

    def prepare(self, nodes: tuple[Node, ...]) -> Plan:
        """Make the link unless it exists, and these nodes on it."""
        hosts = WriteFile(place="link", path=self.path("hosts"), content=hosts_file(self.cluster))
        files = tuple(step for node in nodes for step in self._files(node))
        branches = tuple((self._node(node),) for node in nodes)
        return (
            MakeFolder(place="link", path=self.path("link")),
            hosts,
            *files,
            self._link(),
            Parallel(branches=branches),
            MakeSecret(place=self.cluster.head.name, path=self.ray_token),
        )

    def start(self, spec: RunSpec, title: str, proof: Await | None = None) -> StartProcess:
        """Start a run spec inside its node, detached from this terminal."""
        handle = self.handle(spec.node, spec.service)
        marks = ((NODE, self.path(spec.node)), handle.mark, (SPEC, spec.digest))
        launch = ("setsid", "/bin/sh", "-c", LAUNCH, "launch", handle.pid_file)
        return StartProcess(
            title=title,
            spec=spec,
            argv=(*launch, *self._enter(spec.node), *spec.argv),
            environment=(*self._base(spec.node), *marks, *spec.environment, *spec.extra),
            handle=handle,
            proof=proof,
        )

    def check_obstacles(self, starts: tuple[Start, ...]) -> Plan:
        """Return no steps: the state folder belongs to this tool alone."""
        del starts
        return ()

    def stop(self, node: Node, service: Service, seconds: float) -> StopProcess:
        """End a service by signals to its process group."""
        handle = self.handle(node.name, service)
        return StopProcess(title=f"Stop {service}", handle=handle, seconds=seconds)

    def run_beforehand(self, node: Node, argv: tuple[str, ...]) -> Command:
        """Run a command inside a node, which exists before its Ray."""
        return self.run_inside(node, argv)

    def run_inside(self, node: Node, argv: tuple[str, ...], extra: Environment = ()) -> Command:
        """Run a command inside a node: this runtime's `docker exec`."""
        variables = environment(self.cluster, node, token_path=self.ray_token)
        marks = ((NODE, self.path(node.name)),)
        return Command(
            place=node.name,
            argv=(*self._enter(node.name), *argv),
            environment=(*self._base(node.name), *marks, *variables, *extra),
        )

    def network_prefix(self, node: Node) -> tuple[Word, ...]:
        """Enter the node's network: its address does not exist outside."""
        return (*self._target(node.name), "--net")

    def handle(self, node: str, service: Service) -> ProcessHandle:
        """Return how a service of a node is found again."""
        return self._handle(node, service, (SERVICE, self.path(node, service)))

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """End all processes of the nodes; namespaces and mounts go with the last one."""
        leftovers = tuple(self._leftovers(node.name) for node in nodes)
        folders = (RemoveFolder(place=node.name, path=self.path(node.name)) for node in nodes)
        return (*leftovers, *folders)

    def end(self) -> Plan:
        """Remove the link and the run state."""
        return (self._leftovers("link"), RemoveFolder(place="link", path=self.state))

    def _files(self, node: Node) -> Plan:
        path = self.path(node.name, NOT_CARRIED)
        folders = (self.path(node.name, "ray"), path.rpartition("/")[0])
        made = tuple(MakeFolder(place=node.name, path=folder) for folder in folders)
        content = not_carried(self.cluster)
        return (*made, WriteFile(place=node.name, path=path, content=content))

    def _link(self) -> HoldNamespaces:
        user = ("--user", "--map-root-user") if self.rootless else ()
        argv = ("unshare", *user, "--mount", "--net")
        return self._holder("link", "Make the link", argv, bridge(self._on_link()))

    def _node(self, node: Node) -> HoldNamespaces:
        enter, number = self._enter(node.name), self._number(node.name)
        plug = cable(self.cluster, node, self._on_link(), enter, number)
        files = {"ray": self.path(node.name, "ray"), "hosts": self.path("hosts")}
        setup = system(node, enter, **files)
        spaces = ("unshare", *NODE_SPACES, "--fork", "--kill-child")
        return self._holder(
            node.name, "Make the node", (*self._on_link(), *spaces), (*plug, *setup)
        )

    def _holder(
        self, place: str, title: str, argv: tuple[Word, ...], lines: Lines
    ) -> HoldNamespaces:
        mark = (NODE, self.path(place))
        handle = self._handle(place, "init", mark)
        return HoldNamespaces(
            title=title,
            argv=("setsid", *argv, "/bin/sh", "-c", INIT, "init", handle.pid_file),
            environment=(("PATH", PATH), mark),
            handle=handle,
            ready=self.path(place, "ready"),
            remedy=FORBIDDEN,
            setup=tuple(Command(place=place, argv=line) for line in lines),
        )

    def _handle(self, place: str, service: str, mark: tuple[str, str]) -> ProcessHandle:
        path = self.path(place, service)
        return ProcessHandle(
            place=place, service=service, pid_file=f"{path}.pid", mark=mark, log=f"{path}.log"
        )

    def _on_link(self) -> tuple[Word, ...]:
        return (*self._target("link"), "--mount", "--net")

    def _enter(self, node: str) -> tuple[Word, ...]:
        return (*self._target(node), *NODE_SPACES)

    def _target(self, place: str) -> tuple[Word, ...]:
        """Return the command that enters a place; groups cannot be set (user_namespaces(7))."""
        user = ("--user", "--preserve-credentials") if self.rootless else ()
        return ("nsenter", "--target", self._number(place), *user)

    def _number(self, place: str) -> MarkedPid:
        """Return the number of the process that holds the namespaces of a place."""
        return MarkedPid(self.path(place, "init.pid"), (NODE, self.path(place)))

    def _leftovers(self, place: str) -> KillLeftovers:
        title = "Kill leftover processes"
        return KillLeftovers(place=place, title=title, name=NODE, folder=self.path(place))

    def _base(self, node: str) -> tuple[tuple[str, str], ...]:
        return (
            ("PATH", f"{self.programs}:{PATH}"),
            ("HOME", self.path(node, "home")),
            ("TMPDIR", TEMPORARY),
            ("VLLM_CACHE_ROOT", self.cache),
            ("LANG", "C.UTF-8"),
        )


def runtime(cluster: Cluster, machine: LocalMachine, *, recreate: bool) -> Namespaces:
    """Return the cluster's runtime on this machine; processes are never replaced."""
    del recreate
    return Namespaces(
        cluster=cluster,
        state=machine.state,
        programs=f"{machine.rehearsal}/venv/bin",
        cache=f"{machine.rehearsal}/cache",
        script=f"{machine.root}/docker/probe.py",
        rootless=machine.rootless,
    )
