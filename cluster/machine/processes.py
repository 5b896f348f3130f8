"""Processes of this machine: run to the end, launch, recognise by environment, and end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path

from cluster.namespaces.steps import SPEC, Command, ProcessHandle
from cluster.words import Environment, FileText, ProcessNumber, Secret, Value, Word

SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where `ip`, `mount` and `nsenter` are; Debian leaves it out of the PATH of ordinary users."""
POLL_SECONDS = 0.05
CAP_SYS_ADMIN = 21
"""The bit of the capability (linux/capability.h)."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A command that has ended."""

    code: int
    output: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Alive:
    """A service that runs."""

    argv: tuple[str, ...]
    digest: str
    """Of its run spec."""
    since: float
    """Start, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Running(Alive):
    """A process that is ours: proved by its environment."""

    pid: int
    environment: dict[str, str]


def run(
    argv: tuple[Word, ...],
    environment: Environment = (),
    *,
    text: str = "",
    seconds: float | None = None,
) -> Completed:
    """Run a command to its end, without a terminal; its standard input is `text`.

    A missing program, and a command that outlives `seconds`, give the code that a shell would:
    127 and 124; a file that a word stands for gives 125 when it is not there.
    """
    try:
        words = [revealed(word) for word in argv]
        variables = _variables(environment)
    except FileNotFoundError:
        return Completed(code=125, output="", error="")
    try:
        done = subprocess.run(
            words,
            env=variables,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        return Completed(code=127, output="", error=f"`{error.filename}` is not there")
    except subprocess.TimeoutExpired:
        return Completed(code=124, output="", error=f"no answer within {seconds:g} s")
    return Completed(code=done.returncode, output=done.stdout, error=done.stderr)


def attached(command: Command) -> int:
    """Run a command with this program's input and output; return its exit code."""
    words = [revealed(word) for word in command.argv]
    return subprocess.run(words, env=_variables(command.environment), check=False).returncode


def launch(argv: tuple[Word, ...], environment: Environment, log: Path) -> subprocess.Popen[bytes]:
    """Start a command that goes on when this program has ended; `log` holds its output alone."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [revealed(word) for word in argv],
            env=_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def revealed(value: Value) -> str:
    """Return what a word or value stands for."""
    if isinstance(value, ProcessNumber):
        return str(_proved(value).pid)
    if isinstance(value, FileText):
        return Path(value.path).read_text(encoding="utf-8").removesuffix("\n")
    return value.value if isinstance(value, Secret) else value


def own_variables() -> dict[str, str]:
    """Return the environment variables of this program."""
    return dict(os.environ)


def values(environment: Environment) -> dict[str, str]:
    """Return the variables with the secrets among them."""
    return {name: revealed(value) for name, value in environment}


def find(trace: ProcessHandle) -> Running | None:
    """Return the traced process, if it lives and its environment proves that it is ours."""
    with suppress(FileNotFoundError):
        return _proved(ProcessNumber(trace.pid_file, trace.mark))
    return None


def _proved(number: ProcessNumber) -> Running:
    """Return the process behind a number; one that is gone, or is another's, is not found."""
    text = Path(number.path).read_text(encoding="utf-8").strip()
    found = _running(int(text)) if text.isdecimal() else None
    name, value = number.mark
    if found is None or found.environment.get(name) != value:
        raise FileNotFoundError(ENOENT, "no such process", number.path)
    return found


def end(trace: ProcessHandle, seconds: float) -> bool:
    """Ask the traced process and its group to end; kill them when `seconds` are over.

    Tell whether they are gone.
    """
    found = find(trace)
    return found is None or any(
        _signalled(found.pid, number, seconds) for number in (signal.SIGTERM, signal.SIGKILL)
    )


def _signalled(group: int, number: signal.Signals, seconds: float) -> bool:
    """Send a signal to a process group; tell whether the group is gone in time."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)
    return _wait_gone(lambda: not _group_lives(group), seconds)


def _group_lives(group: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(
            -group, os.WNOHANG
        )  # what this very program has launched stays a zombie until asked for
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def lives(name: str, folder: str) -> bool:
    """Tell whether any process has a variable `name` that is a path at or below `folder`."""
    return any(True for _ in _below(name, folder))


def sweep(name: str, folder: str, seconds: float = 10.0) -> bool:
    """Kill every process whose variable `name` is a path at or below `folder`.

    Tell whether all are gone.
    """
    for found in _below(name, folder):
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)
    return _wait_gone(lambda: not lives(name, folder), seconds)


def may_administer() -> bool:
    """Tell whether this program may make namespaces without a user namespace (capabilities(7))."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (effective,) = (line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


def _wait_gone(gone: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not gone():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _below(name: str, folder: str) -> Iterator[Running]:
    for entry in Path("/proc").iterdir():
        found = _running(int(entry.name)) if entry.name.isdigit() else None
        path = found.environment.get(name, "") if found else ""
        if found and (path == folder or path.startswith(f"{folder}/")):
            yield found


def _running(pid: int) -> Running | None:
    """Read a process; one that is gone, a zombie, or another user's is none of ours."""
    try:
        argv, content = (_strings(Path(f"/proc/{pid}/{name}")) for name in ("cmdline", "environ"))
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    if not content or fields[0] == "Z":
        return None
    pairs = (item.partition("=") for item in content)
    variables = {name: value for name, _, value in pairs}
    return Running(
        pid=pid,
        argv=argv,
        digest=variables.get(SPEC, ""),
        environment=variables,
        since=_since(int(fields[19])),
    )


def _strings(path: Path) -> tuple[str, ...]:
    return tuple(path.read_bytes().decode(errors="replace").split("\0")[:-1])


def _since(ticks: int) -> float:
    """Turn a process's start in clock ticks since boot into seconds since 1970."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def _variables(environment: Environment) -> dict[str, str]:
    """Return exactly the given variables.

    Without any, return this program's own, with the system's folders on the PATH.
    """
    if environment:
        return values(environment)
    return own_variables() | {"PATH": f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"}
