"""What a container of the image would find on a node, typed: docker/preflight.py's answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.facts.part import UNREADABLE


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the checks need of an answer."""

    ray_error: str
    """Why Ray cannot be imported; empty when it can."""
    shm_free: int
    shm_total: int
    device_files: tuple[str, ...]
    """Names below /dev/infiniband."""
    memlock: int | None
    """Bytes that a process may lock in memory; None means any number."""


def facts(found: Mapping[str, Any]) -> Facts | None:
    """Return what the fields of an answer say; None when they are not those of a preflight."""
    try:
        return _facts(found)
    except UNREADABLE:
        return None


def _facts(found: Mapping[str, Any]) -> Facts:
    return Facts(
        ray_error=str(found["ray_error"] or ""),
        shm_free=int(found["shm"]["free"]),
        shm_total=int(found["shm"]["total"]),
        device_files=tuple(str(name) for name in found["infiniband"]),
        memlock=None if _unlimited(found) else int(found["memlock"]),
    )


def _unlimited(found: Mapping[str, Any]) -> bool:
    """Tell whether no limit counts; with CAP_IPC_LOCK none does (Linux, ib_umem_get)."""
    return found["memlock"] is None or bool(found["ipc_lock"])
