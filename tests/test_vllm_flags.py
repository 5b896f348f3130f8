"""The flags of `inv serve`: what they ask for, and every refusal."""

import shlex
from dataclasses import replace

import pytest

from cluster.commands import vllm
from cluster.commands.vllm import Flags, Request
from cluster.errors import RefusedError
from cluster.node import Cluster
from tests.clusters import PLACE, SPARKS, WORKER

JSON = '{"method": "ngram", "num_speculative_tokens": 2, "a": "it\'s $HOME"}'
MODEL = replace(SPARKS, model="Qwen/Qwen3-4B")


def refused(flags: Flags, cluster: Cluster = MODEL) -> list[str]:
    """Return what is wrong with flags of `inv serve`, as it is printed."""
    with pytest.raises(RefusedError) as caught:
        vllm.request(cluster, flags, PLACE)
    return str(caught.value).split("\n")


def test_request_of_the_settings() -> None:
    """Without flags the cluster's settings count, and the model is spread over all GPUs."""
    cluster = replace(MODEL, nodes=(*MODEL.nodes[:1], replace(WORKER, gpus=3)))
    expected = Request(
        model="Qwen/Qwen3-4B",
        tp=4,
        host="127.0.0.1",
        port=8000,
        max_model_len=32768,
        gpu_memory_utilization=0.7,
    )

    assert expected == vllm.request(cluster, Flags(), PLACE)


def test_request_of_flags() -> None:
    """Each flag replaces the setting of its name."""
    flags = Flags(
        model="other/model",
        tp="1",
        host="::1",
        port="9000",
        max_model_len="100",
        gpu_memory_utilization="1",
        extra=("--seed", "1"),
    )
    expected = Request(
        model="other/model",
        tp=1,
        host="::1",
        port=9000,
        max_model_len=100,
        gpu_memory_utilization=1.0,
        extra=("--enforce-eager", "--seed", "1"),
    )

    assert expected == vllm.request(replace(MODEL, serve_args=("--enforce-eager",)), flags, PLACE)


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
    """A folder that begins with `./` is one of the repository; any other name stays as it is."""
    assert expected == vllm.request(MODEL, Flags(model=model), PLACE).model


@pytest.mark.parametrize(
    "flags, sentence",
    [
        (
            Flags(model="--port"),
            (
                "--model: should be the name or path of a model: `--port`"
                " (write it like Qwen/Qwen3-4B or /models/mine)"
            ),
        ),
        (
            Flags(tp="x"),
            "--tp: should be a number of GPUs: `x` (write a number from 1 to 4096)",
        ),
        (
            Flags(tp="0"),
            "--tp: should be a number of GPUs: `0` (write a number from 1 to 4096)",
        ),
        (
            Flags(tp="3"),
            "--tp: 3 GPUs wanted, the cluster has 2 (at most 2 in all, or describe more nodes)",
        ),
        (
            Flags(host="a b"),
            "--host: should be an address to listen on: `a b` (write it like 0.0.0.0 or 127.0.0.1)",
        ),
        (
            Flags(port="x"),
            "--port: should be a TCP port: `x` (write a number from 1 to 65535)",
        ),
        (
            Flags(port="8265"),
            (
                "--port: is a port that Ray uses itself: `8265`"
                " (choose one that is not 8265 and not from 10001 to 19999)"
            ),
        ),
        (
            Flags(port="6379"),
            "--port: 6379 is Ray's own port (choose another)",
        ),
        (
            Flags(max_model_len="4k"),
            (
                "--max-model-len: should be a number of tokens: `4k`"
                " (write a number from 1 to 100000000)"
            ),
        ),
        (
            Flags(gpu_memory_utilization="70%"),
            (
                "--gpu-memory-utilization: should be a share, above 0 and at most 1: `70%`"
                " (write it like 0.7)"
            ),
        ),
    ],
)
def test_refused_flags(flags: Flags, sentence: str) -> None:
    """A flag that is wrong or cannot work is refused in a sentence with a way out."""
    assert [f"inv serve: {sentence}"] == refused(flags)


@pytest.mark.parametrize(
    "name, file", [("default", "env/cluster.env"), ("lab", "env/lab/cluster.env")]
)
def test_no_model(name: str, file: str) -> None:
    """Without a model it says where the default would stand."""
    assert [f"inv serve: --model: no model to serve (name one, or set MODEL in {file})"] == refused(
        Flags(), replace(SPARKS, name=name)
    )


