"""The findings of the checks of disks, models and ports: the exact text, and no other finding."""

from dataclasses import replace

import pytest

from cluster.checks.disks import DISKS
from cluster.checks.node_report import NodeReport
from cluster.checks.ray_ports import RAY_PORTS
from cluster.facts.firewall import Listener
from cluster.facts.storage import Disk, Model
from tests.clusters import REHEARSAL, SPARKS, extra_worker
from tests.node_reports import findings, healthy, node_report, with_facts

ROOM = (*DISKS, *RAY_PORTS)
SPARK, OTHER = healthy()
QWEN = Model(name="Qwen/Qwen3-4B", size=8_060_000_000)
SERVING = replace(SPARKS, model=QWEN.name)
FOLDER = "/srv/you/.cache/huggingface"
FULL = Disk(path="/var/lib/docker", free=1_540_000_000, total=4_000_000_000_000)
SMALL = Disk(path=FOLDER, free=100_000_000_000, total=4_000_000_000_000)
CROWDED = (
    "[model-disk] spark1: HF_CACHE has 100.0 of 4000.0 GB left"
    f" (`ssh -t spark1 'du -sh {FOLDER}/hub/*'` shows what models take;"
    " or write another HF_CACHE in env/cluster.env)"
)
PRUNE = (
    "[disk] spark1: Docker has 1.5 GB of free disk space, 2 GB needed"
    " (`ssh -t spark1 docker system prune` removes what no container uses)"
)


def listening(address: str, port: int, process: str = "", before: NodeReport = SPARK) -> NodeReport:
    """Return the same node with a program that listens on a port."""
    return with_facts(before, listeners=(Listener(address=address, port=port, process=process),))


def taken(port: int, purpose: str, program: str, instead: str) -> str:
    """Return the finding about a port that another program has."""
    return (
        f"[ports] spark1: port {port} ({purpose}) is taken by {program}"
        f" (`ssh -t spark1 sudo ss -ltnp sport = :{port}` shows the program;"
        f" or write {instead} in env/cluster.env)"
    )


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param((), id="nobody"),
        pytest.param((SPARK, OTHER), id="two Sparks"),
        pytest.param((with_facts(SPARK, engine_disk=None, model_disk=None),), id="unknown disks"),
        pytest.param(
            (with_facts(SPARK, engine_disk=replace(FULL, free=2_000_000_000)),), id="just enough"
        ),
        pytest.param((listening("127.0.0.1", 8888),), id="another port"),
        pytest.param((listening("[::1]", 6379),), id="another loopback"),
        pytest.param((listening("[fe80::1]%enp1s0f1np1", 6379),), id="an IPv6 address"),
        pytest.param((listening("192.168.177.11", 8265),), id="the dashboard's, elsewhere"),
        pytest.param((SPARK, listening("0.0.0.0", 6379, before=OTHER)), id="a worker's"),  # noqa: S104 (as `ss` prints it)
        pytest.param(
            (
                with_facts(
                    listening("0.0.0.0", 6379),  # noqa: S104 (as `ss` prints it)
                    docker=replace(SPARK.facts.docker, container="running"),
                ),
            ),
            id="ours",
        ),
        pytest.param(
            (listening("*", 8265, before=node_report(cluster=replace(SPARKS, dashboard=False))),),
            id="no dashboard wanted",
        ),
        pytest.param(
            (
                listening(
                    "*", 8265, before=node_report(cluster=replace(SPARKS, accelerator="none"))
                ),
            ),
            id="no dashboard in the image",
        ),
        pytest.param(
            (
                replace(
                    with_facts(listening("*", 6379), engine_disk=FULL, model_disk=SMALL),
                    cluster=REHEARSAL,
                ),
            ),
            id="namespaces",
        ),
        pytest.param(healthy(SERVING), id="a model that nobody has"),
        pytest.param(
            tuple(with_facts(report, models=(QWEN,)) for report in healthy(SERVING)),
            id="one that all have",
        ),
        pytest.param((with_facts(SPARK, models=(QWEN,)), OTHER), id="one that is not served"),
    ],
)
def test_no_findings(reports: tuple[NodeReport, ...]) -> None:
    """Healthy nodes, and nodes that a check does not apply to, have no findings."""
    assert [] == findings(ROOM, *reports)


@pytest.mark.parametrize(
    "report, sentence",
    [
        pytest.param(with_facts(SPARK, engine_disk=FULL), PRUNE, id="Docker's disk"),
        pytest.param(with_facts(SPARK, model_disk=SMALL), CROWDED, id="the models' disk"),
        pytest.param(
            with_facts(SPARK, engine_disk=FULL, model_disk=replace(FULL, path=FOLDER)),
            PRUNE,
            id="one disk",
        ),
        pytest.param(
            listening("127.0.0.1", 6379, "redis-server"),
            taken(6379, "HEAD_PORT", "redis-server on 127.0.0.1", "another HEAD_PORT"),
            id="Redis",
        ),
        pytest.param(
            listening("*", 6379),
            taken(6379, "HEAD_PORT", "another program on *", "another HEAD_PORT"),
            id="unknown",
        ),
        pytest.param(
            listening("127.0.0.1%lo", 8265, "ssh"),
            taken(8265, "Ray's dashboard", "ssh on 127.0.0.1%lo", "DASHBOARD=false"),
            id="a tunnel to another dashboard",
        ),
        pytest.param(
            listening(
                "192.168.177.11", 7000, before=node_report(cluster=replace(SPARKS, head_port=7000))
            ),
            taken(7000, "HEAD_PORT", "another program on 192.168.177.11", "another HEAD_PORT"),
            id="another HEAD_PORT",
        ),
    ],
)
def test_one_fault(report: NodeReport, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(ROOM, report, OTHER)


def test_two_full_disks() -> None:
    """Two full disks are two findings."""
    report = with_facts(SPARK, engine_disk=FULL, model_disk=replace(SMALL, total=3_000_000_000_000))

    assert [PRUNE, CROWDED.replace("4000", "3000")] == findings(ROOM, report)


def test_a_port_that_two_have() -> None:
    """All programs that have the port are named."""
    listeners = tuple(
        Listener(address=address, port=6379, process="redis-server")
        for address in ("127.0.0.1", "[::1]", "192.168.177.11")
    )
    program = "redis-server on 127.0.0.1, redis-server on 192.168.177.11"

    assert [taken(6379, "HEAD_PORT", program, "another HEAD_PORT")] == findings(
        ROOM, with_facts(SPARK, listeners=listeners)
    )


def test_a_model_on_some_nodes() -> None:
    """A node that lacks the model downloads it, or copies it from another node over the link."""
    lab = replace(SERVING, nodes=(*SERVING.nodes, extra_worker()))
    disk = replace(SMALL, free=SMALL.total)
    first, second, third_node = (
        with_facts(node_report(node.name, lab), model_disk=disk) for node in lab.nodes
    )
    without = with_facts(third_node, model_disk=None)
    lacks = "lacks Qwen/Qwen3-4B (8.1 GB), which is on spark1"

    assert [
        (
            f"[models] spark2: {lacks} (`inv serve` lets the node download it; `ssh -t spark1"
            f" rsync --archive --mkpath {FOLDER}/hub/models--Qwen--Qwen3-4B"
            f" you@192.168.177.12:{FOLDER}/hub` copies it over the link)"
        ),
        f"[models] spark3: {lacks} (`inv serve` lets the node download it)",
    ] == findings(ROOM, with_facts(first, models=(QWEN,)), second, without)
