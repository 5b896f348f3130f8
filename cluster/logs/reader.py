"""Reads the logs that a wait watches: the present phase, and whether and why a program ended."""

import re
from collections.abc import Iterable, Sequence

from cluster.logs import failure, logline
from cluster.logs.explain import Explanation, explain, likely_cause
from cluster.node import Cluster
from cluster.plan.log_reader import ServiceLog

NUMBER = r"\d+(?:\.\d+)?"
SECONDS = rf"(?P<seconds>{NUMBER}) ?s"
BAR = r"\b(?P<done>\d+)/(?P<all>\d+) \["
"""The count in a progress bar of tqdm."""

PHASES = {
    # ray/scripts/scripts.py
    r"Local node IP: ": "starting Ray",
    r"Failed to connect to GCS ": "waiting for Ray's head",
    # vllm/entrypoints/, vllm/config/model.py, vllm/v1/engine/core.py
    r"non-default args: ": "reading the model's configuration",
    r"Resolved architecture: (?P<name>\w+)": "starting the engine for {name}",
    r"Initializing a V1 LLM engine ": "loading the engine",
    # ray/_private/worker.py, vllm/v1/executor/ray_utils.py
    r"Connecting to existing Ray cluster": "connecting to Ray",
    r"No current placement group found": "waiting for GPUs",
    rf"Waiting for creating a placement group of specs for {SECONDS}": (
        "waiting for GPUs ({seconds} s)"
    ),
    # The warning of every cluster with one GPU a node is the first line after the wait for GPUs.
    r"tensor_parallel_size=\d+ is bigger than a reserved number": "starting the workers",
    # vllm/distributed/
    r"world_size=(?P<all>\d+) .*backend=(?P<name>\w+)": "joining {all} ranks over {name}",
    r"vLLM is using nccl==(?P<name>\S+)": "joining the ranks over NCCL {name}",
    rf"No available shared memory broadcast block found in {SECONDS}": (
        "waiting for a rank that does not respond ({seconds} s)"
    ),
    # vllm/model_executor/model_loader/, vllm/v1/worker/
    r"Starting to load model ": "loading weights",
    rf"Time spent downloading weights for .*: {SECONDS}": "weights downloaded in {seconds} s",
    r"Prefetching checkpoint files: .*\((?P<done>\d+)/(?P<all>\d+)\)": (
        "reading weights: {done}/{all} files"
    ),
    rf"(?:Loading|Multi-thread loading) .*shards: .*{BAR}": "loading weights: {done}/{all} shards",
    rf"Loading safetensors using .*{BAR}": "loading weights: {done}/{all}",
    rf"Loading weights took {SECONDS}": "weights read in {seconds} s",
    rf"Model loading took (?P<gib>{NUMBER}) GiB memory and {SECONDS}": (
        "weights loaded: {gib} GiB in {seconds} s"
    ),
    # vllm/compilation/, vllm/v1/worker/, vllm/v1/core/kv_cache_utils.py
    r"(?:\[\S+\] )?(?:Starting torch\.compile|Compiling a graph |Compile and warming up )": (
        "compiling the model"
    ),
    rf"(?:\[\S+\] )?torch\.compile took {SECONDS}": "model compiled in {seconds} s",
    rf"(?:\[\S+\] )?Initial profiling/warmup run took {SECONDS}": "measuring memory",
    rf"Available KV cache memory: (?P<gib>{NUMBER}) GiB": "sizing the KV cache: {gib} GiB",
    r"\w+(?: \+ host)? KV cache size: (?P<all>[\d,]+) tokens": "sizing the KV cache: {all} tokens",
    r"Warming up |Autotuning ": "warming up kernels",
    rf"Capturing CUDA graphs .*{BAR}": "capturing CUDA graphs: {done}/{all}",
    r"Capturing CUDA graphs|Profiling CUDA graph memory": "capturing CUDA graphs",
    rf"Graph capturing finished in {SECONDS}": "CUDA graphs captured in {seconds} s",
    rf"init engine \(profile.*?\) took {SECONDS}": "engine ready after {seconds} s",
    # vllm/entrypoints/launchers/, uvicorn/lifespan/on.py
    r"Starting vLLM server on ": "starting the API server",
    r"Application startup complete\.": "answering",
}
"""The beginning of a line, and the phase that it begins."""
COMPILED = [(re.compile(pattern), phase) for pattern, phase in PHASES.items()]


class FailureReader:
    """Answers what a wait asks of the logs that it watches."""

    def phase(self, line: str) -> str:
        """Return the phase that this line of a log begins; empty if it begins none."""
        text = logline.read(line).text
        matches = ((phase, pattern.match(text)) for pattern, phase in COMPILED)
        return next((phase.format_map(_rounded(match)) for phase, match in matches if match), "")

    def is_fatal(self, line: str) -> bool:
        """Whether the program cannot recover from the event that this line reports."""
        return failure.is_fatal(logline.read(line))

    def excerpt(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return the few lines of a log that show why its program ended."""
        return failure.excerpt(lines)

    def likely_cause(self, cluster: Cluster, logs: Iterable[ServiceLog]) -> Explanation | None:
        """Return the likely cause of the failures in these logs; None if it is unknown."""
        return likely_cause(explain(cluster, tuple(logs)))


def _rounded(match: re.Match[str]) -> dict[str, str]:
    values = match.groupdict()
    return {**values, "seconds": f"{float(values.get('seconds', 0)):.0f}"}
