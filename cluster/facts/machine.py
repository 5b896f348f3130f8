"""The machine itself: name, system, memory, limits, clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from cluster.facts.part import Answers, Part

SHELL = re.compile(r"^(names|user|memlock) (.+)$", re.MULTILINE)
FILE = re.compile(r"^(/(?:proc|etc)/[\w/-]+):(.*)$", re.MULTILINE)
REMOVE_IPC = re.compile(r"^(/.+?):\s*RemoveIPC\s*=\s*(\w+)", re.MULTILINE)
TRUE = ("1", "yes", "y", "true", "t", "on")
"""What systemd takes for yes (parse_boolean)."""
AVERAGE = re.compile(r"^some .*avg60=([\d.]+)")
CLOCK = re.compile(r"\d+\.\d+$", re.MULTILINE)
Rows = tuple[str, ...]


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
    """Its time when it answered, in seconds since 1970; None where `date` is not GNU's."""


@dataclass(frozen=True, kw_only=True)
class System:
    """What a shell and files below /proc and /etc say."""

    shell: Mapping[str, str]
    """`names`, `user`, `memlock`."""
    files: Mapping[str, Rows]
    """Rows of each file, by its path."""

    def value(self, path: str, name: str) -> str:
        """Return the last value of a name in a file of settings; empty without one."""
        rows = (row.partition("=") for row in self.files.get(path, ()))
        return {key: value.strip("\"'") for key, _, value in rows}.get(name, "")


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """What systemd and its logind do."""

    remove_ipc: bool = False
    linger: bool = False
    target: str = ""
    early_oom: bool = False


def _system(text: str) -> System:
    files: dict[str, list[str]] = {}
    for path, row in FILE.findall(text):
        files.setdefault(path, []).append(row)
    return System(
        shell=dict(SHELL.findall(text)),
        files={path: tuple(rows) for path, rows in files.items()},
    )


def _resolved(text: str) -> tuple[IPv4Address, ...]:
    """Return each address once: `getent` has a line for each kind of socket."""
    return tuple(dict.fromkeys(IPv4Address(line.split()[0]) for line in text.splitlines()))


def _sessions(text: str) -> Sessions:
    lines = text.splitlines()
    return Sessions(
        remove_ipc="systemd" in lines and _remove_ipc(text),
        linger="linger" in lines,
        target=next((line for line in lines if line.endswith(".target")), ""),
        early_oom="active" in lines,
    )


def _remove_ipc(text: str) -> bool:
    """Follow logind.conf(5): drop-ins go by name over all folders, and /etc hides its like."""
    found = REMOVE_IPC.findall(text)
    by_name = {path.partition("logind.conf")[2]: value for path, value in found}
    last = max(by_name, default="")
    return by_name.get(last, "yes").lower() in TRUE


SYSTEM = Part(
    name="system",
    parse=_system,
)
RESOLVED = Part(
    name="resolved",
    parse=_resolved,
    blocking=False,
)
SESSIONS = Part(
    name="sessions",
    parse=_sessions,
    blocking=False,
)
PARTS = (SYSTEM, RESOLVED, SESSIONS)


def machine(said: Answers) -> Machine:
    """Read the machine itself."""
    its = SYSTEM.value(said)
    sessions = SESSIONS.value(said)
    hostname, kernel, architecture = its.shell.get("names", "").split() or ("", "", "")
    clock = CLOCK.match(said.get("clock", ""))
    return Machine(
        hostname=hostname,
        user=its.shell.get("user", ""),
        system=_distribution(its),
        kernel=kernel,
        architecture=architecture,
        command_line=" ".join(its.files.get("/proc/cmdline", ())),
        memory=_memory(its.files.get("/proc/meminfo", ())),
        pressure=_pressure(its.files.get("/proc/pressure/memory", ())),
        memlock=_memlock(its.shell.get("memlock", "unlimited")),
        resolved=RESOLVED.value(said),
        remove_ipc=sessions.remove_ipc,
        linger=sessions.linger,
        target=sessions.target,
        early_oom=sessions.early_oom,
        clock=float(clock[0]) if clock else None,
    )


def _distribution(its: System) -> str:
    """Name DGX OS by its release: an update notes its version below that of the factory."""
    dgx = "/etc/dgx-release"
    release = its.value(dgx, "DGX_OTA_VERSION") or its.value(dgx, "DGX_SWBUILD_VERSION")
    return f"NVIDIA DGX OS {release}" if release else its.value("/etc/os-release", "PRETTY_NAME")


def _memory(rows: Rows) -> Memory:
    """Read rows like `MemTotal:       125513956 kB`."""
    split = (row.partition(":") for row in rows)
    its = {name: int(value.removesuffix("kB")) * 1024 for name, _, value in split}
    return Memory(
        total=its.get("MemTotal", 0),
        available=its.get("MemAvailable", 0),
        free=its.get("MemFree", 0),
        cached=its.get("Cached", 0),
        swap_total=its.get("SwapTotal", 0),
        swap_free=its.get("SwapFree", 0),
        cma_total=its.get("CmaTotal"),
        cma_free=its.get("CmaFree"),
    )


def _pressure(rows: Rows) -> float | None:
    found = AVERAGE.search("\n".join(rows))
    return float(found[1]) if found else None


def _memlock(text: str) -> int | None:
    return None if text == "unlimited" else int(text) * 1024
