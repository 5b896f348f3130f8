"""A copy of what the installer needs, and runs of the installer in it."""

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
from dataclasses import dataclass
from pathlib import Path

UV = Path(sys.executable).with_name("uv")
"""The uv of the environment that runs the tests."""
REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = "rehearsal environment"
VERSION = "{}.{}".format(*sys.version_info)
PROGRAM = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from cluster.rehearsal import making
from cluster.machine.terminal import Report
from cluster.errors import ClusterError
try:
    making.ensure(Path(sys.argv[1]), Report())
except ClusterError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
except KeyboardInterrupt:
    sys.exit(130)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of `ensure` that has ended."""

    code: int
    told: list[str]
    seconds: float
    link: str
    """Where `.rehearsal/venv` pointed afterwards."""


def without_seconds(lines: Iterable[str]) -> list[str]:
    """Return lines without how long each step took."""
    return [re.sub(r"  \d+\.\d s", "", line.rstrip()) for line in lines]


class Place:
    """A copy of what the environment is made from, and calls of `ensure` there."""

    def __init__(self, root: Path) -> None:
        """Copy the sources."""
        self.root = root
        self.folder = root / ".rehearsal"
        shutil.copytree(REPOSITORY / "docker", root / "docker")

    def start(self, environ: dict[str, str], *prefix: str) -> "subprocess.Popen[str]":
        """Call `ensure` in a process of its own."""
        argv = (*prefix, sys.executable, "-I", "-c", PROGRAM, str(self.root))
        return subprocess.Popen(
            argv, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def ended(self, process: "subprocess.Popen[str]") -> Run:
        """Wait for a call's end; durations and lines that depend on caches are left out."""
        started = time.monotonic()
        with process:
            told = without_seconds(process.stderr or ())
        steady = [line for line in told if not re.search(r": (downloading|unpacking) ", line)]
        link = self.folder / "venv"
        return Run(
            code=process.returncode,
            told=steady,
            seconds=time.monotonic() - started,
            link=str(link.readlink()) if link.is_symlink() else "",
        )

    def run(self, environ: dict[str, str], *prefix: str) -> Run:
        """Call `ensure` and wait."""
        return self.ended(self.start(environ, *prefix))

    def sources(self) -> list[Path]:
        """List what lies below docker/."""
        return sorted(path for path in (self.root / "docker").rglob("*") if path.is_file())

    def ray(self) -> str:
        """Run a script of the environment, as the cluster does."""
        argv = (self.folder / "venv" / "bin" / "ray", "--version")
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened, in this order."""

    interrupted: Run
    survivors: list[str]
    """Processes of the installer that lived on after the interruption."""
    with_pip: Run
    meanwhile: Run
    asked_dead_index: int
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


MAKE = step("Make an empty environment")
TORCH = step("Install PyTorch for CPU")
REST = step("Install vLLM, Ray and the rest")
PLUG_IN = step("Install the plug-in")
PROOF = step("Import what will run")
MODEL = step("Make the tiny model")
EXPECTATION = "1.9 GB and about two minutes, only this once"


def making(tool: str) -> str:
    """Return the line that says what is going to happen."""
    return f"{PLACE}: making it with Python {VERSION} and {tool}: {EXPECTATION}"


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
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


def address(listener: socket.socket) -> str:
    """Return the URL of an index."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/simple"


def asked(listener: socket.socket) -> int:
    """Count the connections that wait for an answer."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def interrupted(place: Place) -> tuple[Run, list[str]]:
    """Press Ctrl-C while vLLM is installed; return the end, and what lives on."""
    process = place.start(without_uv())
    for line in process.stderr or ():
        if line.startswith(f"{TORCH}  "):
            break
    time.sleep(3)
    os.kill(process.pid, signal.SIGINT)
    ended = place.ended(process)
    listed = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True)
    return ended, [line for line in listed.stdout.splitlines() if str(place.folder) in line]


def two_at_once(place: Place, environ: dict[str, str]) -> tuple[Run, Run]:
    """Call `ensure` again while the first call works."""
    one = place.start(environ)
    head = tuple(next(iter(one.stderr or ())) for _ in range(2))
    two = place.start(environ)
    ended = place.ended(one)
    told = without_seconds(head)
    first = Run(code=ended.code, told=told + ended.told, seconds=ended.seconds, link=ended.link)
    return first, place.ended(two)
