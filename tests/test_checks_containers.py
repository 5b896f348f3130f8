"""The findings of the checks of Docker, GPUs and the image: the exact text, and no other."""

from dataclasses import replace
from typing import Any

import pytest

from cluster.checks import containers
from cluster.checks.gpus import GPUS
from cluster.checks.images import IMAGES
from cluster.checks.node_report import NodeReport
from cluster.facts.docker import Docker
from cluster.facts.gpu import Client, Gpu, Gpus
from cluster.node import Cluster
from tests.clusters import REHEARSAL, SPARKS
from tests.node_reports import GIB, IMAGE, findings, healthy, node_report, with_facts, with_settings

NAMES = ("gpu", "gpu-busy", "gpu-clock")
CONTAINERS = (
    *containers.CONTAINERS,
    *(check for check in GPUS if check.name in NAMES),
    *IMAGES,
)
SPARK, OTHER = healthy()
GB10 = Gpu(name="NVIDIA GB10", driver="580.95.05", clock=2400)
SLOW = replace(GB10, clock=702)
CLIENTS = (Client(pid=4242, name="python3"), Client(pid=4343, name="ollama", memory=9000))
CDI = replace(SPARKS, accelerator="cdi")
CPUS = replace(SPARKS, accelerator="none")
RESTART = "then `ssh -t spark1 sudo systemctl restart docker`; or write ACCELERATOR="
CLOCK = (
    "`ssh -t spark1 nvidia-smi --query-gpu=clocks.sm,utilization.gpu --format=csv` shows whether"
    " it is busy; if so, switch it off, unplug it and start it again: a restart is not enough"
)


def docker(before: NodeReport = SPARK, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Docker)
    """Return the same node with other facts about Docker."""
    return with_facts(before, docker=replace(before.facts.docker, **changes))


def gpus(*devices: Gpu, clients: tuple[Client, ...] = (), before: NodeReport = SPARK) -> NodeReport:
    """Return the same node with other GPUs."""
    return with_facts(before, gpus=Gpus(gpus=devices, clients=clients))


def used(before: NodeReport) -> NodeReport:
    """Return a node whose memory other programs on the GPU have taken."""
    spark = before.facts.machine
    machine = replace(spark, memory=replace(spark.memory, available=GIB))
    return gpus(GB10, clients=CLIENTS, before=with_facts(before, machine=machine))


def among(cluster: Cluster) -> NodeReport:
    """Return a healthy node of another cluster."""
    return node_report(cluster=cluster)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(SPARK, id="a Spark"),
        pytest.param(among(CDI), id="CDI"),
        pytest.param(docker(runtimes=("runc",)), id="the toolkit's hook"),
        pytest.param(docker(runtimes=("runc",), toolkit=""), id="only CDI devices"),
        pytest.param(docker(among(CDI), cdi=("/var/run/cdi/nvidia.yaml",)), id="only CDI's file"),
        pytest.param(docker(cdi=(), toolkit="", runtimes=("nvidia",)), id="only the runtime"),
        pytest.param(docker(toolkit="unknown"), id="strange version"),
        pytest.param(gpus(GB10, GB10), id="more GPUs than are used"),
        pytest.param(docker(gpus(GB10, clients=CLIENTS), container="running"), id="ours computes"),
        pytest.param(used(SPARK), id="others have all the memory"),
        pytest.param(
            gpus(Gpu(name="NVIDIA T4", clock=300), clients=()), id="another GPU without work"
        ),
        pytest.param(gpus(replace(GB10, clock=208)), id="a Spark without work"),
        pytest.param(
            docker(gpus(replace(GB10, clock=208), clients=CLIENTS), container="running"),
            id="a server without work",
        ),
        pytest.param(
            with_facts(among(CPUS), gpus=Gpus(error="no driver"), docker=Docker(image=IMAGE)),
            id="without GPUs",
        ),
        pytest.param(
            replace(
                with_facts(SPARK, gpus=Gpus(error="no driver"), docker=Docker(error="refused")),
                cluster=REHEARSAL,
            ),
            id="namespaces",
        ),
    ],
)
def test_no_findings(report: NodeReport) -> None:
    """Healthy nodes, and nodes that a check does not apply to, have no findings."""
    assert [] == findings(CONTAINERS, report)


