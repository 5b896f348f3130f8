"""Variables that pass through."""

import pytest

from cluster.settings import passthrough
from cluster.words import Secret


@pytest.mark.parametrize(
    "name,expected",
    [("NCCL_DEBUG", True), ("RAY_x", True), ("NCCLDEBUG", False), ("nccl_debug", False)],
)
def test_passes(name: str, *, expected: bool) -> None:
    """A prefix of the runtime decides, capitals and all."""
    assert expected == passthrough.passes(name)


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
    """A word of the name or a login in a URL makes the value secret, and it knows where it is."""
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
    """A place is no secret, nor is a name that only contains such a word."""
    assert text == passthrough.value(name, text, "env/cluster.env:7")


@pytest.mark.parametrize(
    "name,meant",
    [
        ("NCLL_DEBUG", "NCCL_DEBUG"),
        ("nccl_debug", "NCCL_debug"),
        ("VLM_LOGGING_LEVEL", "VLLM_LOGGING_LEVEL"),
        ("HF", ""),
        ("NCLL_", ""),
        ("FAVOURITE_COLOUR", ""),
    ],
)
def test_nearest_name(name: str, meant: str) -> None:
    """A prefix that is nearly right is mended; the rest of the name stays."""
    assert meant == passthrough.nearest_name(name)


def test_refused() -> None:
    """What is refused would pass otherwise, and each has a reason and a remedy."""
    assert all(passthrough.passes(name) for name in passthrough.REFUSED)
    assert all(message and remedy for message, remedy in passthrough.REFUSED.values())
