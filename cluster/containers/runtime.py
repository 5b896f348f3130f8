"""The Docker runtime: nodes as containers, each on its own machine's engine."""

from dataclasses import dataclass, replace

from cluster.commands.run_spec import RunSpec, Service
from cluster.containers.container import OURS, Container, Mount
from cluster.containers.inside import (
    SERVICE,
    ContainerHandle,
    ExecCommand,
    RunOnce,
    StartService,
    StopService,
)
from cluster.containers.steps import (
    CheckContainers,
    CheckNodes,
    RemoveContainer,
    ShareToken,
    StartContainer,
)
from cluster.environment.environment import not_carried
from cluster.errors import Problem
from cluster.host import Host
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext
from cluster.plan.steps import AnyStart, Await, MakeFolder, Parallel, Plan, RemoveFolder, WriteFile
from cluster.words import Environment, Word

TOKEN = "/run/secrets/ray-token"  # noqa: S105 (a path)
PREFLIGHT = f"/opt/{OURS}/preflight.py"
LOGS = f"/var/log/{OURS}"
CACHE = f"/var/cache/{OURS}"
MODELS = "/root/.cache/huggingface"
# Where vLLM looks for its own settings (vllm/envs.py, VLLM_CONFIG_ROOT).
NOT_CARRIED = "/root/.config/vllm/ray_non_carry_over_env_vars.json"


@dataclass(frozen=True, kw_only=True)
class Containers:
    """A runtime whose nodes are containers."""

    cluster: Cluster
    state: str
    """The folder of the cluster's run state, on this machine."""
    engines: dict[str, Host]
    """The engine of each node, by its name."""
    recreate: bool = False
    """Whether a container with other settings is replaced."""
    preflight: bool = True
    """Whether machines and image are examined before anything starts there."""
    ray_session: str = ""
    ray_token: str = TOKEN
    probe: tuple[str, ...] = ("python", f"/opt/{OURS}/probe.py")
    bandwidth: tuple[str, ...] = ("python", f"/opt/{OURS}/nccl.py")

    @property
    def states_gpus(self) -> bool:
        """Whether Ray is told the number of GPUs: it counts those that there are."""
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
    def _kept(self) -> str:
        return f"{self.state}/not-carried.json"

    def prepare(self, cluster: Cluster, nodes: tuple[Node, ...]) -> Plan:
        """Check all that can be known before a container starts, and make its files."""
        place, held = cluster.head.name, self.trace(cluster.head.name, "ray")
        return (
            *(self._examined(cluster, nodes) if self.preflight else ()),
            MakeFolder(place=place, path=self.state),
            WriteFile(place=place, path=self._kept, content=not_carried(cluster)),
            ShareToken(path=self._token, held=held, there=TOKEN),
        )

    def service(
        self, spec: RunSpec, title: str, proof: Await | None = None
    ) -> StartContainer | StartService:
        """Start Ray as the node's container, and the server inside the head's."""
        trace = self.trace(spec.node, spec.service)
        argv = (SERVICE, spec.service, spec.digest, *spec.argv)
        if spec.service == "serve":
            return StartService(
                title=title, spec=spec, argv=argv, environment=spec.extra, trace=trace
            )
        return StartContainer(
            title=title,
            spec=spec,
            container=_node_container(self.cluster, self._node(spec.node), spec, argv),
            trace=trace,
            files=((self._token, TOKEN), (self._kept, NOT_CARRIED)),
            recreate=self.recreate,
            proof=proof,
        )

    def admit(self, starts: tuple[AnyStart, ...]) -> Plan:
        """Look at the containers that have the name on all nodes."""
        contains = tuple(step for step in starts if isinstance(step, StartContainer))
        return (CheckContainers(starts=contains),)

    def stop(self, node: Node, service: Service, seconds: float) -> StopService | RemoveContainer:
        """End the server inside the head's container, or a whole container."""
        trace = self.trace(node.name, service)
        step = StopService if service == "serve" else RemoveContainer
        return step(title=f"Stop {service}", trace=trace, seconds=seconds)

    def beforehand(self, cluster: Cluster, node: Node, argv: tuple[str, ...]) -> RunOnce:
        """Run a command in a container that is thrown away, with the rights of the real one."""
        bare = _bare(cluster, node, argv)
        return RunOnce(place=node.name, engine=self.engines[node.name], container=bare)

    def inside(
        self, cluster: Cluster, node: Node, argv: tuple[str, ...], extra: Environment = ()
    ) -> ExecCommand:
        """Run a command by `docker exec`."""
        return ExecCommand(
            place=node.name,
            engine=self.engines[node.name],
            container=cluster.container,
            argv=argv,
            environment=extra,
        )

    def visit(self, node: Node) -> tuple[Word, ...]:
        """Ask from the node's container, unless this machine is the node."""
        engine = self.engines[node.name]
        return engine.docker("exec", self.cluster.container) if engine.ssh_host else ()

    def trace(self, node: str, service: Service) -> ContainerHandle:
        """Find a service of a node again."""
        return ContainerHandle(
            place=node,
            service=service,
            cluster=self.cluster.name,
            engine=self.engines[node],
            container=self.cluster.container,
            image=self.cluster.image,
            pid_file=f"/run/{OURS}/{service}.pid",
            log=f"{LOGS}/{service}.log",
            volume=_logs(self.cluster),
        )

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """Leave nothing to be done: a container is removed when it is stopped."""
        del nodes
        return ()

    def end(self) -> Plan:
        """Remove the secrets; logs and caches stay in their volumes."""
        return (RemoveFolder(place=self.cluster.head.name, path=self.state),)

    def _node(self, name: str) -> Node:
        return next(node for node in self.cluster.nodes if node.name == name)

    def _examined(self, cluster: Cluster, nodes: tuple[Node, ...]) -> Plan:
        """Ask the machines, then a container of the image on each what it finds there."""
        # Workers are compared with the head even when they are started alone.
        names = tuple(dict.fromkeys(node.name for node in (cluster.head, *nodes)))
        some = names if len(names) < len(cluster.nodes) else ()
        chosen = (word for name in some for word in ("--node", name))
        examine = CheckNodes(
            command=cluster.inv("doctor", "--fast", *chosen).strip("`"),
            engines=tuple(self.engines[name] for name in names),
            unless=tuple(self.trace(node.name, "ray") for node in nodes),
        )
        branches = tuple((self._preflight(cluster, node),) for node in nodes)
        return (examine, Parallel(branches=branches))

    def _preflight(self, cluster: Cluster, node: Node) -> Await:
        is_local = not self.engines[node.name].ssh_host
        context = NodeContext(cluster=cluster, node=node, is_local=is_local)
        return Await(
            place=node.name,
            title=f"Check that {node.name} can run Ray",
            ask=self.beforehand(cluster, node, ("python", PREFLIGHT)),
            problems=lambda text: _preflight_problems(context, text),
            seconds=0,
            unless=self.trace(node.name, "ray"),
            refuses=True,
        )


