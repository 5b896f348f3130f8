"""Whether a node has the memory that vLLM will ask for, where CPU and GPU share it."""

import math
from collections.abc import Iterator

from cluster.checks.check import Check, Patient
from cluster.checks.fabric import machines
from cluster.checks.spark import runs, unified
from cluster.errors import Problem

GIB = 1 << 30
PRESSURE = 10.0
"""Per cent of the last minute; a machine that is well waits in none of it."""
HUNDREDTH = 0.01
BIGGEST = "ps -eo pid,user,rss,args --sort=-rss | head"
DROP = "sync; echo 3 | sudo tee /proc/sys/vm/drop_caches"


def budget(patient: Patient) -> int:
    """Return the bytes that vLLM will ask for, as it reckons (vllm/v1/worker/utils.py)."""
    total = patient.facts.machine.memory.total
    return math.ceil(total * patient.cluster.gpu_memory_utilization)


def short(patient: Patient) -> bool:
    """Tell whether vLLM would not start for want of memory that others have taken."""
    available = patient.facts.machine.memory.available
    return unified(patient) and not runs(patient) and available < budget(patient)


def _memory(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.machine.memory
    if short(patient):
        share = f"GPU_MEMORY_UTILIZATION={patient.cluster.gpu_memory_utilization:g}"
        has = f"{_gib(its.available)} of {_gib(its.total)} GiB of memory are available"
        message = f"{has}, and vLLM takes {_gib(budget(patient))} GiB by {share}"
        yield patient.problem(f"{message}{_takers(patient)}", _room(patient))


def _takers(patient: Patient) -> str:
    clients = ", ".join(f"{its.name} ({its.pid})" for its in patient.facts.gpus.clients)
    return f"; on the GPU: {clients}" if clients else ""


def _room(patient: Patient) -> str:
    """Return what makes room, or does with what there is."""
    pids = ",".join(str(its.pid) for its in patient.facts.gpus.clients)
    show = f"{patient.on(f'ps -fp {pids}' if pids else BIGGEST)} shows what takes it"
    its = patient.facts.machine.memory
    share = math.floor(its.available / its.total / HUNDREDTH) * HUNDREDTH - HUNDREDTH
    serve = patient.cluster.inv("serve", "--gpu-memory-utilization", f"{share:.2f}")
    smaller = f"write GPU_MEMORY_UTILIZATION={share:.2f} in {patient.cluster_file}, or {serve}"
    return f"{show}; or {smaller}" if share > 0 else show


def _page_cache(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.machine.memory
    if unified(patient) and not runs(patient) and its.free < budget(patient) <= its.available:
        has = f"{_gib(its.cached)} GiB of memory hold files that were read, {_gib(its.free)} GiB"
        message = f"{has} are free, and vLLM takes {_gib(budget(patient))} GiB"
        yield patient.problem(message, patient.on(DROP))


def _swap(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.machine.memory
    if unified(patient) and its.swap_total:
        used = _gib(its.swap_total - its.swap_free)
        message = f"has {_gib(its.swap_total)} GiB of swap space, of which {used} GiB are used"
        remedy = f"{patient.on('sudo swapoff --all')}, and take it out of its /etc/fstab"
        yield patient.problem(message, remedy)


def _pressure(patient: Patient) -> Iterator[Problem]:
    share = patient.facts.machine.pressure
    if share is not None and share > PRESSURE:
        message = f"in {share:.0f} % of the last minute something waited for memory"
        yield patient.problem(message, f"{patient.on(BIGGEST)} shows what takes most of it")


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


MEMORY: tuple[Check, ...] = (
    Check(
        name="memory",
        severity="blocks",
        title="There is as much memory as vLLM will ask for",
        looks_at="MemTotal and MemAvailable in `/proc/meminfo`, and GPU_MEMORY_UTILIZATION",
        why="vLLM takes this share of all memory, and ends at its start when less is available: "
        "`Free memory on device ... is less than desired GPU memory utilization`. The cluster "
        "itself does start, so `inv up` does not look at it.",
        remedy="End what takes the memory, write a smaller GPU_MEMORY_UTILIZATION, or give one "
        "to `inv serve --gpu-memory-utilization`.",
        source="vLLM, vllm/v1/worker/utils.py and vllm/utils/mem_utils.py; NVIDIA's known issues "
        "of DGX Spark: `nvidia-smi` does not tell it there",
        look=machines(_memory),
        serving=True,
    ),
    Check(
        name="page-cache",
        severity="note",
        title="Files that were read do not fill the memory that vLLM will ask for",
        looks_at="MemFree, Cached and MemAvailable in `/proc/meminfo`",
        why="The kernel gives this memory back, but only bit by bit while a model loads, which "
        "can come to a halt; vLLM before 0.20 counts it as taken.",
        remedy="Drop the page cache before a large model is loaded.",
        source="NVIDIA dgx-spark-playbooks, vllm/README.md; vLLM issue 35313",
        look=machines(_page_cache),
    ),
    Check(
        name="swap",
        severity="note",
        title="The machine has no swap space",
        looks_at="SwapTotal and SwapFree in `/proc/meminfo`",
        why="When a model needs more memory than there is, a machine that swaps stands still, SSH "
        "too, often until it is switched off; without swap a program ends.",
        remedy="Switch swap off, at least while large models are tried.",
        source="vLLM issues 46307 and 56824",
        look=machines(_swap),
    ),
    Check(
        name="pressure",
        severity="slow",
        title="Nothing waits for memory",
        looks_at="`/proc/pressure/memory`, some, avg60",
        why="Who waits for memory does not compute, and all ranks wait for the slowest.",
        remedy="End what takes the memory, or write a smaller GPU_MEMORY_UTILIZATION.",
        source="Linux, Documentation/accounting/psi.rst",
        look=machines(_pressure),
    ),
)
