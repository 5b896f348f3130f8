"""The findings of the checks of memory: the exact text, and none where there is enough."""

from dataclasses import replace

import pytest

from cluster.checks.memory import MEMORY
from cluster.checks.node_report import NodeReport
from cluster.facts.docker import Docker
from cluster.facts.gpu import Client, Gpu, Gpus
from tests.clusters import REHEARSAL, SPARKS
from tests.node_reports import GIB, findings, healthy, node_report, with_facts

SPARK, OTHER = healthy()
GB10 = Gpu(name="NVIDIA GB10", driver="580.95.05")
CLIENTS = (Client(pid=4242, name="python3"), Client(pid=4343, name="ollama"))
BIGGEST = "`ssh -t spark1 'ps -eo pid,user,rss,args --sort=-rss | head'` shows what takes"
SERVE = "`inv serve --gpu-memory-utilization 0.49`"
CPUS = replace(SPARKS, accelerator="none")


def memory(before: NodeReport = SPARK, **rows: int) -> NodeReport:
    """Return the same node with other rows of /proc/meminfo."""
    spark = before.facts.machine
    return with_facts(before, machine=replace(spark, memory=replace(spark.memory, **rows)))


def pressed(share: float | None) -> NodeReport:
    """Return a node on which programs waited for memory."""
    return with_facts(SPARK, machine=replace(SPARK.facts.machine, pressure=share))


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(SPARK, id="a Spark"),
        pytest.param(memory(available=84 * GIB, free=84 * GIB), id="just enough"),
        pytest.param(
            with_facts(memory(available=0, free=0), docker=Docker(container="running")),
            id="ours runs",
        ),
        pytest.param(
            with_facts(
                memory(available=0, free=0, swap_total=16 * GIB),
                gpus=Gpus(gpus=(Gpu(name="NVIDIA RTX", memory=24564),)),
            ),
            id="a GPU with a memory of its own",
        ),
        pytest.param(memory(node_report(cluster=CPUS), available=0, free=0), id="no GPU"),
        pytest.param(replace(pressed(99.0), cluster=REHEARSAL), id="namespaces"),
        pytest.param(pressed(None), id="unknown pressure"),
        pytest.param(pressed(10.0), id="some pressure"),
    ],
)
def test_no_findings(report: NodeReport) -> None:
    """A node with enough memory, or with a GPU that has its own memory, has no findings."""
    assert [] == findings(MEMORY, report, OTHER)


@pytest.mark.parametrize(
    "report, sentence",
    [
        pytest.param(
            memory(available=60 * GIB, free=50 * GIB),
            "60.0 of 120.0 GiB of memory are available, but vLLM requests 84.0 GiB"
            f" (GPU_MEMORY_UTILIZATION=0.7) ({BIGGEST} it;"
            f" or write GPU_MEMORY_UTILIZATION=0.49 in env/cluster.env, or {SERVE})",
            id="programs",
        ),
        pytest.param(
            with_facts(
                memory(available=60 * GIB, free=50 * GIB), gpus=Gpus(gpus=(GB10,), clients=CLIENTS)
            ),
            "60.0 of 120.0 GiB of memory are available, but vLLM requests 84.0 GiB"
            " (GPU_MEMORY_UTILIZATION=0.7); on the GPU: python3 (4242), ollama (4343)"
            " (`ssh -t spark1 ps -fp 4242,4343` shows what takes it;"
            f" or write GPU_MEMORY_UTILIZATION=0.49 in env/cluster.env, or {SERVE})",
            id="on the GPU",
        ),
        pytest.param(
            memory(available=GIB, free=GIB),
            "1.0 of 120.0 GiB of memory are available, but vLLM requests 84.0 GiB"
            f" (GPU_MEMORY_UTILIZATION=0.7) ({BIGGEST} it)",
            id="none left",
        ),
    ],
)
def test_too_little(report: NodeReport, sentence: str) -> None:
    """Too little memory is reported with the programs that use it, and a share that fits."""
    assert [f"[memory] spark1: {sentence}"] == findings(MEMORY, report, OTHER)


@pytest.mark.parametrize(
    "report, sentence",
    [
        pytest.param(
            memory(free=20 * GIB, cached=95 * GIB),
            "[page-cache] spark1: the page cache holds 95.0 GiB of memory, 20.0 GiB are free,"
            " but vLLM requests 84.0 GiB"
            " (`ssh -t spark1 'sync; echo 3 | sudo tee /proc/sys/vm/drop_caches'`)",
            id="page cache",
        ),
        pytest.param(
            memory(swap_total=16 * GIB, swap_free=14 * GIB),
            "[swap] spark1: has 16.0 GiB of swap space, of which 2.0 GiB are used"
            " (`ssh -t spark1 sudo swapoff --all`, and remove it from its /etc/fstab)",
            id="swap",
        ),
        pytest.param(
            replace(memory(free=20 * GIB, cached=95 * GIB), is_local=True),
            "[page-cache] spark1: the page cache holds 95.0 GiB of memory, 20.0 GiB are free,"
            " but vLLM requests 84.0 GiB (`sync; echo 3 | sudo tee /proc/sys/vm/drop_caches`)",
            id="page cache of this machine",
        ),
        pytest.param(
            pressed(23.4),
            "[pressure] spark1: programs waited for memory in 23 % of the last minute"
            f" ({BIGGEST} most of it)",
            id="pressure",
        ),
    ],
)
def test_worth_knowing(report: NodeReport, sentence: str) -> None:
    """What slows a node, now or once a model is loaded, is reported for that node alone."""
    assert [sentence] == findings(MEMORY, report, OTHER)
