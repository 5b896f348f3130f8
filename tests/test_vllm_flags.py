"""The options of `inv serve`: the requests that they make, and every refusal."""

import shlex
from dataclasses import replace

import pytest

from cluster.commands import vllm
from cluster.commands.vllm import ServeOptions, ServeRequest
from cluster.errors import RefusedError
from cluster.node import Cluster
from tests.clusters import CHECKOUT, SPARKS, WORKER

JSON = '{"method": "ngram", "num_speculative_tokens": 2, "a": "it\'s $HOME"}'
MODEL = replace(SPARKS, model="Qwen/Qwen3-4B")


def refused(options: ServeOptions, cluster: Cluster = MODEL) -> list[str]:
    """Return the problems of options, as they are printed."""
    with pytest.raises(RefusedError) as caught:
        vllm.request(cluster, options, CHECKOUT)
    return str(caught.value).split("\n")


def test_request_of_the_settings() -> None:
    """Without options the cluster's settings apply, and the model uses all GPUs."""
    cluster = replace(MODEL, nodes=(*MODEL.nodes[:1], replace(WORKER, gpus=3)))
    expected = ServeRequest(
        model="Qwen/Qwen3-4B",
        tp=4,
        host="127.0.0.1",
        port=8000,
        max_model_len=32768,
        gpu_memory_utilization=0.7,
    )

    assert expected == vllm.request(cluster, ServeOptions(), CHECKOUT)


def test_request_of_flags() -> None:
    """Each option overrides its setting."""
    values = {
        "model": "other/model",
        "tp": "1",
        "host": "::1",
        "port": "9000",
        "max_model_len": "100",
        "gpu_memory_utilization": "1",
    }
    options = ServeOptions(values=values, extra=("--seed", "1"))
    expected = ServeRequest(
        model="other/model",
        tp=1,
        host="::1",
        port=9000,
        max_model_len=100,
        gpu_memory_utilization=1.0,
        extra=("--enforce-eager", "--seed", "1"),
    )

    assert expected == vllm.request(
        replace(MODEL, serve_args=("--enforce-eager",)), options, CHECKOUT
    )


@pytest.mark.parametrize(
    "model, expected",
    [
        ("./models/tiny", "/opt/spark/models/tiny"),
        ("/models/tiny", "/models/tiny"),
        ("models/tiny", "models/tiny"),
        ("../tiny", "../tiny"),
    ],
)
def test_model_below_the_repository(model: str, expected: str) -> None:
    """A model that begins with `./` is a folder of the repository; other names are unchanged."""
    assert expected == vllm.request(MODEL, ServeOptions(values={"model": model}), CHECKOUT).model


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ServeOptions(values={"model": "--port"}),
            (
                "--model: must be the name or path of a model, not `--port`"
                " (for example Qwen/Qwen3-4B or /models/mine)"
            ),
        ),
        (
            ServeOptions(values={"tp": "x"}),
            "--tp: must be a number of GPUs, not `x` (write a number from 1 to 4096)",
        ),
        (
            ServeOptions(values={"tp": "0"}),
            "--tp: must be a number of GPUs, not `0` (write a number from 1 to 4096)",
        ),
        (
            ServeOptions(values={"tp": "3"}),
            "--tp: needs 3 GPUs, the cluster has 2 (use at most 2, or describe more nodes)",
        ),
        (
            ServeOptions(values={"host": "a b"}),
            "--host: must be an address to listen on, not `a b` (for example 0.0.0.0 or 127.0.0.1)",
        ),
        (
            ServeOptions(values={"port": "x"}),
            "--port: must be a TCP port, not `x` (write a number from 1 to 65535)",
        ),
        (
            ServeOptions(values={"port": "8265"}),
            (
                "--port: must not be `8265`, a port that Ray uses itself"
                " (choose one that is not 8265 and not from 10001 to 19999)"
            ),
        ),
        (
            ServeOptions(values={"port": "6379"}),
            "--port: 6379 is Ray's own port (choose another)",
        ),
        (
            ServeOptions(values={"max_model_len": "4k"}),
            (
                "--max-model-len: must be a number of tokens, not `4k`"
                " (write a number from 1 to 100000000)"
            ),
        ),
        (
            ServeOptions(values={"gpu_memory_utilization": "70%"}),
            (
                "--gpu-memory-utilization: must be a number above 0 and at most 1, not `70%`"
                " (for example 0.7)"
            ),
        ),
    ],
)
def test_refused_flags(options: ServeOptions, message: str) -> None:
    """A value that is wrong or cannot work is refused, with a remedy."""
    assert [f"inv serve: {message}"] == refused(options)


@pytest.mark.parametrize(
    "name, file", [("default", "env/cluster.env"), ("lab", "env/lab/cluster.env")]
)
def test_no_model(name: str, file: str) -> None:
    """Without a model the remedy names the file with the default."""
    assert [f"inv serve: --model: no model to serve (name one, or set MODEL in {file})"] == refused(
        ServeOptions(), replace(SPARKS, name=name)
    )


