"""Whether a node has its GPUs, a driver that works, and no other program on them."""

from collections.abc import Iterator

from cluster.checks.check import Reports, check, differences, each
from cluster.checks.node_report import SPARK, NodeReport, uses_gpus
from cluster.checks.system import update
from cluster.errors import Problem
from cluster.facts.gpu import Client

HANGING = "590."
"""A driver branch with a deadlock on GB10 (eugr/spark-vllm-docker, README, 2026-03-12)."""
STUCK = range(500, 800)
"""MHz around 702, where a clock is stuck; idle it has 208, at work more than twice as many."""


@check("gpu", "blocks", uses_gpus)
@each
def _gpu(report: NodeReport) -> Iterator[Problem]:
    """Every node has as many GPUs as its file says.

    Looks at: `nvidia-smi`
    Why: Ray offers what it finds, and vLLM waits half an hour for GPUs that do not exist.
    Do: `nvidia-smi` shows what is wrong with the driver; or write another GPUS.
    Known from: vLLM, vllm/v1/executor/ray_utils.py
    """
    gpus, expected, count = report.facts.gpus, report.node.gpus, len(report.facts.gpus.gpus)
    smi = report.command("nvidia-smi")
    if gpus.silent:
        reason = f"{report.command('sudo dmesg')} may show why it does not"
        message = f"nvidia-smi does not answer: {gpus.error}"
        yield report.problem(message, f"{smi} must answer; {reason}")
    elif not count:
        without = f"write ACCELERATOR=none in {report.cluster_file}, for CPUs only"
        message = f"has no GPU: {gpus.error or 'nvidia-smi lists none'}"
        yield report.problem(message, f"{smi} must list one; or {without}")
    elif count < expected:
        listing = report.command("nvidia-smi -L")
        remedy = f"{listing} lists them; or write GPUS={count} in {report.node_file}"
        yield report.problem(f"has {count} of {expected} GPUs (GPUS)", remedy)


@check("gpu-busy", "slow", uses_gpus, requires=("memory",))
@each
def _busy(report: NodeReport) -> Iterator[Problem]:
    """No other program uses the GPU.

    Looks at: `nvidia-smi --query-compute-apps=pid,process_name,used_memory --format=csv`
    Why: Other programs take its time and, on a Spark, the memory of the whole machine.
    Do: End them, or wait until they end.
    Known from: NVIDIA dgx-spark-playbooks, vllm/README.md
    """
    clients = report.facts.gpus.clients
    if clients and not report.is_running:
        programs = ", ".join(f"{client.name} ({_details(client)})" for client in clients)
        show = report.command(f"ps -fp {','.join(str(client.pid) for client in clients)}")
        yield report.problem(f"other programs use its GPU: {programs}", f"{show} shows them")


def _details(client: Client) -> str:
    return f"{client.pid}" if client.memory is None else f"{client.pid}, {client.memory} MiB"


@check("gpu-clock", "slow", uses_gpus)
@each
def _clock(report: NodeReport) -> Iterator[Problem]:
    """The GPU of a Spark runs at full clock while it computes.

    Looks at: `nvidia-smi --query-gpu=clocks.sm --format=csv`, while programs use it
    Why: Some Sparks stay near 700 MHz after a fault of their power supply, and all ranks wait for
      the slowest.
    Do: Switch it off and unplug its power supply; a restart does not help.
    Known from: eugr/spark-vllm-docker issue 334
    """
    stuck = tuple(gpu.clock for gpu in report.facts.gpus.gpus if gpu.clock in STUCK)
    if report.is_spark and report.facts.gpus.clients and stuck:
        message = f"its GPU runs at {stuck[0]} MHz while programs use it"
        show = report.command("nvidia-smi --query-gpu=clocks.sm,utilization.gpu --format=csv")
        remedy = "switch it off, unplug it and start it again: a restart is not enough"
        yield report.problem(message, f"{show} shows whether it is busy; if so, {remedy}")


@check("driver", "slow", uses_gpus)
@each
def _driver(report: NodeReport) -> Iterator[Problem]:
    """The GPU's driver is not of branch 590.

    Looks at: `nvidia-smi --query-gpu=driver_version --format=csv`
    Why: On GB10, capturing CUDA graphs deadlocked with it, and a server that hangs while it warms
      up looks like a slow one.
    Do: Install a driver of branch 580, which DGX OS has; or serve with --enforce-eager.
    Known from: eugr/spark-vllm-docker, README, 2026-03-12
    """
    if report.is_spark and report.driver.startswith(HANGING):
        message = f"GPU driver {report.driver} can hang while it captures CUDA graphs on a Spark"
        install = report.command("sudo apt-get install nvidia-driver-580-open")
        without = f"SERVE_ARGS=--enforce-eager in {report.cluster_file}"
        yield report.problem(message, f"{install}, then restart it; or write {without}")


@check("driver-same", "slow", uses_gpus, requires=("driver",))
def _driver_same(reports: Reports) -> Iterator[Problem]:
    """All nodes have the same GPU driver.

    Looks at: `nvidia-smi --query-gpu=driver_version --format=csv`
    Why: Ranks wait for each other, so the slowest driver slows all of them; an error of one looks
      like one of the network.
    Do: Update all nodes on one day, and restart them.
    Known from: eugr/spark-vllm-docker, README, 2026-03-12
    """
    return differences("GPU drivers differ", reports, lambda report: report.driver, update)


@check("not-a-spark", "note", uses_gpus)
@each
def _not_a_spark(report: NodeReport) -> Iterator[Problem]:
    """The GPU is a Spark's.

    Looks at: `nvidia-smi --query-gpu=name --format=csv`
    Why: The image, the share of memory and the names in the documentation are for GB10.
    Do: Build an image for the GPU of the node.
    Known from: eugr/spark-vllm-docker, README, 2026-03-31
    """
    gpus = report.facts.gpus.gpus
    if gpus and not report.is_spark:
        message = f"its GPU is {gpus[0].name}, not the {SPARK} of a Spark"
        build = report.cluster.inv("build", "--arch", "CAPABILITY")
        yield report.problem(message, f"{build} makes an image for it: docs/image.md")


GPUS = (_gpu, _busy, _clock, _driver, _driver_same, _not_a_spark)