@pytest.mark.parametrize(
    "report, sentence",
    [
        pytest.param(
            docker(
                error="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
                image=None,
                runtimes=(),
                toolkit="",
                cdi=(),
            ),
            "[docker] spark1: the Docker engine is not running"
            " (`ssh -t spark1 'sudo systemctl start docker'`)",
            id="no Docker",
        ),
        pytest.param(
            replace(docker(error="permission denied while trying to connect"), is_local=True),
            "[docker] spark1: this user may not use Docker on this machine"
            ' (`sudo usermod -aG docker "$USER"`, then log in there again)',
            id="no Docker here",
        ),
        pytest.param(
            with_facts(SPARK, gpus=Gpus(error="NVIDIA-SMI has failed")),
            "[gpu] spark1: has no GPU: NVIDIA-SMI has failed (`ssh -t spark1 nvidia-smi` must list"
            " one; or write ACCELERATOR=none in env/cluster.env, for CPUs only)",
            id="no driver",
        ),
        pytest.param(
            with_facts(SPARK, gpus=Gpus(error="nvidia-smi: no answer within 10 s")),
            "[gpu] spark1: nvidia-smi does not answer: nvidia-smi: no answer within 10 s (`ssh -t"
            " spark1 nvidia-smi` must answer; `ssh -t spark1 sudo dmesg` may show why it does not)",
            id="nvidia-smi hangs",
        ),
        pytest.param(
            docker(gpus(), runtimes=(), toolkit="", cdi=()),
            "[gpu] spark1: has no GPU: nvidia-smi lists none (`ssh -t spark1 nvidia-smi` must list"
            " one; or write ACCELERATOR=none in env/cluster.env, for CPUs only)",
            id="a PC without anything",
        ),
        pytest.param(
            with_settings(SPARK, gpus=2),
            "[gpu] spark1: has 1 of 2 GPUs (GPUS) (`ssh -t spark1 nvidia-smi -L` lists them;"
            " or write GPUS=1 in env/spark1.env)",
            id="too few GPUs",
        ),
        pytest.param(
            docker(runtimes=("runc",), toolkit="", cdi=()),
            "[gpu-docker] spark1: Docker cannot give containers GPUs: it has no runtime `nvidia`"
            " (`ssh -t spark1 sudo apt-get install nvidia-container-toolkit`,"
            f" `ssh -t spark1 sudo nvidia-ctk runtime configure --runtime=docker`,"
            f" {RESTART}cdi in env/cluster.env)",
            id="no toolkit",
        ),
        pytest.param(
            docker(among(CDI), cdi=("vendor.com/net=nvidia",)),
            "[gpu-docker] spark1: Docker cannot give containers GPUs: no CDI device"
            " nvidia.com/gpu=all (`ssh -t spark1 sudo nvidia-ctk cdi generate"
            f" --output=/etc/cdi/nvidia.yaml`, {RESTART}nvidia in env/cluster.env)",
            id="no CDI device",
        ),
        pytest.param(
            docker(toolkit="1.16.2"),
            "[toolkit] spark1: has NVIDIA Container Toolkit 1.16.2; NVIDIA asks for 1.17.7 on a"
            " Spark (`ssh -t spark1 sudo apt-get install --only-upgrade nvidia-container-toolkit`)",
            id="old toolkit",
        ),
        pytest.param(
            gpus(GB10, clients=CLIENTS),
            "[gpu-busy] spark1: other programs use its GPU: python3 (4242), ollama (4343, 9000 MiB)"
            " (`ssh -t spark1 ps -fp 4242,4343` shows them)",
            id="others compute",
        ),
        pytest.param(
            docker(gpus(SLOW, clients=CLIENTS[:1]), container="running"),
            f"[gpu-clock] spark1: its GPU runs at 702 MHz while programs use it ({CLOCK})",
            id="stuck clock",
        ),
        pytest.param(
            docker(image=None),
            "[image] spark1: has no image vllm-node"
            " (`inv ship --node spark1` copies it from this machine)",
            id="no image",
        ),
        pytest.param(
            docker(image=replace(IMAGE, layers=("sha256:aa", "sha256:cc"))),
            "[same-image] spark2: has another vllm-node than spark1: 1 of 2 layers differ"
            " (`inv ship --node spark2` copies it from this machine)",
            id="another image",
        ),
    ],
)
def test_one_fault(report: NodeReport, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(CONTAINERS, report, OTHER)


def test_nobody_has_the_image() -> None:
    """Before the image is built, every node lacks it."""
    nodes = (docker(image=None), docker(OTHER, image=None))

    assert [
        "[image] spark1: has no image vllm-node (`inv build`)",
        "[image] spark2: has no image vllm-node (`inv build`)",
    ] == findings(CONTAINERS, *nodes)


def test_no_answers() -> None:
    """Without a node there are no findings."""
    assert [] == findings(CONTAINERS)
