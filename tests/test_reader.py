"""The answers of a FailureReader: phases and failures in the lines of Ray and vLLM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.logs.reader import FailureReader
from cluster.plan.log_reader import ServiceLog
from tests.clusters import ROOT, SPARKS

CAPTURES = ROOT / "tests" / "captures"
READER = FailureReader()
FULL = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Local node IP: 192.168.177.11", "starting Ray"),
        (
            "Failed to connect to GCS at address 192.168.177.11:6379 within 5 seconds.",
            "waiting for Ray's head",
        ),
        ("Initializing a V1 LLM engine (v0.32.0) with config: model='m'", "loading the engine"),
        (
            "Waiting for creating a placement group of specs for 10 seconds. specs=[{'GPU': 1.0}]",
            "waiting for GPUs (10 s)",
        ),
        ("vLLM is using nccl==2.28.9", "joining the ranks over NCCL 2.28.9"),
        (
            "No available shared memory broadcast block found in 60 seconds. This typically",
            "waiting for a rank that does not respond (60 s)",
        ),
        (
            "Time spent downloading weights for a/b: 61.512345 seconds",
            "weights downloaded in 62 s",
        ),
        ("Prefetching checkpoint files: 50% (6/12)", "reading weights: 6/12 files"),
        (
            "Loading safetensors checkpoint shards:  25% Completed | 13/52 [00:04<00:12, 1.01it/s]",
            "loading weights: 13/52 shards",
        ),
        (
            "Multi-thread loading shards:  50% Completed | 6/12 [00:04<00:04,  1.50it/s]",
            "loading weights: 6/12 shards",
        ),
        (
            "Loading safetensors using Runai Model Streamer:  10% Completed | 29/291 [00:01<00:09]",
            "loading weights: 29/291",
        ),
        (
            "Model loading took 12.3 GiB memory and 40.312345 seconds",
            "weights loaded: 12.3 GiB in 40 s",
        ),
        ("Starting torch.compile", "compiling the model"),
        ("[encoder] Compiling a graph for compile range (1, 8) takes 3.1 s", "compiling the model"),
        ("torch.compile took 31.70 s in total", "model compiled in 32 s"),
        ("Initial profiling/warmup run took 1.20 s", "measuring memory"),
        ("Available KV cache memory: 60.21 GiB", "sizing the KV cache: 60.21 GiB"),
        (
            "GPU KV cache size: 240,816 tokens, Maximum concurrency for 32,768 tokens: 7.35x",
            "sizing the KV cache: 240,816 tokens",
        ),
        ("GPU + host KV cache size: 8 tokens, Maximum", "sizing the KV cache: 8 tokens"),
        ("Warming up FlashInfer attention.", "warming up kernels"),
        (
            "Capturing CUDA graphs (decode, FULL):  10%|█         | 5/51 [00:00<00:03, 13.1it/s]",
            "capturing CUDA graphs: 5/51",
        ),
        ("Profiling CUDA graph memory: PIECEWISE=51", "capturing CUDA graphs"),
        ("Graph capturing finished in 5 secs, took 0.35 GiB", "CUDA graphs captured in 5 s"),
        ("Using max model len 1024", ""),
        ("", ""),
    ],
)
def test_phase(text: str, expected: str) -> None:
    """A phase is a few words, with the numbers that show its progress."""
    assert expected == READER.phase(text)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ray-head-good", ["starting Ray"]),
        ("ray-worker-good", ["starting Ray"]),
        (
            "serve-good",
            [
                "reading the model's configuration",
                "starting the engine for LlamaForCausalLM",
                "loading the engine",
                "connecting to Ray",
                "waiting for GPUs",
                "starting the workers",
                "starting the workers",
                "loading weights: 0/1 shards",
                "loading weights: 1/1 shards",
                "joining 2 ranks over gloo",
                "loading weights",
                "weights read in 0 s",
                "sizing the KV cache: 65,536 tokens",
                "engine ready after 0 s",
                "starting the API server",
                "answering",
            ],
        ),
    ],
)
def test_phases_of_a_good_run(name: str, expected: list[str]) -> None:
    """The log of a good run shows its phases in order."""
    lines = (CAPTURES / f"{name}.log").read_bytes().decode("utf-8").splitlines()

    assert expected == [phase for line in lines if (phase := READER.phase(line))]


@given(st.text(max_size=300))
def test_any_line(line: str) -> None:
    """Any line that a program prints has a phase or none, and is fatal or not."""
    assert isinstance(READER.phase(line), str)
    assert isinstance(READER.is_fatal(line), bool)


def test_failed_service() -> None:
    """The reader recognises a fatal line, shows it, and knows its likely cause."""
    log = ServiceLog(node="spark1", service="serve", lines=["INFO: ok", FULL])
    cause = READER.likely_cause(SPARKS, [log])

    assert [False, True] == [READER.is_fatal(line) for line in log.lines]
    assert (FULL,) == READER.excerpt(log.lines)
    assert "gpu-memory-full" == (cause.signature if cause else None)
