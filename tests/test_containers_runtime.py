"""The Docker runtime: the container of each node, handles and commands."""

from dataclasses import replace

import pytest

from cluster.commands.run_spec import RunSpec, Service
from cluster.containers.container import Container, Mount
from cluster.containers.runtime import Containers
from cluster.containers.steps import (
    ContainerHandle,
    ExecCommand,
    RemoveContainer,
    RunOnce,
    StartContainer,
    StartService,
    StopService,
)
from cluster.environment.environment import not_carried
from cluster.host import Host
from cluster.node import Cluster
from cluster.plan import script
from cluster.plan.steps import Await, MakeFolder, RemoveFolder, WriteFile
from cluster.start.steps import checks
from cluster.words import FileText
from tests.clusters import TWO_SPARKS, container_runtime

HEAD, WORKER = TWO_SPARKS.nodes
RUNTIME = container_runtime()
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
    query=RUNTIME.run_inside(HEAD, ("true",)),
    problems=lambda _text: (),
    seconds=0,
)


def handle(node: str, service: Service) -> ContainerHandle:
    """Return the handle of a service."""
    return ContainerHandle(
        place=node,
        service=service,
        cluster="examples/two-sparks",
        host=Host(name=node, ssh_host=node),
        container="vllm_node",
        image="vllm-node",
        pid_file=f"/run/spark-vllm-cluster/{service}.pid",
        log=f"/var/log/spark-vllm-cluster/{service}.log",
        volume="vllm_node-logs",
    )


def preflights(runtime: Containers) -> list[Await]:
    """Return the checks in a container of the image, one for each node."""
    steps = script.flat(checks(runtime.cluster, runtime.cluster.nodes, runtime))
    return [step for step in steps if isinstance(step, Await)]


def query_words(check: Await) -> tuple[str, ...]:
    """Return the command that a check runs in a container of its own."""
    assert isinstance(check.query, RunOnce)
    return check.query.container.argv


def test_paths() -> None:
    """The token is inside a node, the key outside; Ray uses its default session folder."""
    paths = (RUNTIME.ray_token, RUNTIME.api_key, RUNTIME.ray_session)

    assert ("/run/secrets/ray-token", f"{STATE}/api-key", "") == paths
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
def test_gpu_count_and_dashboard(cluster: Cluster, gpus: bool, dashboard: bool) -> None:  # noqa: FBT001 (a table)
    """Without an accelerator, Ray needs the number of GPUs and has no dashboard."""
    runtime = container_runtime(cluster)

    assert (gpus, dashboard) == (runtime.needs_gpu_count, runtime.has_dashboard)


def test_handle() -> None:
    """A service is found by its process number in the container; its log is on a volume."""
    assert handle("spark2", "ray") == RUNTIME.handle("spark2", "ray")
    assert handle("spark1", "serve") == RUNTIME.handle("spark1", "serve")


def test_start_ray() -> None:
    """Ray is a container with its node's variables, the token and vLLM's list of variables."""
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
        handle=handle("spark2", "ray"),
        files=(
            (f"{STATE}/ray-token", "/run/secrets/ray-token"),
            (f"{STATE}/not-carried.json", carried),
        ),
        recreate=False,
        proof=PROOF,
    )

    assert expected == RUNTIME.start(SPEC, "Start Ray (worker)", PROOF)


def test_settings_of_the_container() -> None:
    """The settings decide name, rights, GPUs and memory of a container, `--recreate` its fate."""
    cluster = replace(CPU, hf_cache="/data", nodes=(HEAD, replace(WORKER, ib_if=())))
    step = container_runtime(cluster, recreate=True).start(SPEC, "Start Ray")

    assert isinstance(step, StartContainer)
    container = step.container
    sources = ["/data", "mine-cache", "mine-logs"]

    assert (True, None) == (step.recreate, step.proof)
    assert ("mine", "none", None) == (container.name, container.accelerator, container.shm_size)
    assert (False, True) == (container.rdma, container.privileged)
    assert sources == [mount.source for mount in container.mounts]


def test_start_server() -> None:
    """The server is a command in the head's container with only the API key as a variable."""
    expected = StartService(
        title="Serve m",
        spec=SERVE,
        argv=("run-service", "serve", SERVE.digest, "vllm", "serve", "m"),
        environment=(("VLLM_API_KEY", FileText("/s/api-key")),),
        handle=handle("spark1", "serve"),
    )

    assert expected == RUNTIME.start(SERVE, "Serve m")


def test_run_inside() -> None:
    """A command beside Ray has the container's variables and its extra ones."""
    extra = (("VLLM_API_KEY", FileText("/s/api-key")),)
    expected = ExecCommand(
        place="spark2",
        host=Host(name="spark2", ssh_host="spark2"),
        container="vllm_node",
        argv=("env",),
        environment=extra,
    )

    assert expected == RUNTIME.run_inside(WORKER, ("env",), extra)


def test_run_beforehand() -> None:
    """Before Ray runs, a command gets a container without a name, mounts and secrets."""
    container = Container(
        name="",
        image="vllm-node",
        argv=("env",),
        accelerator="nvidia",
        shm_size=16 << 30,
        rdma=True,
        privileged=False,
    )
    host = Host(name="spark2", ssh_host="spark2")
    expected = RunOnce(place="spark2", host=host, container=container)

    assert expected == RUNTIME.run_beforehand(WORKER, ("env",))


def test_prepare() -> None:
    """The files for the containers are made on this machine."""
    folder, text, token = script.flat(RUNTIME.prepare(TWO_SPARKS.nodes))
    content = not_carried(TWO_SPARKS)
    expected = WriteFile(place="spark1", path=f"{STATE}/not-carried.json", content=content)

    assert (MakeFolder(place="spark1", path=STATE), expected) == (folder, text)
    assert ("spark1", "Generate a secret, unless it exists") == (token.place, token.title)


def test_preflight() -> None:
    """Each node is checked once unless its Ray is running; a problem refuses the start."""
    steps = preflights(RUNTIME)
    program = ("python", "/opt/spark-vllm-cluster/preflight.py")

    assert [program, program] == [query_words(check) for check in steps]
    assert [handle("spark1", "ray"), handle("spark2", "ray")] == [check.unless for check in steps]
    assert [(0, True)] * 2 == [(check.seconds, check.refuses) for check in steps]
    assert ["spark1", "spark2"] == [check.problems("")[0].place for check in steps]


def test_stop() -> None:
    """The server is stopped inside its container; stopping Ray removes the container."""
    ray = RemoveContainer(title="Stop ray", handle=handle("spark2", "ray"), seconds=5)
    serve = StopService(title="Stop serve", handle=handle("spark1", "serve"), seconds=20)

    assert ray == RUNTIME.stop(WORKER, "ray", 5)
    assert serve == RUNTIME.stop(HEAD, "serve", 20)


def test_network_prefix() -> None:
    """A remote machine reaches a node's address from its container; the node needs no prefix."""
    local = replace(RUNTIME, hosts={"spark1": Host(name="spark1")})

    assert ("docker", "--host", "ssh://spark1", "exec", "vllm_node") == RUNTIME.network_prefix(HEAD)
    assert () == local.network_prefix(HEAD)


def test_end() -> None:
    """Nothing is left to release; at the end, the secrets on this machine are removed."""
    assert () == RUNTIME.release(TWO_SPARKS.nodes)
    assert (RemoveFolder(place="spark1", path=STATE),) == RUNTIME.end()
