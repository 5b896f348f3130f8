"""Whether a node has the memory that vLLM will request, where CPU and GPU share it."""

import math
from collections.abc import Iterator

from cluster.checks.check import check, each
from cluster.checks.node_report import NodeReport, is_machine
from cluster.errors import Problem

GIB = 1 << 30
PRESSURE = 10.0
"""Per cent of the last minute; on a healthy machine it is nearly 0."""
HUNDREDTH = 0.01
BIGGEST = "ps -eo pid,user,rss,args --sort=-rss | head"
DROP = "sync; echo 3 | sudo tee /proc/sys/vm/drop_caches"


def _request(report: NodeReport) -> int:
    """Return the bytes that vLLM will request, as it computes them (vllm/v1/worker/utils.py)."""
    total = report.facts.machine.memory.total
    return math.ceil(total * report.cluster.gpu_memory_utilization)


@check("memory", "blocks", is_machine, only_blocks_serving=True)
@each
def _memory(report: NodeReport) -> Iterator[Problem]:
    """As much memory is available as vLLM will request.

    Looks at: MemTotal and MemAvailable in `/proc/meminfo`, and GPU_MEMORY_UTILIZATION
    Why: vLLM requests this share of all memory, and fails at its start when less is available:
      `Free memory on device ... is less than desired GPU memory utilization`. The cluster itself
      starts, so `inv up` does not look at it.
    Do: End what takes the memory, write a smaller GPU_MEMORY_UTILIZATION, or give one to `inv serve
      --gpu-memory-utilization`.
    Known from: vLLM, vllm/v1/worker/utils.py and vllm/utils/mem_utils.py; NVIDIA's known issues of
      DGX Spark: `nvidia-smi` does not show it there
    """
    memory = report.facts.machine.memory
    if _shares_free_memory(report) and memory.available < _request(report):
        share = f"GPU_MEMORY_UTILIZATION={report.cluster.gpu_memory_utilization:g}"
        free = f"{_gib(memory.available)} of {_gib(memory.total)} GiB of memory are available"
        message = f"{free}, but vLLM requests {_gib(_request(report))} GiB ({share})"
        clients = (f"{client.name} ({client.pid})" for client in report.facts.gpus.clients)
        programs = ", ".join(clients)
        users = f"; on the GPU: {programs}" if programs else ""
        yield report.problem(f"{message}{users}", _make_room(report))


def _shares_free_memory(report: NodeReport) -> bool:
    """Whether vLLM will request memory that other programs can have taken."""
    return report.has_unified_memory and not report.is_running


def _make_room(report: NodeReport) -> str:
    """Return how to free memory, or to manage with what is available."""
    pids = ",".join(str(client.pid) for client in report.facts.gpus.clients)
    show = f"{report.command(f'ps -fp {pids}' if pids else BIGGEST)} shows what takes it"
    memory = report.facts.machine.memory
    share = math.floor(memory.available / memory.total / HUNDREDTH) * HUNDREDTH - HUNDREDTH
    serve = report.cluster.inv("serve", "--gpu-memory-utilization", f"{share:.2f}")
    smaller = f"write GPU_MEMORY_UTILIZATION={share:.2f} in {report.cluster_file}, or {serve}"
    return f"{show}; or {smaller}" if share > 0 else show


@check("page-cache", "note", is_machine)
@each
def _page_cache(report: NodeReport) -> Iterator[Problem]:
    """The page cache leaves free the memory that vLLM will request.

    Looks at: MemFree, Cached and MemAvailable in `/proc/meminfo`
    Why: The kernel gives this memory back, but only bit by bit while a model loads, which can come
      to a halt; vLLM before 0.20 counts it as taken.
    Do: Drop the page cache before a large model is loaded.
    Known from: NVIDIA dgx-spark-playbooks, vllm/README.md; vLLM issue 35313
    """
    memory, request = report.facts.machine.memory, _request(report)
    if _shares_free_memory(report) and memory.free < request <= memory.available:
        cache = f"the page cache holds {_gib(memory.cached)} GiB of memory"
        message = f"{cache}, {_gib(memory.free)} GiB are free, but vLLM requests {_gib(request)}"
        yield report.problem(f"{message} GiB", report.command(DROP))


@check("swap", "note", is_machine)
@each
def _swap(report: NodeReport) -> Iterator[Problem]:
    """The machine has no swap space.

    Looks at: SwapTotal and SwapFree in `/proc/meminfo`
    Why: When a model needs more memory than there is, a machine that swaps stops answering, SSH
      too, often until it is switched off; without swap a program ends.
    Do: Switch swap off, at least while large models are tried.
    Known from: vLLM issues 46307 and 56824
    """
    memory = report.facts.machine.memory
    if report.has_unified_memory and memory.swap_total:
        used = _gib(memory.swap_total - memory.swap_free)
        message = f"has {_gib(memory.swap_total)} GiB of swap space, of which {used} GiB are used"
        off = report.command("sudo swapoff --all")
        yield report.problem(message, f"{off}, and remove it from its /etc/fstab")


@check("pressure", "slow", is_machine)
@each
def _pressure(report: NodeReport) -> Iterator[Problem]:
    """No program waits for memory.

    Looks at: `/proc/pressure/memory`, some, avg60
    Why: A program that waits for memory does not compute, and all ranks wait for the slowest.
    Do: End what takes the memory, or write a smaller GPU_MEMORY_UTILIZATION.
    Known from: Linux, Documentation/accounting/psi.rst
    """
    share = report.facts.machine.pressure
    if share is not None and share > PRESSURE:
        message = f"programs waited for memory in {share:.0f} % of the last minute"
        yield report.problem(message, f"{report.command(BIGGEST)} shows what takes most of it")


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


MEMORY = (_memory, _page_cache, _swap, _pressure)
