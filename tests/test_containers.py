"""The Docker runtime: which container a node gets, and how things are found again."""

from dataclasses import replace

import pytest

from cluster.commands.run_spec import RunSpec, Service
from cluster.containers.container import Container, Mount
from cluster.containers.inside import (
    ContainerHandle,
    ExecCommand,
    RunOnce,
    StartService,
    StopService,
)
from cluster.containers.runtime import Containers
from cluster.containers.steps import CheckNodes, RemoveContainer, StartContainer
from cluster.environment.environment import not_carried
from cluster.host import Host
from cluster.node import Cluster
from cluster.plan import script
from cluster.plan.steps import Await, MakeFolder, RemoveFolder, WriteFile
from cluster.words import FileText
from tests.clusters import TWO_SPARKS, boxes

HEAD, WORKER = TWO_SPARKS.nodes
RUNTIME = boxes()
ENGINES = tuple(Host(name=name, ssh_host=name) for name in ("spark1", "spark2"))
STATE = "/opt/spark/.state/examples/two-sparks"
SPEC = RunSpec(
    node="spark2",
    service="ray",
    argv=("ray", "start", "--block"),
    environment=(("VLLM_HOST_IP", "192.168.177.12"),),
)
SERVE = RunSpec(
    node="spark1",
    service="serve",
    argv=("vllm", "serve", "m"),
    environment=(("VLLM_HOST_IP", "192.168.177.11"),),
    extra=(("VLLM_API_KEY", FileText("/s/api-key")),),
)
CPU = replace(TWO_SPARKS, accelerator="none", shm_size=None, privileged=True, container="mine")
PROOF = Await(
    place="spark1",
    title="Check",
    ask=RUNTIME.inside(TWO_SPARKS, HEAD, ("true",)),
    problems=lambda _text: (),
    seconds=0,
)


def traced(node: str, service: Service) -> ContainerHandle:
    """Return how a service is found again."""
    return ContainerHandle(
        place=node,
        service=service,
        cluster="examples/two-sparks",
        engine=Host(name=node, ssh_host=node),
        container="vllm_node",
        image="vllm-node",
        pid_file=f"/run/spark-vllm-cluster/{service}.pid",
        log=f"/var/log/spark-vllm-cluster/{service}.log",
        volume="vllm_node-logs",
    )


def preflights(runtime: Containers) -> list[Await]:
    """Return what is asked on each node before anything starts."""
    steps = script.flat(runtime.prepare(TWO_SPARKS, TWO_SPARKS.nodes))
    return [step for step in steps if isinstance(step, Await)]


def asked(gate: Await) -> tuple[str, ...]:
    """Return the words of a question."""
    assert isinstance(gate.ask, RunOnce)
    return gate.ask.container.argv


def test_places() -> None:
    """Inside a node is the token, outside the key, and Ray has its own folder for sessions."""
    found = (RUNTIME.ray_token, RUNTIME.api_key, RUNTIME.ray_session)

    assert ("/run/secrets/ray-token", f"{STATE}/api-key", "") == found
    assert ("python", "/opt/spark-vllm-cluster/probe.py") == RUNTIME.probe


@pytest.mark.parametrize(
    "cluster, gpus, dashboard",
    [
        (TWO_SPARKS, False, True),
        (replace(TWO_SPARKS, accelerator="cdi"), False, True),
        (CPU, True, False),
    ],
    ids=["nvidia", "cdi", "none"],
)
def test_what_ray_must_be_told(cluster: Cluster, gpus: bool, dashboard: bool) -> None:  # noqa: FBT001 (a table)
    """Where there are no GPUs, Ray cannot count them, and its image has no dashboard."""
    runtime = boxes(cluster)

    assert (gpus, dashboard) == (runtime.states_gpus, runtime.has_dashboard)


def test_trace() -> None:
    """A service is found by its number in the container; its log outlives the container."""
    assert traced("spark2", "ray") == RUNTIME.trace("spark2", "ray")
    assert traced("spark1", "serve") == RUNTIME.trace("spark1", "serve")


def test_ray() -> None:
    """Ray is a container, with its node's variables and its two secret files."""
    container = Container(
        name="vllm_node",
        image="vllm-node",
        argv=("run-service", "ray", SPEC.digest, "ray", "start", "--block"),
        environment=(("VLLM_HOST_IP", "192.168.177.12"),),
        mounts=(
            Mount(source="~/.cache/huggingface", target="/root/.cache/huggingface"),
            Mount(source="vllm_node-cache", target="/var/cache/spark-vllm-cluster"),
            Mount(source="vllm_node-logs", target="/var/log/spark-vllm-cluster"),
        ),
        accelerator="nvidia",
        shm_size=16 << 30,
        rdma=True,
        privileged=False,
        labels=(
            ("spark-vllm-cluster.cluster", "examples/two-sparks"),
            ("spark-vllm-cluster.node", "spark2"),
            ("spark-vllm-cluster.service", "ray"),
        ),
    )
    carried = "/root/.config/vllm/ray_non_carry_over_env_vars.json"
    expected = StartContainer(
        title="Start Ray (worker)",
        spec=SPEC,
        container=container,
        trace=traced("spark2", "ray"),
        files=(
            (f"{STATE}/ray-token", "/run/secrets/ray-token"),
            (f"{STATE}/not-carried.json", carried),
        ),
        recreate=False,
        proof=PROOF,
    )

    assert expected == RUNTIME.service(SPEC, "Start Ray (worker)", PROOF)


