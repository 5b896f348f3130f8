"""Programs of this machine: run to their end, followed line by line, launched, found, and ended."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path
from typing import Any

from cluster.machine import files
from cluster.words import Environment, FileText, MarkedPid, Secret, Value, Word

SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where `ip`, `mount` and `nsenter` are; Debian leaves it out of the PATH of ordinary users."""
POLL_SECONDS = 0.05
START_SECONDS = 10.0
"""How long a launched process may take to write its process number."""
START_POLL_SECONDS = 0.005
KILL_SECONDS = 10.0
CAP_SYS_ADMIN = 21
"""The bit of the capability (linux/capability.h)."""
LATE, NO_FILE, NO_PROGRAM = 124, 125, 127
"""Exit codes: those of timeout(1), docker-run(1) and a shell."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A command that has ended."""

    code: int
    """Exit code; 127 without the program, 125 without the node, 124 after the time limit."""
    output: str
    error: str
    ended: float = 0.0
    """When the answer was complete, in seconds since 1970; 0 where it does not matter."""


def run(
    argv: tuple[Word, ...], environment: Environment = (), *, seconds: float | None = None
) -> Completed:
    """Run a command to its end, without a terminal and without input.

    A missing program gives code 127, a command that takes longer than `seconds` 124, and a missing
    file behind a word 125.
    """
    try:
        words = [revealed(word) for word in argv]
        variables = _variables(environment)
    except FileNotFoundError:
        return Completed(code=NO_FILE, output="", error="")
    try:
        result = subprocess.run(
            words,
            env=variables,
            input="",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        return Completed(code=NO_PROGRAM, output="", error=f"`{error.filename}` is not installed")
    except subprocess.TimeoutExpired:
        return Completed(code=LATE, output="", error=f"no answer within {seconds:g} s")
    return Completed(code=result.returncode, output=result.stdout, error=result.stderr)


def attached(argv: tuple[Word, ...], environment: Environment = ()) -> int:
    """Run a command with this program's input and output; return its exit code."""
    words = [revealed(word) for word in argv]
    return subprocess.run(words, env=_variables(environment), check=False).returncode


@dataclass(frozen=True, kw_only=True)
class FollowedProgram:
    """A program whose output is read as it comes."""

    process: "subprocess.Popen[bytes]"

    @property
    def lines(self) -> Iterator[str]:
        """The lines of its output and errors as they come, each with its line end."""
        return (line.decode("utf-8", "replace") for line in self.process.stdout or ())

    @property
    def code(self) -> int:
        """The exit code, once the program has ended."""
        return self.process.wait()


@contextmanager
def followed(
    argv: tuple[str, ...],
    variables: Mapping[str, str],
    *,
    grace_seconds: float,
    inherited: tuple[int, ...] = (),
) -> Iterator[FollowedProgram]:
    """Start a program with exactly these variables, and wait for its end after the block.

    It has a session of its own, which Ctrl-C in the terminal does not reach. An exception in the
    block, KeyboardInterrupt among them, asks the program and all it has started to end, and kills
    what is left after `grace_seconds`. `inherited` are file descriptors that stay open in it. A
    program that does not exist is a FileNotFoundError.
    """
    with subprocess.Popen(
        argv,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=inherited,
    ) as process:
        try:
            yield FollowedProgram(process=process)
        except BaseException:
            for number in (signal.SIGTERM, signal.SIGKILL):
                _signal_group(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=grace_seconds)
            raise


def launch(argv: tuple[Word, ...], environment: Environment, log: str, pid_file: str) -> str:
    """Start a command that outlives this program, and wait until it has written its number.

    `log` receives its output, and only its own. Returns what it has logged if it ended, or wrote
    nothing for 10 s; else nothing.
    """
    Path(pid_file).unlink(missing_ok=True)
    with Path(log).open("wb") as output:
        process = subprocess.Popen(
            [revealed(word) for word in argv],
            env=_variables(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_SECONDS
    while not (Path(pid_file).exists() and Path(pid_file).stat().st_size):
        if process.poll() is not None or time.monotonic() > deadline:
            text = Path(log).read_text(encoding="utf-8", errors="replace").strip()
            return text or f"exit code {process.poll()}"
        time.sleep(START_POLL_SECONDS)
    return ""


def which(name: str) -> str:
    """Return the path of a program on the PATH; empty if it is not there."""
    return shutil.which(name) or ""


def own_variables() -> dict[str, str]:
    """Return the environment variables of this program."""
    return dict(os.environ)


def values(environment: Environment) -> dict[str, str]:
    """Return the variables with the texts of secrets and files."""
    return {name: revealed(value) for name, value in environment}


def revealed(value: Value) -> str:
    """Return the text that a word or value stands for; FileNotFoundError if its file is missing."""
    if isinstance(value, MarkedPid):
        return str(_marked_process(value).pid)
    if isinstance(value, FileText):
        return Path(value.path).read_text(encoding="utf-8").removesuffix("\n")
    return value.value if isinstance(value, Secret) else value


def _variables(environment: Environment) -> dict[str, str]:
    """Return the given variables; without any, this program's own with the system's PATH added."""
    if environment:
        return values(environment)
    return own_variables() | {"PATH": f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"}


@dataclass(frozen=True, kw_only=True)
class OwnProcess:
    """A running process of this user."""

    pid: int
    argv: tuple[str, ...]
    environment: dict[str, str]
    since: float
    """Start, in seconds since 1970."""


def find(number: MarkedPid) -> OwnProcess | None:
    """Return the process behind a number in a file, if it is running and carries the mark."""
    with suppress(FileNotFoundError):
        return _marked_process(number)
    return None


def end(number: MarkedPid, seconds: float) -> bool:
    """Ask a process and its group to end, and kill them after `seconds`; whether they are gone."""
    process = find(number)
    return process is None or any(
        _ends(process.pid, signal_number, seconds)
        for signal_number in (signal.SIGTERM, signal.SIGKILL)
    )


def lives(name: str, folder: str) -> bool:
    """Whether any process has a variable `name` that is a path at or below `folder`."""
    return any(True for _ in _below(name, folder))


def kill_below(name: str, folder: str) -> bool:
    """Kill all processes whose variable `name` is a path at or below `folder`; whether all end."""
    for process in _below(name, folder):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return _wait_until(lambda: not lives(name, folder), KILL_SECONDS)


def children(pid: int) -> tuple[int, ...]:
    """Return the processes that a process has started itself; none when it is gone."""
    with suppress(OSError):
        numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
        return tuple(map(int, numbers.split()))
    return ()


def end_program(process: "subprocess.Popen[Any]", seconds: float) -> None:
    """Ask a program that this one has started to end, with its children; kill it after `seconds`.

    Alone, `ssh` would end that of its ProxyJump by SIGHUP, which processes below nohup(1) ignore.
    """
    for pid in children(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def may_administer() -> bool:
    """Whether this program may make namespaces without a user namespace (capabilities(7))."""
    return has_capability(CAP_SYS_ADMIN)


def has_capability(number: int, root: str = "") -> bool:
    """Whether this program has the capability of this bit, by the /proc below `root`."""
    lines = map(str.split, files.text(f"{root}/proc/self/status").splitlines())
    effective = next((words[1] for words in lines if words[:1] == ["CapEff:"]), "0")
    return bool(int(effective, 16) >> number & 1)


def _marked_process(number: MarkedPid) -> OwnProcess:
    """Return the process behind a number; FileNotFoundError unless it carries the mark."""
    text = Path(number.path).read_text(encoding="utf-8").strip()
    process = _process(int(text)) if text.isdecimal() else None
    name, value = number.mark
    if process is None or process.environment.get(name) != value:
        raise FileNotFoundError(ENOENT, "no such process", number.path)
    return process


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _ends(group: int, number: signal.Signals, seconds: float) -> bool:
    """Send a signal to a process group; return whether the group is gone in time."""
    _signal_group(group, number)
    return _wait_until(lambda: not _group_lives(group), seconds)


def _group_lives(group: int) -> bool:
    # A child of this very program stays a zombie until it is waited for.
    with suppress(ChildProcessError):
        os.waitpid(-group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _below(name: str, folder: str) -> Iterator[OwnProcess]:
    for entry in Path("/proc").iterdir():
        process = _process(int(entry.name)) if entry.name.isdigit() else None
        path = process.environment.get(name, "") if process else ""
        if process and (path == folder or path.startswith(f"{folder}/")):
            yield process


def _process(pid: int) -> OwnProcess | None:
    """Read a process; None if it is gone, a zombie, or another user's."""
    try:
        argv, content = (_strings(Path(f"/proc/{pid}/{name}")) for name in ("cmdline", "environ"))
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    if not content or fields[0] == "Z":
        return None
    pairs = (item.partition("=") for item in content)
    variables = {name: value for name, _, value in pairs}
    # The start is in clock ticks since boot (proc_pid_stat(5)).
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return OwnProcess(pid=pid, argv=argv, environment=variables, since=time.time() - age)


def _strings(path: Path) -> tuple[str, ...]:
    return tuple(path.read_bytes().decode(errors="replace").split("\0")[:-1])
