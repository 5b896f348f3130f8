"""The rehearsal environment is made here for real, with pip and with uv."""

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

import pytest
from uv import find_uv_bin

from cluster.effects import rehearsal
from cluster.effects.report import Report

pytestmark = pytest.mark.live

REPOSITORY = Path(__file__).resolve().parents[2]
PLACE = "rehearsal environment"
VERSION = "{}.{}".format(*sys.version_info)
PROGRAM = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from cluster.effects import rehearsal
from cluster.effects.report import Report
from cluster.errors import ClusterError
try:
    rehearsal.ensure(Path(sys.argv[1]), Report())
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
    return dict(os.environ) | {"PATH": f"{Path(find_uv_bin()).parent}:{os.environ['PATH']}"}


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


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Make the environment in all ways that matter, with as few installations as possible."""
    root = tmp_path_factory.mktemp("rehearsal")
    place = Place(root)
    requirements = root / "docker" / "requirements-cpu.txt"
    pins = requirements.read_text()
    sources = place.sources()
    stopped, survivors = interrupted(place)
    with dead_index() as listener:
        environ = without_uv() | {"PIP_EXTRA_INDEX_URL": address(listener)}
        with_pip, meanwhile = two_at_once(place, environ)
        asked_dead_index = asked(listener)
    with_pip_ray = place.ray()
    started = time.monotonic()
    rehearsal.ensure(root, Report())
    again_seconds = time.monotonic() - started
    listing = sorted(path.name for path in place.folder.iterdir())
    with (root / "docker" / "tiny_model.py").open("a") as script:
        script.write("# changed\n")
    new_model = place.run(without_uv())
    requirements.write_text(f"{pins}vllm-cluster-of-nowhere==0.0.0\n")
    impossible = place.run(with_uv())
    impossible_ray = place.ray()
    requirements.write_text(f"{pins}# changed\n")
    yield Story(
        interrupted=stopped,
        survivors=survivors,
        with_pip=with_pip,
        meanwhile=meanwhile,
        asked_dead_index=asked_dead_index,
        with_pip_ray=with_pip_ray,
        listing=listing,
        untouched=place.sources() == sources,
        again_seconds=again_seconds,
        new_model=new_model,
        impossible=impossible,
        impossible_ray=impossible_ray,
        with_uv=place.run(with_uv()),
        with_uv_ray=place.ray(),
    )
    shutil.rmtree(root)


def test_interruption(story: Story) -> None:
    """Ctrl-C ends the installer as well, and what was not finished is not taken for whole."""
    assert (130, [f"{REST}  failed"]) == (story.interrupted.code, story.interrupted.told)
    assert "" == story.interrupted.link
    assert [] == story.survivors


def test_pip(story: Story) -> None:
    """After an interruption pip makes it, and the scripts of the environment run."""
    steps = [MAKE, making("pip"), TORCH, REST, PLUG_IN, PROOF, MODEL]

    assert (0, steps) == (story.with_pip.code, story.with_pip.told)
    assert "ray, version 2.60.0\n" == story.with_pip_ray


def test_dead_index(story: Story) -> None:
    """An extra index that never answers is asked for PyTorch at most, and never for the rest."""
    assert story.asked_dead_index <= 2


def test_two_at_once(story: Story) -> None:
    """The second of two that start together waits for the first, and then has nothing to do."""
    waiting = step("Wait for another `inv`, which is making it")

    assert (0, [waiting]) == (story.meanwhile.code, story.meanwhile.told)


def test_what_is_left(story: Story) -> None:
    """There is one environment, one model, their links and the lock; the sources are untouched."""
    kinds = [re.sub(r"-[0-9a-f]{12}", "-FINGERPRINT", name) for name in story.listing]

    assert kinds == [
        "lock",
        "model",
        "model-FINGERPRINT",
        "venv",
        f"venv-FINGERPRINT-{VERSION}",
    ]
    assert story.untouched


def test_second_use(story: Story) -> None:
    """What is there costs nothing."""
    assert story.again_seconds < 0.05


def test_new_model(story: Story) -> None:
    """A change of the model's program makes the model anew, and it alone."""
    assert (0, [MODEL]) == (story.new_model.code, story.new_model.told)
    assert story.with_pip.link == story.new_model.link