def test_ray_as_the_settings_say() -> None:
    """The settings decide name, rights, GPUs and memory; `--recreate` goes with the container."""
    cluster = replace(CPU, hf_cache="/data", nodes=(HEAD, replace(WORKER, ib_if=())))
    step = boxes(cluster, recreate=True).service(SPEC, "Start Ray")

    assert isinstance(step, StartContainer)
    made = step.container
    sources = ["/data", "mine-cache", "mine-logs"]

    assert (True, None) == (step.recreate, step.proof)
    assert ("mine", "none", None) == (made.name, made.accelerator, made.shm_size)
    assert (False, True) == (made.rdma, made.privileged)
    assert sources == [mount.source for mount in made.mounts]


def test_server() -> None:
    """The server is a command of the head's container, which has all variables but its own."""
    expected = StartService(
        title="Serve m",
        spec=SERVE,
        argv=("run-service", "serve", SERVE.digest, "vllm", "serve", "m"),
        environment=(("VLLM_API_KEY", FileText("/s/api-key")),),
        trace=traced("spark1", "serve"),
    )

    assert expected == RUNTIME.service(SERVE, "Serve m")


def test_inside() -> None:
    """A command beside Ray needs no variable but its own: the container has the others."""
    extra = (("VLLM_API_KEY", FileText("/s/api-key")),)
    expected = ExecCommand(
        place="spark2",
        engine=Host(name="spark2", ssh_host="spark2"),
        container="vllm_node",
        argv=("env",),
        environment=extra,
    )

    assert expected == RUNTIME.inside(TWO_SPARKS, WORKER, ("env",), extra)


def test_beforehand() -> None:
    """Without a container, a command gets one like it: no name, no folders, no secrets."""
    container = Container(
        name="",
        image="vllm-node",
        argv=("env",),
        accelerator="nvidia",
        shm_size=16 << 30,
        rdma=True,
        privileged=False,
    )
    engine = Host(name="spark2", ssh_host="spark2")

    assert RunOnce(place="spark2", engine=engine, container=container) == RUNTIME.beforehand(
        TWO_SPARKS, WORKER, ("env",)
    )


def test_prepare() -> None:
    """What can be known is checked before anything is made, all nodes at once."""
    first, *_, folder, text, token = script.flat(RUNTIME.prepare(TWO_SPARKS, TWO_SPARKS.nodes))
    traces = (RUNTIME.trace("spark1", "ray"), RUNTIME.trace("spark2", "ray"))
    command = "inv doctor --fast --cluster examples/two-sparks"
    kept = WriteFile(
        place="spark1", path=f"{STATE}/not-carried.json", content=not_carried(TWO_SPARKS)
    )

    assert CheckNodes(command=command, engines=ENGINES, unless=traces) == first
    assert (MakeFolder(place="spark1", path=STATE), kept) == (folder, text)
    assert ("spark1", "Make a secret, unless it is there") == (token.place, token.title)


def test_prepare_one() -> None:
    """A worker that starts alone is compared with the head, and alone is asked what it has."""
    first, gate, *_ = script.flat(RUNTIME.prepare(TWO_SPARKS, (WORKER,)))
    command = "inv doctor --fast --cluster examples/two-sparks"
    traces = (RUNTIME.trace("spark2", "ray"),)

    assert CheckNodes(command=command, engines=ENGINES, unless=traces) == first
    assert ("spark2", "Check that spark2 can run Ray") == (gate.place, gate.title)


def test_prepare_the_head() -> None:
    """A head that starts alone is examined alone; by hand, too."""
    first, *_ = script.flat(RUNTIME.prepare(TWO_SPARKS, (HEAD,)))
    command = "inv doctor --fast --node spark1 --cluster examples/two-sparks"

    assert (
        CheckNodes(command=command, engines=ENGINES[:1], unless=(RUNTIME.trace("spark1", "ray"),))
        == first
    )


def test_prepare_unexamined() -> None:
    """Whoever asks for it gets neither machines nor containers examined."""
    steps = replace(RUNTIME, preflight=False).prepare(TWO_SPARKS, TWO_SPARKS.nodes)

    assert RUNTIME.prepare(TWO_SPARKS, TWO_SPARKS.nodes)[2:] == steps


def test_preflight() -> None:
    """Each node is asked once, unless its Ray runs; what is wrong means that nothing starts."""
    gates = preflights(RUNTIME)
    program = ("python", "/opt/spark-vllm-cluster/preflight.py")

    assert [program, program] == [asked(gate) for gate in gates]
    assert [traced("spark1", "ray"), traced("spark2", "ray")] == [gate.unless for gate in gates]
    assert [(0, True)] * 2 == [(gate.seconds, gate.refuses) for gate in gates]
    assert ["spark1", "spark2"] == [gate.problems("")[0].place for gate in gates]


def test_stop() -> None:
    """The server ends inside its container, Ray with it."""
    ray = RemoveContainer(title="Stop ray", trace=traced("spark2", "ray"), seconds=5)
    serve = StopService(title="Stop serve", trace=traced("spark1", "serve"), seconds=20)

    assert ray == RUNTIME.stop(WORKER, "ray", 5)
    assert serve == RUNTIME.stop(HEAD, "serve", 20)


def test_visit() -> None:
    """Another machine asks from inside the node; the node itself needs nothing in front."""
    here = replace(RUNTIME, engines={"spark1": Host(name="spark1")})

    assert ("docker", "--host", "ssh://spark1", "exec", "vllm_node") == RUNTIME.visit(HEAD)
    assert () == here.visit(HEAD)


def test_end() -> None:
    """A stopped container is gone; the secrets of this machine go last."""
    assert () == RUNTIME.release(TWO_SPARKS.nodes)
    assert (RemoveFolder(place="spark1", path=STATE),) == RUNTIME.end()
