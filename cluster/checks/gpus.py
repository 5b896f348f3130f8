"""Whether a node has its GPUs, a driver that works, and no other program on them."""

from collections.abc import Iterator

from cluster.checks.check import Check, Reports, differences, each
from cluster.checks.node_report import SPARK, NodeReport, uses_gpus
from cluster.checks.system import update
from cluster.errors import Problem

HANGING = "590."
"""A driver branch with a deadlock on GB10 (eugr/spark-vllm-docker, README, 2026-03-12)."""
STUCK = range(500, 800)
"""MHz around 702, where a clock is stuck; idle it has 208, at work more than twice as many."""


def _gpu(report: NodeReport) -> Iterator[Problem]:
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


def _busy(report: NodeReport) -> Iterator[Problem]:
    clients = report.facts.gpus.clients
    if clients and not report.is_running:
        programs = ", ".join(
            f"{client.name} ({_details(client.pid, client.memory)})" for client in clients
        )
        show = report.command(f"ps -fp {','.join(str(client.pid) for client in clients)}")
        yield report.problem(f"other programs use its GPU: {programs}", f"{show} shows them")


def _details(pid: int, memory: int | None) -> str:
    return str(pid) if memory is None else f"{pid}, {memory} MiB"


def _clock(report: NodeReport) -> Iterator[Problem]:
    stuck = tuple(gpu.clock for gpu in report.facts.gpus.gpus if gpu.clock in STUCK)
    if report.is_spark and report.facts.gpus.clients and stuck:
        message = f"its GPU runs at {stuck[0]} MHz while programs use it"
        show = report.command("nvidia-smi --query-gpu=clocks.sm,utilization.gpu --format=csv")
        remedy = "switch it off, unplug it and start it again: a restart is not enough"
        yield report.problem(message, f"{show} shows whether it is busy; if so, {remedy}")


def _driver(report: NodeReport) -> Iterator[Problem]:
    if report.is_spark and report.driver.startswith(HANGING):
        message = f"GPU driver {report.driver} can hang while it captures CUDA graphs on a Spark"
        install = report.command("sudo apt-get install nvidia-driver-580-open")
        without = f"SERVE_ARGS=--enforce-eager in {report.cluster_file}"
        yield report.problem(message, f"{install}, then restart it; or write {without}")


def _driver_same(reports: Reports) -> Iterator[Problem]:
    return differences("GPU drivers differ", reports, lambda report: report.driver, update)


def _not_a_spark(report: NodeReport) -> Iterator[Problem]:
    gpus = report.facts.gpus.gpus
    if gpus and not report.is_spark:
        message = f"its GPU is {gpus[0].name}, not the {SPARK} of a Spark"
        build = report.cluster.inv("build", "--arch", "CAPABILITY")
        yield report.problem(message, f"{build} makes an image for it: docs/image.md")


GPUS: tuple[Check, ...] = (
    Check(
        name="gpu",
        severity="blocks",
        title="Every node has as many GPUs as its file says",
        looks_at="`nvidia-smi`",
        why="Ray offers what it finds, and vLLM waits half an hour for GPUs that do not exist.",
        remedy="`nvidia-smi` shows what is wrong with the driver; or write another GPUS.",
        source="vLLM, vllm/v1/executor/ray_utils.py",
        applies_to=uses_gpus,
        rule=each(_gpu),
    ),
    Check(
        name="gpu-busy",
        severity="slow",
        title="No other program uses the GPU",
        looks_at="`nvidia-smi --query-compute-apps=pid,process_name,used_memory --format=csv`",
        why="Other programs take its time and, on a Spark, the memory of the whole machine.",
        remedy="End them, or wait until they end.",
        source="NVIDIA dgx-spark-playbooks, vllm/README.md",
        applies_to=uses_gpus,
        requires=("memory",),
        rule=each(_busy),
    ),
    Check(
        name="gpu-clock",
        severity="slow",
        title="The GPU of a Spark runs at full clock while it computes",
        looks_at="`nvidia-smi --query-gpu=clocks.sm --format=csv`, while programs use it",
        why="Some Sparks stay near 700 MHz after a fault of their power supply, and all ranks wait "
        "for the slowest.",
        remedy="Switch it off and unplug its power supply; a restart does not help.",
        source="eugr/spark-vllm-docker issue 334",
        applies_to=uses_gpus,
        rule=each(_clock),
    ),
    Check(
        name="driver",
        severity="slow",
        title="The GPU's driver is not of branch 590",
        looks_at="`nvidia-smi --query-gpu=driver_version --format=csv`",
        why="On GB10, capturing CUDA graphs deadlocked with it, and a server that hangs while it "
        "warms up looks like a slow one.",
        remedy="Install a driver of branch 580, which DGX OS has; or serve with --enforce-eager.",
        source="eugr/spark-vllm-docker, README, 2026-03-12",
        applies_to=uses_gpus,
        rule=each(_driver),
    ),
    Check(
        name="driver-same",
        severity="slow",
        title="All nodes have the same GPU driver",
        looks_at="`nvidia-smi --query-gpu=driver_version --format=csv`",
        why="Ranks wait for each other, so the slowest driver slows all of them; an error of one "
        "looks like one of the network.",
        remedy="Update all nodes on one day, and restart them.",
        source="eugr/spark-vllm-docker, README, 2026-03-12",
        applies_to=uses_gpus,
        requires=("driver",),
        rule=_driver_same,
    ),
    Check(
        name="not-a-spark",
        severity="note",
        title="The GPU is a Spark's",
        looks_at="`nvidia-smi --query-gpu=name --format=csv`",
        why="The image, the share of memory and the names in the documentation are for GB10.",
        remedy="Build an image for the GPU of the node.",
        source="eugr/spark-vllm-docker, README, 2026-03-31",
        applies_to=uses_gpus,
        rule=each(_not_a_spark),
    ),
)
