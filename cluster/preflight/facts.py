"""What a node says of itself before its container starts, typed: docker/preflight.py's answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of another shape raises."""


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface, as `ip -j address` lists it."""

    name: str
    addresses: tuple[str, ...]
    """IPv4 only."""
    enabled: bool
    """Whether it is switched on, which says nothing of the cable."""
    carrier: bool
    """Whether a cable with a living other end is in it; only known of one that is switched on."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the checks need of an answer."""

    ray_error: str
    """Why Ray cannot be imported; empty when it can."""
    interfaces: tuple[Interface, ...]
    """Without loopback."""
    interfaces_error: str
    taken: Mapping[int, str]
    """Ports on which nobody else can listen, each with the reason."""
    disk: int
    """Free bytes where Docker keeps its containers."""
    shm_free: int
    shm_total: int
    device_files: tuple[str, ...]
    """Names below /dev/infiniband."""
    rdma: Mapping[str, str]
    """State of port 1 of each RDMA device, like `ACTIVE`; empty when it has none."""
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
        ray_error=str(found.get("ray_error", "")),
        interfaces=tuple(_interfaces(found.get("addresses", ()))),
        interfaces_error=str(found.get("addresses_error", "")),
        taken={int(port): str(why) for port, why in found["taken"].items() if why is not None},
        disk=int(found["disk"]),
        shm_free=int(found["shm"]["free"]),
        shm_total=int(found["shm"]["total"]),
        device_files=tuple(str(name) for name in found["infiniband"]),
        rdma={name: _state(state) for name, state in found["rdma"].items()},
        memlock=None if _unlimited(found) else int(found["memlock"]),
    )


def _interfaces(listed: list[dict[str, Any]]) -> tuple[Interface, ...]:
    return tuple(_interface(one) for one in listed if "LOOPBACK" not in one["flags"])


def _interface(one: dict[str, Any]) -> Interface:
    return Interface(
        name=str(one["ifname"]),
        addresses=tuple(
            str(address["local"]) for address in one["addr_info"] if address["family"] == "inet"
        ),
        enabled="UP" in one["flags"],
        carrier="NO-CARRIER" not in one["flags"],
    )


def _state(text: str) -> str:
    """Return the word of a state: sysfs has `4: ACTIVE` (Linux, Documentation/ABI/stable)."""
    return text.rpartition(" ")[2]


def _unlimited(found: Mapping[str, Any]) -> bool:
    """Tell whether no limit counts; with CAP_IPC_LOCK none does (Linux, ib_umem_get)."""
    return found["memlock"] is None or bool(found["ipc_lock"])
