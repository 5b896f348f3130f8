"""A flag of `vllm serve` is one field: a request with one more flag, declared here."""

from dataclasses import dataclass, replace

import pytest

from cluster.commands import vllm
from cluster.commands.serve_flag import serve_flag, serve_flags
from cluster.commands.vllm import ServeOptions, ServeRequest
from cluster.errors import RefusedError
from cluster.settings.values import choice
from tests.clusters import CHECKOUT, SPARKS


@dataclass(frozen=True, kw_only=True)
class Quantised(ServeRequest):
    """A request with an optional flag."""

    kv_cache_dtype: str | None = serve_flag(
        "--kv-cache-dtype",
        aliases=("-kvd",),
        kind=str,
        parse=choice("auto", "fp8"),
        meaning="type of the numbers in the KV cache",
    )


CLUSTER = replace(SPARKS, model="Qwen/Qwen3-4B")
LINE = (
    *("vllm", "serve", "Qwen/Qwen3-4B", "--host", "127.0.0.1", "--port", "8000"),
    *("--gpu-memory-utilization", "0.7", "--tensor-parallel-size", "2"),
    *("--distributed-executor-backend", "ray", "--max-model-len", "32768"),
)


def request(text: str = "", *extra: str) -> ServeRequest:
    """Return the request for a typed value of the optional flag."""
    options = ServeOptions(values={"kv_cache_dtype": text}, extra=extra)
    return vllm.request(CLUSTER, options, CHECKOUT, Quantised)


@pytest.mark.parametrize("text, words", [("", ()), ("fp8", ("--kv-cache-dtype", "fp8"))])
def test_optional_flag(text: str, words: tuple[str, ...]) -> None:
    """An optional flag is in the line only when it was given, before the user's own flags."""
    line = (*LINE, *words, "--seed", "1")

    assert line == vllm.serve(request(text, "--seed", "1"))
    assert request(text, "--seed", "1") == vllm.served(line, Quantised)


def test_wrong_value_of_an_optional_flag() -> None:
    """The parser of the row judges a typed value, and the message names the option."""
    with pytest.raises(RefusedError) as caught:
        request("fp9")

    expected = "inv serve: --kv-cache-dtype: must be auto or fp8, not `fp9` (did you mean fp8?)"
    assert expected == str(caught.value)


@pytest.mark.parametrize("word", ["--kv-cache-dtype", "--kv_cache_d=fp8", "-kvd"])
def test_optional_flag_twice(word: str) -> None:
    """By any of its names the flag is refused after `--`, where it would be a second one."""
    with pytest.raises(RefusedError) as caught:
        request("", word)

    name = word.partition("=")[0]
    expected = f"inv serve: {name}: not allowed after `--` (use `inv serve --kv-cache-dtype`)"
    assert expected == str(caught.value)


def test_required_flag_is_not_optional() -> None:
    """A line without a flag that is not optional is not read back."""
    assert vllm.served(LINE[:-2], Quantised) is None


def test_help() -> None:
    """The help of an option is the meaning of its row, with the setting of its default."""
    flags = {flag.option: flag.help for flag in serve_flags(Quantised)}

    assert "type of the numbers in the KV cache" == flags["kv-cache-dtype"]
    assert "longest context in tokens (default: MAX_MODEL_LEN)" == flags["max-model-len"]