@pytest.mark.parametrize(
    "word, message",
    [
        ("--model", "--model: not allowed after `--` (use `inv serve --model`)"),
        ("--host=::", "--host: not allowed after `--` (use `inv serve --host`)"),
        ("--port", "--port: not allowed after `--` (use `inv serve --port`)"),
        ("-tp", "-tp: not allowed after `--` (use `inv serve --tp`)"),
        ("-tp=2", "-tp: not allowed after `--` (use `inv serve --tp`)"),
        (
            "--tensor_parallel_size=2",
            "--tensor_parallel_size: not allowed after `--` (use `inv serve --tp`)",
        ),
        ("-t", "-t: not allowed after `--` (use `inv serve --tp`)"),
        ("--tensor-par", "--tensor-par: not allowed after `--` (use `inv serve --tp`)"),
        (
            "--max-model-len",
            "--max-model-len: not allowed after `--` (use `inv serve --max-model-len`)",
        ),
        (
            "--gpu-memory-utilization",
            (
                "--gpu-memory-utilization: not allowed after `--`"
                " (use `inv serve --gpu-memory-utilization`)"
            ),
        ),
        (
            "--api-key=k",
            (
                "--api-key: would show a secret in the list of processes"
                " (set VLLM_API_KEY in env/cluster.env)"
            ),
        ),
        (
            "--api_ke",
            (
                "--api_ke: would show a secret in the list of processes"
                " (set VLLM_API_KEY in env/cluster.env)"
            ),
        ),
        (
            "--hf-token",
            (
                "--hf-token: would show a secret in the list of processes"
                " (set HF_TOKEN in env/cluster.env)"
            ),
        ),
    ],
)
def test_refused_flags_for_vllm(word: str, message: str) -> None:
    """A flag for vLLM that is an option of the verb or has a secret is refused in any spelling."""
    assert [f"inv serve: {message}"] == refused(ServeOptions(extra=("--seed", "1", word)))


@pytest.mark.parametrize(
    "word, message",
    [
        ("--port", "--port: not allowed in SERVE_ARGS (set SERVE_PORT in env/cluster.env)"),
        ("-tp", "-tp: not allowed in SERVE_ARGS (use `inv serve --tp`)"),
        (
            "--max_model=1",
            "--max_model: not allowed in SERVE_ARGS (set MAX_MODEL_LEN in env/cluster.env)",
        ),
    ],
)
def test_refused_flags_of_the_settings(word: str, message: str) -> None:
    """The same flags in SERVE_ARGS are refused with the setting to use instead."""
    assert [f"inv serve: {message}"] == refused(ServeOptions(), replace(MODEL, serve_args=(word,)))


@pytest.mark.parametrize(
    "extra, gpus",
    [
        (("--pipeline-parallel-size", "2"), 4),
        (("--pipeline_parallel_size=2",), 4),
        (("--pipeline-parallel", "2", "--data_par=2"), 8),
        (("--data-parallel-size-local", "2"), None),
        (("-pp", "2", "-dp=3"), 12),
        (("--data-parallel-size", "x", "-pp"), None),
        (("-pp", "1"), None),
    ],
)
def test_stages_and_replicas(extra: tuple[str, ...], gpus: int | None) -> None:
    """Pipeline stages and replicas multiply the GPUs; an invalid size is left to vLLM."""
    if gpus is None:
        assert extra == vllm.request(MODEL, ServeOptions(extra=extra), CHECKOUT).extra
    else:
        assert [
            (
                f"inv serve: --tp: needs {gpus} GPUs, the cluster has 2"
                " (use at most 2, or describe more nodes)"
            )
        ] == refused(ServeOptions(extra=extra))


def test_all_refusals_at_once() -> None:
    """All problems are reported in one run."""
    assert [
        "inv serve: --port: must be a TCP port, not `x` (write a number from 1 to 65535)",
        "inv serve: --model: no model to serve (name one, or set MODEL in env/cluster.env)",
        (
            "inv serve: --tp: needs 3 GPUs, the cluster has 2"
            " (use at most 2, or describe more nodes)"
        ),
        (
            "inv serve: --api-key: would show a secret in the list of processes"
            " (set VLLM_API_KEY in env/cluster.env)"
        ),
        "inv serve: --host: not allowed after `--` (use `inv serve --host`)",
    ] == refused(
        ServeOptions(values={"tp": "3", "port": "x"}, extra=("--api-key", "k", "--host", "::")),
        SPARKS,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--enforce-eager", "-O3", "-q", "awq", "--", "-"),
        ("--speculative-config", JSON),
        ("--hf-overrides", "{}", "--modelx", "--ports", "-tpx"),
    ],
)
def test_flags_of_vllm_pass(words: tuple[str, ...]) -> None:
    """All other flags reach vLLM word for word."""
    assert words == vllm.request(MODEL, ServeOptions(extra=words), CHECKOUT).extra


def test_json_survives_the_settings() -> None:
    """A JSON value in SERVE_ARGS, quoted as for a shell, is one word of the line."""
    cluster = replace(MODEL, serve_args=tuple(shlex.split("--speculative-config '{\"a\": 1}'")))

    assert ("--speculative-config", '{"a": 1}') == vllm.serve(
        vllm.request(cluster, ServeOptions(), CHECKOUT)
    )[-2:]
