"""Variables that go to the containers as they are: which do, which are secret or refused."""

import re
from collections.abc import Mapping

from cluster.text import nearest
from cluster.words import Secret

PREFIXES = (
    "NCCL_",
    "GLOO_",
    "UCX_",
    "RAY_",
    "VLLM_",
    "HF_",
    "TORCH_",
    "TORCHDYNAMO_",
    "PYTORCH_",
    "CUDA_",
    "OMP_",
)

SECRET_WORDS = frozenset({"TOKEN", "KEY", "KEYS", "SECRET", "PASSWORD", "PASSPHRASE"})
PLACE_WORDS = frozenset({"PATH", "FILE", "DIR"})
LOGIN_IN_URL = re.compile(r"://[^/@\s]+@")

REFUSED: Mapping[str, tuple[str, str]] = {
    "RAY_ADDRESS": (
        "would lead Ray and vLLM to another cluster",
        "remove the line; the head's HOST_IP and HEAD_PORT decide",
    ),
    "RAY_AUTH_TOKEN": ("is not set by hand", "remove the line; `inv head` makes the token"),
    "RAY_AUTH_TOKEN_PATH": ("is not set by hand", "remove the line; `inv head` makes the token"),
    "RAY_NODE_IP_ADDRESS": ("follows from HOST_IP", "remove the line"),
    "RAY_OVERRIDE_NODE_IP_ADDRESS": ("follows from HOST_IP", "remove the line"),
    "RAY_object_store_memory": (
        "is no variable of Ray's",
        "set OBJECT_STORE_MEMORY in cluster.env instead",
    ),
    "VLLM_HOST_IP": ("follows from HOST_IP", "remove the line"),
}
"""What would break the cluster, with the reason and the remedy."""


def passes(name: str) -> bool:
    """Say whether a variable goes to the containers as it is."""
    return name.startswith(PREFIXES)


def is_secret(name: str, value: str) -> bool:
    """Say whether a value must never be printed.

    It is secret when a word of the name says so (TOKEN, KEY, ...) and the last word does not make
    it a place (PATH, FILE, DIR), or when the value is a URL with a login.
    """
    parts = name.upper().split("_")
    named = not SECRET_WORDS.isdisjoint(parts) and parts[-1] not in PLACE_WORDS
    return named or bool(LOGIN_IN_URL.search(value))


def value(name: str, text: str, origin: str) -> str | Secret:
    """Return the value as the containers get it; a secret remembers where it was written."""
    return Secret(text, origin) if is_secret(name, text) else text


def nearest_name(name: str) -> str:
    """Return the name with its prefix spelled right: `NCCL_DEBUG` for `NCLL_DEBUG`; else empty."""
    prefix, line, rest = name.partition("_")
    return near + rest if line and rest and (near := nearest(prefix + line, PREFIXES)) else ""