def _preflight_problems(context: NodeContext, text: str) -> tuple[Problem, ...]:
    """Return what keeps a node from starting its container."""
    # The rules belong to another subject: a start loads them only when there is an answer.
    from cluster.checks.preflight import preflight_problems

    return preflight_problems(context, text)


def _node_container(
    cluster: Cluster, node: Node, spec: RunSpec, argv: tuple[str, ...]
) -> Container:
    """Return the container of a node's Ray."""
    labels = {"cluster": cluster.name, "node": node.name, "service": spec.service}
    return replace(
        _bare(cluster, node, argv),
        name=cluster.container,
        environment=spec.environment,
        mounts=(
            Mount(source=cluster.hf_cache, target=MODELS),
            Mount(source=f"{cluster.container}-cache", target=CACHE),
            Mount(source=_logs(cluster), target=LOGS),
        ),
        labels=tuple((f"{OURS}.{key}", value) for key, value in labels.items()),
    )


def _bare(cluster: Cluster, node: Node, argv: tuple[str, ...]) -> Container:
    """Return a container without a name and without mounts."""
    return Container(
        name="",
        image=cluster.image,
        argv=argv,
        accelerator=cluster.accelerator,
        shm_size=cluster.shm_size,
        rdma=bool(node.ib_if),
        privileged=cluster.privileged,
    )


def _logs(cluster: Cluster) -> str:
    return f"{cluster.container}-logs"
