"""The machine itself: name, system, memory, limits, clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from cluster.facts.part import Answers, Part

SHELL = re.compile(r"^(names|user|memlock) (.+)$", re.MULTILINE)
FILE = re.compile(r"^(/(?:proc|etc)/[\w/-]+):(.*)$", re.MULTILINE)
REMOVE_IPC = re.compile(r"^(/.+?):\s*RemoveIPC\s*=\s*(\w+)", re.MULTILINE)
TRUE = ("1", "yes", "y", "true", "t", "on")
"""What systemd takes for yes (parse_boolean)."""
AVERAGE = re.compile(r"^some .*avg60=([\d.]+)")
CLOCK = re.compile(r"\d+\.\d+$", re.MULTILINE)
Address = IPv4Address | IPv6Address
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
    """Memory that is reserved for devices; None if the kernel has no such row."""
    cma_free: int | None = None


@dataclass(frozen=True, kw_only=True)
class MachineFacts:
    """A machine and its operating system."""

    hostname: str
    user: str = ""
    """The user who logs in there."""
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
    """Per cent of the last minute in which a process waited for memory; None if unknown."""
    memlock: int | None = None
    """Bytes that a process of this user may lock in memory; None means unlimited."""
    resolved: tuple[IPv4Address, ...] = ()
    """What the machine's own name resolves to, there."""
    remove_ipc: bool = False
    """Whether logind removes a user's shared memory at the end of the last session."""
    linger: bool = False
    """Whether the user's services keep running after that."""
    target: str = ""
    """What it boots into: `graphical.target`, `multi-user.target`; empty without systemd."""
    early_oom: bool = False
    """Whether earlyoom or systemd-oomd runs."""
    zstd: bool = False
    """Whether it has the program `zstd`."""
    ssh_client: Address | None = None
    """The address that the question came from over SSH; None on this machine."""
    ssh_server: Address | None = None
    """The machine's own address of that connection."""
    clock: float | None = None
    """Its time when it answered, in seconds since 1970; None if `date` is not GNU's."""


@dataclass(frozen=True, kw_only=True)
class System:
    """What a shell and files below /proc and /etc say."""

    shell: Mapping[str, str]
    """`names`, `user`, `memlock`."""
    files: Mapping[str, Rows]
    """Rows of each file, by its path."""

    def value(self, path: str, name: str) -> str:
        """Return the last value of a name in a file of settings; empty if it has none."""
        rows = (row.partition("=") for row in self.files.get(path, ()))
        return {key: value.strip("\"'") for key, _, value in rows}.get(name, "")


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Settings of systemd and its logind."""

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
    """Follow logind.conf(5): drop-ins apply by name over all folders; /etc hides the same name."""
    values = {path.partition("logind.conf")[2]: value for path, value in REMOVE_IPC.findall(text)}
    last = max(values, default="")
    return values.get(last, "yes").lower() in TRUE


def _connection(text: str) -> tuple[Address | None, Address | None]:
    """Return the addresses of both ends: SSH_CONNECTION is `client port server port` (ssh(1))."""
    client, _, server, _ = text.split() or ("", "", "", "")
    return (ip_address(client), ip_address(server)) if client else (None, None)


def _programs(text: str) -> tuple[str, ...]:
    """Return the names of the programs that the machine has."""
    return tuple(path.rpartition("/")[2] for path in text.splitlines())


SYSTEM = Part(name="system", parse=_system)
RESOLVED = Part(name="resolved", parse=_resolved, blocking=False)
SESSIONS = Part(name="sessions", parse=_sessions, blocking=False)
CONNECTION = Part(name="connection", parse=_connection)
PROGRAMS = Part(name="programs", parse=_programs)
PARTS = (SYSTEM, RESOLVED, SESSIONS, CONNECTION, PROGRAMS)


def machine(answers: Answers) -> MachineFacts:
    """Parse the machine itself."""
    sessions = SESSIONS.value(answers)
    client, server = CONNECTION.value(answers)
    clock = CLOCK.match(answers.get("clock", ""))
    return replace(
        _machine(SYSTEM.value(answers)),
        resolved=RESOLVED.value(answers),
        remove_ipc=sessions.remove_ipc,
        linger=sessions.linger,
        target=sessions.target,
        early_oom=sessions.early_oom,
        zstd="zstd" in PROGRAMS.value(answers),
        ssh_client=client,
        ssh_server=server,
        clock=float(clock[0]) if clock else None,
    )


def _machine(system: System) -> MachineFacts:
    hostname, kernel, architecture = system.shell.get("names", "").split() or ("", "", "")
    return MachineFacts(
        hostname=hostname,
        user=system.shell.get("user", ""),
        system=_distribution(system),
        kernel=kernel,
        architecture=architecture,
        command_line=" ".join(system.files.get("/proc/cmdline", ())),
        memory=_memory(system.files.get("/proc/meminfo", ())),
        pressure=_pressure(system.files.get("/proc/pressure/memory", ())),
        memlock=_memlock(system.shell.get("memlock", "unlimited")),
    )


def _distribution(system: System) -> str:
    """Name DGX OS by its release: an update notes its version below that of the factory."""
    dgx = "/etc/dgx-release"
    release = system.value(dgx, "DGX_OTA_VERSION") or system.value(dgx, "DGX_SWBUILD_VERSION")
    return f"NVIDIA DGX OS {release}" if release else system.value("/etc/os-release", "PRETTY_NAME")


def _memory(rows: Rows) -> Memory:
    """Parse rows like `MemTotal:       125513956 kB`."""
    pairs = (row.partition(":") for row in rows)
    sizes = {name: int(value.removesuffix("kB")) * 1024 for name, _, value in pairs}
    return Memory(
        total=sizes.get("MemTotal", 0),
        available=sizes.get("MemAvailable", 0),
        free=sizes.get("MemFree", 0),
        cached=sizes.get("Cached", 0),
        swap_total=sizes.get("SwapTotal", 0),
        swap_free=sizes.get("SwapFree", 0),
        cma_total=sizes.get("CmaTotal"),
        cma_free=sizes.get("CmaFree"),
    )


def _pressure(rows: Rows) -> float | None:
    match = AVERAGE.search("\n".join(rows))
    return float(match[1]) if match else None


def _memlock(text: str) -> int | None:
    return None if text == "unlimited" else int(text) * 1024
