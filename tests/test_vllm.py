"""From a request to the `vllm serve` line and back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.commands import vllm
from cluster.commands.vllm import ServeRequest
from tests.clusters import SPARKS

JSON = '{"method": "ngram", "num_speculative_tokens": 2, "a": "it\'s $HOME"}'
REQUEST = ServeRequest(
    model="Qwen/Qwen3-4B",
    tp=2,
    host="127.0.0.1",
    port=8000,
    max_model_len=32768,
    gpu_memory_utilization=0.7,
)
LINE = (
    *("vllm", "serve", "Qwen/Qwen3-4B", "--host", "127.0.0.1", "--port", "8000"),
    *("--gpu-memory-utilization", "0.7", "--tensor-parallel-size", "2"),
    *("--distributed-executor-backend", "ray", "--max-model-len", "32768"),
)


def test_serve() -> None:
    """The line has every flag that the cluster decides, and Ray as the executor."""
    assert LINE == vllm.serve(REQUEST)


def test_serve_with_own_flags() -> None:
    """The user's flags come last, where they take precedence, and each is still one word."""
    extra = ("--enforce-eager", "--speculative-config", JSON)

    assert (*LINE, *extra) == vllm.serve(replace(REQUEST, extra=extra))


@pytest.mark.parametrize(
    "host, expected",
    [
        ("0.0.0.0", "http://192.168.177.11:8000"),  # noqa: S104 (rendered, not bound)
        ("::", "http://192.168.177.11:8000"),
        ("192.168.177.11", "http://192.168.177.11:8000"),
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("fd00::1", "http://[fd00::1]:8000"),
        ("spark1", "http://spark1:8000"),
    ],
)
def test_url(host: str, expected: str) -> None:
    """The URL of a server on every interface has the head's address on the fast link."""
    assert expected == vllm.url(SPARKS, replace(REQUEST, host=host))


@pytest.mark.parametrize(
    "host, expected",
    [
        ("127.0.0.1", False),
        ("127.8.0.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),  # noqa: S104 (judged, not bound)
        ("192.168.177.11", True),
        ("spark1", True),
    ],
)
def test_beyond_loopback(host: str, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """Only a loopback address or name keeps other machines out."""
    assert expected == vllm.beyond_loopback(host)


requests = st.builds(
    ServeRequest,
    model=st.text(min_size=1) | st.sampled_from(["serve", "vllm", "--host"]),
    tp=st.integers(1, 4096),
    host=st.text(min_size=1),
    port=st.integers(1, 65535),
    max_model_len=st.integers(1, 10**8),
    gpu_memory_utilization=st.floats(0, 1, exclude_min=True),
    extra=st.lists(st.text() | st.sampled_from(["--host", "x", "vllm", "serve"])).map(tuple),
)


@given(request=requests, before=st.lists(st.text() | st.sampled_from(["vllm", "serve"])))
def test_served_is_the_inverse_of_serve(request: ServeRequest, before: list[str]) -> None:
    """The request is read back from its line, whatever words come before the line."""
    assert request == vllm.served((*before, *vllm.serve(request)))


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("ray", "start", "--block"),
        ("vllm", "serve"),
        ("vllm", "serve", "model"),
        ("vllm", "serve", "model", "--tensor-parallel-size", "2"),
        (*LINE[:-1], "many"),
        (*LINE[:3], *LINE[5:7], *LINE[3:5], *LINE[7:]),
        tuple(word for word in LINE if word != "vllm"),
    ],
)
def test_foreign_lines(argv: tuple[str, ...]) -> None:
    """A line that `serve` would not render is not read back."""
    assert vllm.served(argv) is None


@given(words=st.lists(st.text()))
def test_served_never_fails(words: list[str]) -> None:
    """No command line of a process raises an exception."""
    assert vllm.served(("vllm", "serve", *words)) is None
