"""Installations of the rehearsal environment in a copy of its sources."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
"""The uv of the environment that runs the tests."""
REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = "rehearsal environment"
VERSION = "{}.{}".format(*sys.version_info)
PROGRAM = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from cluster.rehearsal import install
from cluster.machine.terminal import Report
from cluster.errors import ClusterError
try:
    install.ensure(sys.argv[1], Report())
except ClusterError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
except KeyboardInterrupt:
    sys.exit(130)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A call of `ensure` that has ended."""

    code: int
    lines: list[str]
    """What it printed, without durations and lines that depend on caches."""
    seconds: float
    link: str
    """The target of `.rehearsal/venv` afterwards."""


def without_seconds(lines: Iterable[str]) -> list[str]:
    """Return lines without the duration of each step."""
    return [re.sub(r"  \d+\.\d s", "", line.rstrip()) for line in lines]


class Workspace:
    """A copy of the sources of the environment, and calls of `ensure` in it."""

    def __init__(self, root: Path) -> None:
        """Copy the sources."""
        self.root = root
        self.folder = root / ".rehearsal"
        shutil.copytree(REPOSITORY / "docker", root / "docker")

    def start(self, environ: dict[str, str], *prefix: str) -> "subprocess.Popen[str]":
        """Start a process that calls `ensure`."""
        argv = (*prefix, sys.executable, "-I", "-c", PROGRAM, str(self.root))
        return subprocess.Popen(
            argv, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def ended(self, process: "subprocess.Popen[str]") -> Run:
        """Wait for the end of a call."""
        started = time.monotonic()
        with process:
            printed = without_seconds(process.stderr or ())
        lines = [line for line in printed if not re.search(r": (downloading|unpacking) ", line)]
        link = self.folder / "venv"
        return Run(
            code=process.returncode,
            lines=lines,
            seconds=time.monotonic() - started,
            link=str(link.readlink()) if link.is_symlink() else "",
        )

    def run(self, environ: dict[str, str], *prefix: str) -> Run:
        """Call `ensure`, and wait for its end."""
        return self.ended(self.start(environ, *prefix))

    def sources(self) -> list[Path]:
        """List the files below docker/."""
        return sorted(path for path in (self.root / "docker").rglob("*") if path.is_file())

    def ray(self) -> str:
        """Run a script of the environment, as the cluster does."""
        argv = (self.folder / "venv" / "bin" / "ray", "--version")
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened, in this order."""

    interrupted: Run
    survivors: list[str]
    """Processes of the installer that were alive after the interruption."""
    with_pip: Run
    meanwhile: Run
    dead_index_connections: int
    """Connections to an extra index that never answers."""
    with_pip_ray: str
    listing: list[str]
    untouched: bool
    again_seconds: float
    new_model: Run
    impossible: Run
    impossible_ray: str
    with_uv: Run
    with_uv_ray: str


def step(title: str) -> str:
    """Return the line of a step that has ended."""
    return f"{PLACE}: {title}"


EMPTY = step("Create an empty environment")
TORCH = step("Install PyTorch for CPU")
VLLM = step("Install vLLM and Ray")
PLUG_IN = step("Install the plug-in")
IMPORT = step("Import vLLM and Ray")
MODEL = step("Create the tiny model")
COST = "1.9 GB and about two minutes, only this once"


def announcement(tool: str) -> str:
    """Return the line that announces the installation."""
    return f"{PLACE}: installing it with Python {VERSION} and {tool}: {COST}"


def without_uv() -> dict[str, str]:
    """Return this process's variables, with a PATH that has no uv."""
    folders = os.environ["PATH"].split(":")
    path = ":".join(name for name in folders if not shutil.which("uv", path=name))
    return dict(os.environ) | {"PATH": path}


def with_uv() -> dict[str, str]:
    """Return this process's variables, with uv on the PATH."""
    return dict(os.environ) | {"PATH": f"{UV.parent}:{os.environ['PATH']}"}


@contextmanager
def dead_index() -> Iterator[socket.socket]:
    """Listen on a port of loopback, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def address(listener: socket.socket) -> str:
    """Return the URL of an index on a port."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/simple"


def waiting_connections(listener: socket.socket) -> int:
    """Return how many connections wait for an answer."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def interrupted(workspace: Workspace) -> tuple[Run, list[str]]:
    """Press Ctrl-C while vLLM is installed; return the run, and processes that are still alive."""
    process = workspace.start(without_uv())
    for line in process.stderr or ():
        if line.startswith(f"{TORCH}  "):
            break
    time.sleep(3)
    os.kill(process.pid, signal.SIGINT)
    run = workspace.ended(process)
    listed = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True)
    return run, [line for line in listed.stdout.splitlines() if str(workspace.folder) in line]


def two_at_once(workspace: Workspace, environ: dict[str, str]) -> tuple[Run, Run]:
    """Call `ensure` again while the first call is at work."""
    process = workspace.start(environ)
    head = tuple(next(iter(process.stderr or ())) for _ in range(2))
    second = workspace.start(environ)
    first = workspace.ended(process)
    first = replace(first, lines=without_seconds(head) + first.lines)
    return first, workspace.ended(second)
