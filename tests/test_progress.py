"""What Ray and vLLM do now, by their own lines."""

import pytest

from cluster.logs import progress
from cluster.logs.logline import Line


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
            "waiting for a rank that does not answer (60 s)",
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
    """A phase is told in a few words, with the numbers that say how far it is."""
    assert expected == progress.phase(Line(text=text))