@pytest.mark.parametrize(
    "word, sentence",
    [
        ("--model", "--model: stands after `--` (use `inv serve --model`)"),
        ("--host=::", "--host: stands after `--` (use `inv serve --host`)"),
        ("--port", "--port: stands after `--` (use `inv serve --port`)"),
        ("-tp", "-tp: stands after `--` (use `inv serve --tp`)"),
        ("-tp=2", "-tp: stands after `--` (use `inv serve --tp`)"),
        (
            "--tensor_parallel_size=2",
            "--tensor_parallel_size: stands after `--` (use `inv serve --tp`)",
        ),
        ("-t", "-t: stands after `--` (use `inv serve --tp`)"),
        ("--tensor-par", "--tensor-par: stands after `--` (use `inv serve --tp`)"),
        ("--max-model-len", "--max-model-len: stands after `--` (use `inv serve --max-model-len`)"),
        (
            "--gpu-memory-utilization",
            (
                "--gpu-memory-utilization: stands after `--`"
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
def test_refused_flags_for_vllm(word: str, sentence: str) -> None:
    """A flag of vLLM that is the task's own or holds a secret is refused, however it is spelled."""
    assert [f"inv serve: {sentence}"] == refused(Flags(extra=("--seed", "1", word)))


@pytest.mark.parametrize(
    "word, sentence",
    [
        ("--port", "--port: stands in SERVE_ARGS (set SERVE_PORT in env/cluster.env)"),
        ("-tp", "-tp: stands in SERVE_ARGS (use `inv serve --tp`)"),
        (
            "--max_model=1",
            "--max_model: stands in SERVE_ARGS (set MAX_MODEL_LEN in env/cluster.env)",
        ),
    ],
)
def test_refused_flags_of_the_settings(word: str, sentence: str) -> None:
    """The same flags in SERVE_ARGS are refused with the setting that is meant."""
    assert [f"inv serve: {sentence}"] == refused(Flags(), replace(MODEL, serve_args=(word,)))


@pytest.mark.parametrize(
    "extra, wanted",
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
def test_stages_and_replicas(extra: tuple[str, ...], wanted: int | None) -> None:
    """Pipeline stages and replicas multiply the GPUs; a size that is none is vLLM's to judge."""
    if wanted is None:
        assert extra == vllm.request(MODEL, Flags(extra=extra), PLACE).extra
    else:
        assert [
            (
                f"inv serve: --tp: {wanted} GPUs wanted, the cluster has 2"
                " (at most 2 in all, or describe more nodes)"
            )
        ] == refused(Flags(extra=extra))


def test_all_refusals_at_once() -> None:
    """Nobody mends five flags in five runs."""
    assert [
        "inv serve: --port: should be a TCP port: `x` (write a number from 1 to 65535)",
        "inv serve: --model: no model to serve (name one, or set MODEL in env/cluster.env)",
        (
            "inv serve: --tp: 3 GPUs wanted, the cluster has 2"
            " (at most 2 in all, or describe more nodes)"
        ),
        (
            "inv serve: --api-key: would show a secret in the list of processes"
            " (set VLLM_API_KEY in env/cluster.env)"
        ),
        "inv serve: --host: stands after `--` (use `inv serve --host`)",
    ] == refused(Flags(tp="3", port="x", extra=("--api-key", "k", "--host", "::")), SPARKS)


@pytest.mark.parametrize(
    "words",
    [
        ("--enforce-eager", "-O3", "-q", "awq", "--", "-"),
        ("--speculative-config", JSON),
        ("--hf-overrides", "{}", "--modelx", "--ports", "-tpx"),
    ],
)
def test_flags_of_vllm_pass(words: tuple[str, ...]) -> None:
    """Whatever is not ours is vLLM's business, word for word."""
    assert words == vllm.request(MODEL, Flags(extra=words), PLACE).extra


def test_json_survives_the_settings() -> None:
    """A JSON value in SERVE_ARGS, quoted as for a shell, is one word of the line."""
    cluster = replace(MODEL, serve_args=tuple(shlex.split("--speculative-config '{\"a\": 1}'")))

    assert ("--speculative-config", '{"a": 1}') == vllm.serve(
        vllm.request(cluster, Flags(), PLACE)
    )[-2:]
