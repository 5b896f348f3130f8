"""Variables of env files that the containers get unchanged: which pass, are secret or refused."""

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
PATH_WORDS = frozenset({"PATH", "FILE", "DIR"})
LOGIN_IN_URL = re.compile(r"://[^/@\s]+@")

REFUSED: Mapping[str, tuple[str, str]] = {
    "RAY_ADDRESS": (
        "would lead Ray and vLLM to another cluster",
        "remove the line; the address is the head's HOST_IP with HEAD_PORT",
    ),
    "RAY_AUTH_TOKEN": ("is not set by hand", "remove the line; `inv head` generates the token"),
    "RAY_AUTH_TOKEN_PATH": (
        "is not set by hand",
        "remove the line; `inv head` generates the token",
    ),
    "RAY_NODE_IP_ADDRESS": ("is derived from HOST_IP", "remove the line"),
    "RAY_OVERRIDE_NODE_IP_ADDRESS": ("is derived from HOST_IP", "remove the line"),
    "RAY_object_store_memory": (
        "is not a variable of Ray",
        "set OBJECT_STORE_MEMORY in cluster.env instead",
    ),
    "VLLM_HOST_IP": ("is derived from HOST_IP", "remove the line"),
}
"""Variables that would break the cluster, with the reason and the remedy."""


def has_prefix(name: str) -> bool:
    """Whether a variable has one of the prefixes with which it passes through."""
    return name.startswith(PREFIXES)


def is_secret(name: str, value: str) -> bool:
    """Whether a value must never be printed.

    It is a secret if the name contains a word such as TOKEN or KEY and does not end in PATH, FILE
    or DIR, or if the value is a URL with a login.
    """
    parts = name.upper().split("_")
    named = not SECRET_WORDS.isdisjoint(parts) and parts[-1] not in PATH_WORDS
    return named or bool(LOGIN_IN_URL.search(value))


def value(name: str, text: str, origin: str) -> str | Secret:
    """Return the value for the containers; a secret keeps the place where it was written."""
    return Secret(text, origin) if is_secret(name, text) else text


def nearest_name(name: str) -> str:
    """Return the name with its prefix corrected, `NCCL_DEBUG` for `NCLL_DEBUG`; empty if none."""
    start, underscore, end = name.partition("_")
    prefix = nearest(start + underscore, PREFIXES) if underscore and end else ""
    return prefix + end if prefix else ""
