"""The process runtime: nodes as Linux namespaces of this machine, joined by a virtual link."""

from dataclasses import dataclass

from cluster.commands.run_spec import RunSpec, Service
from cluster.environment.environment import environment, not_carried
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
    hosts,
    system,
)
from cluster.node import Cluster, Node
from cluster.plan.steps import (
    AnyStart,
    Await,
    MakeFolder,
    MakeSecret,
    Parallel,
    Plan,
    RemoveFolder,
    WriteFile,
)
from cluster.words import Environment, ProcessNumber, Word

# The process writes its number as /proc shows it here, also when it is 1 in its own namespace. Then
# it reaps: as the init of a namespace it inherits what others leave behind (pid_namespaces(7)).
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

    state: str
    """The folder of the cluster's run state; `inv down` removes it."""
    programs: str
    """The folder with `ray`, `vllm` and `python` of the rehearsal environment."""
    script: str
    """The probe, docker/probe.py."""
    cache: str
    """A folder for what vLLM finds out once; it outlives the cluster."""
    rootless: bool
    """Not root: everything happens inside a user namespace."""
    ray_session: str = RAY_FOLDER
    states_gpus: bool = True
    has_dashboard: bool = False

    def of(self, *parts: str) -> str:
        """Return the path of a file of the run state."""
        return "/".join((self.state, *parts))

    @property
    def ray_token(self) -> str:
        """Path of Ray's token: the nodes share this machine's files."""
        return self.of("ray-token")

    @property
    def api_key(self) -> str:
        """Path of the generated API key."""
        return self.of("api-key")

    @property
    def probe(self) -> tuple[str, ...]:
        """The probe, by the Python that has Ray."""
        return ("python", self.script)

    @property
    def bandwidth(self) -> tuple[str, ...]:
        """The program that measures, docker/nccl.py, beside the probe."""
        return ("python", f"{self.script.rpartition('/')[0]}/nccl.py")

    def prepare(self, cluster: Cluster, nodes: tuple[Node, ...]) -> Plan:
        """Make the link unless it is there, and these nodes on it."""
        known = WriteFile(place="link", path=self.of("hosts"), content=hosts(cluster))
        files = tuple(step for node in nodes for step in _files(cluster, node, self))
        branches = tuple((_node(cluster, node, self),) for node in nodes)
        return (
            MakeFolder(place="link", path=self.of("link")),
            known,
            *files,
            _link(self),
            Parallel(branches=branches),
            MakeSecret(place=cluster.head.name, path=self.ray_token),
        )

    def service(self, spec: RunSpec, title: str, proof: Await | None = None) -> StartProcess:
        """Start a run spec inside its node, detached from this terminal."""
        trace = self.trace(spec.node, spec.service)
        marks = ((NODE, self.of(spec.node)), trace.mark, (SPEC, spec.digest))
        launch = ("setsid", "/bin/sh", "-c", LAUNCH, "launch", trace.pid_file)
        return StartProcess(
            title=title,
            spec=spec,
            argv=(*launch, *_enter(spec.node, self), *spec.argv),
            environment=(*_base(spec.node, self), *marks, *spec.environment, *spec.extra),
            trace=trace,
            proof=proof,
        )

    def admit(self, starts: tuple[AnyStart, ...]) -> Plan:
        """Leave nothing to be done: the state folder is this tool's alone."""
        del starts
        return ()

    def stop(self, node: Node, service: Service, seconds: float) -> StopProcess:
        """End a service by signals to its process group."""
        trace = self.trace(node.name, service)
        return StopProcess(title=f"Stop {service}", trace=trace, seconds=seconds)

    def beforehand(self, cluster: Cluster, node: Node, argv: tuple[str, ...]) -> Command:
        """Run a command inside a node, which is there before its Ray."""
        return self.inside(cluster, node, argv)

    def inside(
        self, cluster: Cluster, node: Node, argv: tuple[str, ...], extra: Environment = ()
    ) -> Command:
        """Run a command inside a node: this runtime's `docker exec`."""
        variables = environment(cluster, node, token_path=self.ray_token)
        marks = ((NODE, self.of(node.name)),)
        return Command(
            place=node.name,
            argv=(*_enter(node.name, self), *argv),
            environment=(*_base(node.name, self), *marks, *variables, *extra),
        )

    def visit(self, node: Node) -> tuple[Word, ...]:
        """Enter the node's network: its address means nothing outside."""
        return (*_target(node.name, self), "--net")

    def trace(self, node: str, service: Service) -> ProcessHandle:
        """Find a service of a node again."""
        path = self.of(node, service)
        mark = (SERVICE, path)
        return ProcessHandle(
            place=node, service=service, pid_file=f"{path}.pid", mark=mark, log=f"{path}.log"
        )

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """End all processes of the nodes; namespaces, interfaces and mounts go with the last."""
        sweeps = tuple(_sweep(node.name, self) for node in nodes)
        return (
            *sweeps,
            *(RemoveFolder(place=node.name, path=self.of(node.name)) for node in nodes),
        )

    def end(self) -> Plan:
        """Remove the link and the run state."""
        return (_sweep("link", self), RemoveFolder(place="link", path=self.state))


