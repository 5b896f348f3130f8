"""The Docker runtime: every node is a container, on its own machine's engine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cluster.commands.run_spec import RunSpec, Service
from cluster.containers.container import PREFIX, Container, Mount
from cluster.containers.steps import (
    SERVICE,
    CheckContainers,
    ContainerHandle,
    ExecCommand,
    RemoveContainer,
    RunOnce,
    ShareToken,
    StartContainer,
    StartService,
    StopService,
)
from cluster.environment.environment import not_carried
from cluster.host import Host
from cluster.node import Cluster, Node
from cluster.plan.steps import Await, MakeFolder, Plan, RemoveFolder, Start, WriteFile
from cluster.runtimes import LocalMachine
from cluster.words import Environment, Word

TOKEN = "/run/secrets/ray-token"  # noqa: S105 (a path)
LOGS = f"/var/log/{PREFIX}"
CACHE = f"/var/cache/{PREFIX}"
MODELS = "/root/.cache/huggingface"
# Where vLLM looks for its own settings (vllm/envs.py, VLLM_CONFIG_ROOT).
NOT_CARRIED = "/root/.config/vllm/ray_non_carry_over_env_vars.json"


@dataclass(frozen=True, kw_only=True)
class Containers:
    """A runtime whose nodes are containers."""

    cluster: Cluster
    state: str
    """The folder of the cluster's run state, on this machine."""
    hosts: Mapping[str, Host]
    """How each node's machine is reached, by the node's name."""
    recreate: bool = False
    """Whether a container with other settings is replaced."""
    is_virtual: bool = False
    ray_session: str = ""
    ray_token: str = TOKEN
    probe: tuple[str, ...] = ("python", f"/opt/{PREFIX}/probe.py")
    preflight: tuple[str, ...] = ("python", f"/opt/{PREFIX}/preflight.py")
    rank_program: tuple[str, ...] = ("python", f"/opt/{PREFIX}/nccl.py")

    @property
    def needs_gpu_count(self) -> bool:
        """Whether Ray is told the number of GPUs: without an accelerator it finds none."""
        return self.cluster.accelerator == "none"

    @property
    def has_dashboard(self) -> bool:
        """Whether the image has Ray's dashboard: the one for CPUs has not."""
        return self.cluster.accelerator != "none"

    @property
    def api_key(self) -> str:
        """Path of the generated API key."""
        return f"{self.state}/api-key"

    @property
    def _token(self) -> str:
        return f"{self.state}/ray-token"

    @property
    def _not_carried(self) -> str:
        return f"{self.state}/not-carried.json"

    def host(self, node: Node) -> Host:
        """Return how the node's machine is reached."""
        return self.hosts[node.name]

    def prepare(self, nodes: tuple[Node, ...]) -> Plan:
        """Make the files that containers are given."""
        del nodes
        place, holder = self.cluster.head.name, self.handle(self.cluster.head.name, "ray")
        return (
            MakeFolder(place=place, path=self.state),
            WriteFile(place=place, path=self._not_carried, content=not_carried(self.cluster)),
            ShareToken(path=self._token, holder=holder, container_path=TOKEN),
        )

    def start(
        self, spec: RunSpec, title: str, proof: Await | None = None
    ) -> StartContainer | StartService:
        """Start Ray as the node's container, and the server inside the head's."""
        handle = self.handle(spec.node, spec.service)
        argv = (SERVICE, spec.service, spec.digest, *spec.argv)
        if spec.service == "serve":
            return StartService(
                title=title, spec=spec, argv=argv, environment=spec.extra, handle=handle
            )
        return StartContainer(
            title=title,
            spec=spec,
            container=self._node_container(spec, argv),
            handle=handle,
            files=((self._token, TOKEN), (self._not_carried, NOT_CARRIED)),
            recreate=self.recreate,
            proof=proof,
        )

    def check_obstacles(self, starts: tuple[Start, ...]) -> Plan:
        """Compare the containers that have the name, on all nodes."""
        containers = tuple(step for step in starts if isinstance(step, StartContainer))
        return (CheckContainers(starts=containers),)

    def stop(self, node: Node, service: Service, seconds: float) -> StopService | RemoveContainer:
        """Stop the server inside the head's container, or remove a whole container."""
        handle = self.handle(node.name, service)
        step = StopService if service == "serve" else RemoveContainer
        return step(title=f"Stop {service}", handle=handle, seconds=seconds)

    def run_beforehand(self, node: Node, argv: tuple[str, ...]) -> RunOnce:
        """Run a command in a container that is then removed, with the rights of the real one."""
        container = self._bare_container(node, argv)
        return RunOnce(place=node.name, host=self.host(node), container=container)

    def run_inside(self, node: Node, argv: tuple[str, ...], extra: Environment = ()) -> ExecCommand:
        """Run a command by `docker exec`."""
        return ExecCommand(
            place=node.name,
            host=self.host(node),
            container=self.cluster.container,
            argv=argv,
            environment=extra,
        )

    def network_prefix(self, node: Node) -> tuple[Word, ...]:
        """Reach the address from the node's container, unless this machine is the node."""
        host = self.host(node)
        return host.docker("exec", self.cluster.container) if host.ssh_host else ()

    def handle(self, node: str, service: Service) -> ContainerHandle:
        """Return how a service of a node is found again."""
        return ContainerHandle(
            place=node,
            service=service,
            cluster=self.cluster.name,
            host=self.hosts[node],
            container=self.cluster.container,
            image=self.cluster.image,
            pid_file=f"/run/{PREFIX}/{service}.pid",
            log=f"{LOGS}/{service}.log",
            volume=self._log_volume,
        )

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """Return no steps: stopping a container removes it."""
        del nodes
        return ()

    def end(self) -> Plan:
        """Remove the secrets; logs and caches stay in their volumes."""
        return (RemoveFolder(place=self.cluster.head.name, path=self.state),)

    @property
    def _log_volume(self) -> str:
        return f"{self.cluster.container}-logs"

    def _node_container(self, spec: RunSpec, argv: tuple[str, ...]) -> Container:
        """Return the container of a node's Ray."""
        cluster = self.cluster
        node = next(node for node in cluster.nodes if node.name == spec.node)
        labels = {"cluster": cluster.name, "node": node.name, "service": spec.service}
        return replace(
            self._bare_container(node, argv),
            name=cluster.container,
            environment=spec.environment,
            mounts=(
                Mount(source=cluster.hf_cache, target=MODELS),
                Mount(source=f"{cluster.container}-cache", target=CACHE),
                Mount(source=self._log_volume, target=LOGS),
            ),
            labels=tuple((f"{PREFIX}.{key}", value) for key, value in labels.items()),
        )

    def _bare_container(self, node: Node, argv: tuple[str, ...]) -> Container:
        """Return a container without a name and without mounts."""
        return Container(
            name="",
            image=self.cluster.image,
            argv=argv,
            accelerator=self.cluster.accelerator,
            shm_size=self.cluster.shm_size,
            rdma=bool(node.ib_if),
            privileged=self.cluster.privileged,
        )


def runtime(cluster: Cluster, machine: LocalMachine, *, recreate: bool) -> Containers:
    """Return the cluster's runtime on this machine."""
    return Containers(cluster=cluster, state=machine.state, hosts=machine.hosts, recreate=recreate)
