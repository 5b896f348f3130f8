"""Variables that pass through."""

import pytest

from cluster.settings import passthrough
from cluster.words import Secret


@pytest.mark.parametrize(
    "name,expected",
    [("NCCL_DEBUG", True), ("RAY_x", True), ("NCCLDEBUG", False), ("nccl_debug", False)],
)
def test_prefix(name: str, *, expected: bool) -> None:
    """A variable passes if it has one of the prefixes, in capitals."""
    assert expected == passthrough.has_prefix(name)


@pytest.mark.parametrize(
    "name,text",
    [
        ("HF_TOKEN", "x"),
        ("VLLM_API_KEY", "x"),
        ("VLLM_API_KEYS", "x"),
        ("HF_TOKEN_READ", "x"),
        ("RAY_redis_password", "x"),
        ("HF_ENDPOINT", "https://ann:pw@hub.example"),
    ],
)
def test_secret(name: str, text: str) -> None:
    """A word in the name or a login in a URL makes a secret, which keeps its origin."""
    assert Secret(text, "env/cluster.env:7") == passthrough.value(name, text, "env/cluster.env:7")


@pytest.mark.parametrize(
    "name,text",
    [
        ("HF_TOKEN_PATH", "/run/token"),
        ("VLLM_KEY_FILE", "/run/key"),
        ("VLLM_MAX_TOKENS", "5"),
        ("TORCH_KEYWORD", "x"),
        ("HF_ENDPOINT", "https://hub.example/a@b"),
    ],
)
def test_not_secret(name: str, text: str) -> None:
    """A path is not a secret, nor is a longer word that contains one of the words."""
    assert text == passthrough.value(name, text, "env/cluster.env:7")


@pytest.mark.parametrize(
    "name,expected",
    [
        ("NCLL_DEBUG", "NCCL_DEBUG"),
        ("nccl_debug", "NCCL_debug"),
        ("VLM_LOGGING_LEVEL", "VLLM_LOGGING_LEVEL"),
        ("HF", ""),
        ("NCLL_", ""),
        ("FAVOURITE_COLOUR", ""),
    ],
)
def test_nearest_name(name: str, expected: str) -> None:
    """A misspelled prefix is corrected; the rest of the name stays."""
    assert expected == passthrough.nearest_name(name)


def test_refused() -> None:
    """Every refused variable has one of the prefixes, a reason and a remedy."""
    assert all(passthrough.has_prefix(name) for name in passthrough.REFUSED)
    assert all(message and remedy for message, remedy in passthrough.REFUSED.values())