def test_impossible_pins(story: Story) -> None:
    """Pins that cannot be installed are one sentence, and the environment from before goes on."""
    told = [line.partition(" Because ")[0] for line in story.impossible.told]
    failed = f"{REST}: No solution found when resolving dependencies:"

    assert (4, [MAKE, making("uv"), TORCH, f"{REST}  failed", failed]) == (
        story.impossible.code,
        told,
    )
    assert story.with_pip.link == story.impossible.link
    assert "ray, version 2.60.0\n" == story.impossible_ray


def test_uv(story: Story) -> None:
    """After a change of the pins uv makes another, beside the old one."""
    steps = [MAKE, making("uv"), TORCH, REST, PLUG_IN, PROOF]

    assert (0, steps) == (story.with_uv.code, story.with_uv.told)
    assert story.with_pip.link != story.with_uv.link
    assert "ray, version 2.60.0\n" == story.with_uv_ray


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Copy the sources to a place where nothing was made yet."""
    return Place(tmp_path)


def test_pytorch_is_nowhere(place: Place) -> None:
    """Without a wheel, a network or an answer it takes seconds to say what to do."""
    kept = {name: value for name, value in without_uv().items() if "PROXY" not in name.upper()}
    with dead_index() as listener, dead_index() as closed:
        refused = address(closed)
        closed.close()
        unconfigured = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": ""}
        network = {"PIP_EXTRA_INDEX_URL": address(listener), "https_proxy": refused}
        done = place.run(kept | unconfigured | network)

    failed = (
        f"{TORCH}: No matching distribution found for torch==2.13.0+cpu; the index did not"
        " answer (let this machine reach https://download.pytorch.org/whl/cpu, or name a"
        " folder with the wheel of torch==2.13.0+cpu in PIP_FIND_LINKS)"
    )

    assert (4, [MAKE, making("pip"), f"{TORCH}  failed", failed]) == (done.code, done.told)
    assert done.seconds < 30


def on_disk(place: Place, options: str) -> tuple[str, ...]:
    """Return a prefix that runs a call with `.rehearsal` on a disk of its own."""
    place.folder.mkdir()
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    mount = f'mount -t tmpfs -o {options} tmpfs {place.folder} && exec "$0" "$@"'
    return ("unshare", *user, "--mount", "sh", "-c", mount)


def test_small_disk(place: Place) -> None:
    """Too little space is said before anything is made."""
    done = place.run(without_uv(), *on_disk(place, "size=100m"))
    need = "needs 4 GB of free disk space, and there are 0.1 GB (free some)"

    assert (3, [f"{PLACE}: {need}"]) == (done.code, done.told)


def test_full_disk(place: Place) -> None:
    """A disk that is full half-way is one sentence, and no index is asked in vain."""
    done = place.run(without_uv(), *on_disk(place, "size=6g,nr_inodes=2000"))
    told = [re.sub(r"'.*'", "FILE", line) for line in done.told]
    failed = (
        f"{TORCH}: Could not install packages due to an OSError: [Errno 28] No space left on"
        " device: FILE (free some disk space, then again)"
    )

    assert (4, [MAKE, making("pip"), f"{TORCH}  failed", failed]) == (done.code, told)


def test_no_folder(place: Place) -> None:
    """Where the folder cannot be, the error names it."""
    place.folder.touch()
    done = place.run(without_uv())
    what = f"cannot be made: {place.folder}: File exists"

    assert (4, [f"{PLACE}: {what} (mend that, then again: finished downloads are kept)"]) == (
        done.code,
        done.told,
    )
