"""The machine itself: name, system, memory, limits, clock."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The rows of /proc/meminfo that matter, in bytes."""

    total: int
    available: int
    free: int
    cached: int
    swap_total: int
    swap_free: int
    cma_total: int | None = None
    """Memory that is kept for devices; None where the kernel has no such row."""
    cma_free: int | None = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine is."""

    hostname: str
    user: str = ""
    """Who logs in there."""
    system: str = ""
    """The distribution: `Ubuntu 24.04.3 LTS`, `NVIDIA DGX OS 7.5.0`."""
    kernel: str = ""
    """`uname -r`."""
    architecture: str = ""
    """`uname -m`."""
    command_line: str = ""
    """The kernel's."""
    memory: Memory
    pressure: float | None = None
    """Per cent of the last minute in which something waited for memory; None when unknown."""
    memlock: int | None = None
    """Bytes that a process of this user may lock in memory; None means any number."""
    resolved: tuple[IPv4Address, ...] = ()
    """What the machine's own name resolves to, there."""
    remove_ipc: bool = False
    """Whether logind removes a user's shared memory at the end of the last session."""
    linger: bool = False
    """Whether the user's services go on after that."""
    target: str = ""
    """What it boots into: `graphical.target`, `multi-user.target`; empty without systemd."""
    early_oom: bool = False
    """Whether earlyoom or systemd-oomd runs."""
    clock: float | None = None
    """Its time when it answered, in seconds since 1970."""