def _files(cluster: Cluster, node: Node, spaces: Namespaces) -> Plan:
    carried = spaces.of(node.name, NOT_CARRIED)
    folders = (spaces.of(node.name, "ray"), carried.rpartition("/")[0])
    made = tuple(MakeFolder(place=node.name, path=path) for path in folders)
    return (*made, WriteFile(place=node.name, path=carried, content=not_carried(cluster)))


def _link(spaces: Namespaces) -> HoldNamespaces:
    user = ("--user", "--map-root-user") if spaces.rootless else ()
    argv = ("unshare", *user, "--mount", "--net")
    return _holder("link", "Make the link", argv, bridge(_on_link(spaces)), spaces)


def _node(cluster: Cluster, node: Node, spaces: Namespaces) -> HoldNamespaces:
    enter = _enter(node.name, spaces)
    plug = cable(cluster, node, _on_link(spaces), enter, _number(node.name, spaces))
    own = system(node, enter, ray=spaces.of(node.name, "ray"), known=spaces.of("hosts"))
    return _holder(
        node.name,
        "Make the node",
        (*_on_link(spaces), "unshare", *NODE_SPACES, "--fork", "--kill-child"),
        (*plug, *own),
        spaces,
    )


def _holder(
    place: str,
    title: str,
    argv: tuple[Word, ...],
    lines: Lines,
    spaces: Namespaces,
) -> HoldNamespaces:
    mark = (NODE, spaces.of(place))
    pid_file, log = spaces.of(place, "init.pid"), spaces.of(place, "init.log")
    return HoldNamespaces(
        title=title,
        argv=("setsid", *argv, "/bin/sh", "-c", INIT, "init", pid_file),
        environment=(("PATH", PATH), mark),
        trace=ProcessHandle(place=place, service="init", pid_file=pid_file, mark=mark, log=log),
        ready=spaces.of(place, "ready"),
        remedy=FORBIDDEN,
        setup=tuple(Command(place=place, argv=line) for line in lines),
    )


def _on_link(spaces: Namespaces) -> tuple[Word, ...]:
    return (*_target("link", spaces), "--mount", "--net")


def _enter(node: str, spaces: Namespaces) -> tuple[Word, ...]:
    return (*_target(node, spaces), *NODE_SPACES)


def _target(place: str, spaces: Namespaces) -> tuple[Word, ...]:
    return ("nsenter", "--target", _number(place, spaces), *_user(spaces))


def _number(place: str, spaces: Namespaces) -> ProcessNumber:
    """Return the number of the process that holds the namespaces of a place."""
    return ProcessNumber(spaces.of(place, "init.pid"), (NODE, spaces.of(place)))


def _user(spaces: Namespaces) -> tuple[str, ...]:
    """Return how to enter the user namespace; its groups cannot be set (user_namespaces(7))."""
    return ("--user", "--preserve-credentials") if spaces.rootless else ()


def _sweep(place: str, spaces: Namespaces) -> KillLeftovers:
    return KillLeftovers(place=place, title="End what is left", name=NODE, folder=spaces.of(place))


def _base(node: str, spaces: Namespaces) -> Environment:
    return (
        ("PATH", f"{spaces.programs}:{PATH}"),
        ("HOME", spaces.of(node, "home")),
        ("TMPDIR", TEMPORARY),
        ("VLLM_CACHE_ROOT", spaces.cache),
        ("LANG", "C.UTF-8"),
    )
