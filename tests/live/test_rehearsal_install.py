"""The rehearsal environment is really installed, with pip and with uv."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.machine.terminal import Report
from cluster.rehearsal.install import ensure
from tests.live.installation import (
    EMPTY,
    IMPORT,
    MODEL,
    PLACE,
    PLUG_IN,
    TORCH,
    VERSION,
    VLLM,
    History,
    Workspace,
    address,
    announcement,
    dead_index,
    interrupted,
    step,
    two_at_once,
    waiting_connections,
    with_uv,
    without_uv,
)

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Go through all cases with as few installations as possible."""
    root = tmp_path_factory.mktemp("rehearsal")
    workspace = Workspace(root)
    requirements = root / "docker" / "requirements-cpu.txt"
    pins = requirements.read_text()
    sources = workspace.sources()
    stopped, survivors = interrupted(workspace)
    with dead_index() as listener:
        environ = without_uv() | {"PIP_EXTRA_INDEX_URL": address(listener)}
        with_pip, meanwhile = two_at_once(workspace, environ)
        dead_index_connections = waiting_connections(listener)
    with_pip_ray = workspace.ray()
    started = time.monotonic()
    ensure(str(root), Report())
    again_seconds = time.monotonic() - started
    listing = sorted(path.name for path in workspace.folder.iterdir())
    with (root / "docker" / "tiny_model.py").open("a") as script:
        script.write("# changed\n")
    new_model = workspace.run(without_uv())
    requirements.write_text(f"{pins}vllm-cluster-of-nowhere==0.0.0\n")
    impossible = workspace.run(with_uv())
    impossible_ray = workspace.ray()
    requirements.write_text(f"{pins}# changed\n")
    yield History(
        interrupted=stopped,
        survivors=survivors,
        with_pip=with_pip,
        meanwhile=meanwhile,
        dead_index_connections=dead_index_connections,
        with_pip_ray=with_pip_ray,
        listing=listing,
        untouched=workspace.sources() == sources,
        again_seconds=again_seconds,
        new_model=new_model,
        impossible=impossible,
        impossible_ray=impossible_ray,
        with_uv=workspace.run(with_uv()),
        with_uv_ray=workspace.ray(),
    )
    shutil.rmtree(root)


def test_interruption(history: History) -> None:
    """Ctrl-C ends the installer as well, and an unfinished environment is not used."""
    assert (130, [f"{VLLM}  failed"]) == (history.interrupted.code, history.interrupted.lines)
    assert "" == history.interrupted.link
    assert [] == history.survivors


def test_pip(history: History) -> None:
    """After an interruption pip installs it, and the scripts of the environment run."""
    steps = [EMPTY, announcement("pip"), TORCH, VLLM, PLUG_IN, IMPORT, MODEL]

    assert (0, steps) == (history.with_pip.code, history.with_pip.lines)
    assert "ray, version 2.60.0\n" == history.with_pip_ray


def test_dead_index(history: History) -> None:
    """An extra index that never answers is used for PyTorch alone, not for the other packages."""
    assert history.dead_index_connections <= 2


def test_two_at_once(history: History) -> None:
    """The second of two simultaneous calls waits for the first, and then has nothing to do."""
    waiting = step("Wait for another `inv` that installs it")

    assert (0, [waiting]) == (history.meanwhile.code, history.meanwhile.lines)


def test_files(history: History) -> None:
    """The folder holds an environment, a model and their links; the sources are untouched."""
    kinds = [re.sub(r"-[0-9a-f]{12}", "-FINGERPRINT", name) for name in history.listing]

    assert kinds == [
        "model",
        "model-FINGERPRINT",
        "venv",
        f"venv-FINGERPRINT-{VERSION}",
    ]
    assert history.untouched


def test_second_use(history: History) -> None:
    """A complete environment costs no time."""
    assert history.again_seconds < 0.05


def test_new_model(history: History) -> None:
    """A change of the model's program creates the model again, and nothing else."""
    assert (0, [MODEL]) == (history.new_model.code, history.new_model.lines)
    assert history.with_pip.link == history.new_model.link


def test_impossible_pins(history: History) -> None:
    """Pins that cannot be installed are one sentence, and the old environment stays in use."""
    lines = [line.partition(" dependencies")[0] for line in history.impossible.lines]
    failed = f"{VLLM}: No solution found when resolving"

    assert (4, [EMPTY, announcement("uv"), TORCH, f"{VLLM}  failed", failed]) == (
        history.impossible.code,
        lines,
    )
    assert history.with_pip.link == history.impossible.link
    assert "ray, version 2.60.0\n" == history.impossible_ray


def test_uv(history: History) -> None:
    """After a change of the pins uv installs a new environment beside the old one."""
    steps = [EMPTY, announcement("uv"), TORCH, VLLM, PLUG_IN, IMPORT]

    assert (0, steps) == (history.with_uv.code, history.with_uv.lines)
    assert history.with_pip.link != history.with_uv.link
    assert "ray, version 2.60.0\n" == history.with_uv_ray


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Copy the sources to a folder without an environment."""
    return Workspace(tmp_path)


def test_pytorch_not_found(workspace: Workspace) -> None:
    """Without a wheel, a network or an answer the remedy is known within seconds."""
    variables = {name: value for name, value in without_uv().items() if "PROXY" not in name.upper()}
    with dead_index() as listener, dead_index() as closed:
        refused = address(closed)
        closed.close()
        unconfigured = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": ""}
        network = {"PIP_EXTRA_INDEX_URL": address(listener), "https_proxy": refused}
        run = workspace.run(variables | unconfigured | network)

    failed = (
        f"{TORCH}: No matching distribution found for torch==2.13.0+cpu; the index did not"
        " answer (allow access to https://download.pytorch.org/whl/cpu, or set PIP_FIND_LINKS to a"
        " folder with the wheel of torch==2.13.0+cpu)"
    )

    assert (4, [EMPTY, announcement("pip"), f"{TORCH}  failed", failed]) == (run.code, run.lines)
    assert run.seconds < 30


def on_disk(workspace: Workspace, options: str) -> tuple[str, ...]:
    """Return a prefix that runs a command with `.rehearsal` on a separate disk."""
    workspace.folder.mkdir()
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    mount = f'mount -t tmpfs -o {options} tmpfs {workspace.folder} && exec "$0" "$@"'
    return ("unshare", *user, "--mount", "sh", "-c", mount)


def test_small_disk(workspace: Workspace) -> None:
    """Too little disk space is reported before anything is installed."""
    run = workspace.run(without_uv(), *on_disk(workspace, "size=100m"))
    need = "needs 4 GB of disk space, but only 0.1 GB are free (free some disk space)"

    assert (3, [f"{PLACE}: {need}"]) == (run.code, run.lines)


def test_full_disk(workspace: Workspace) -> None:
    """A disk that fills up half-way is one sentence, and no further index is tried."""
    run = workspace.run(without_uv(), *on_disk(workspace, "size=6g,nr_inodes=2000"))
    lines = [re.sub(r"'.*'", "FILE", line) for line in run.lines]
    failed = (
        f"{TORCH}: Could not install packages due to an OSError: [Errno 28] No space left on"
        " device: FILE (free some disk space, then run it again)"
    )

    assert (4, [EMPTY, announcement("pip"), f"{TORCH}  failed", failed]) == (run.code, lines)


def test_no_folder(workspace: Workspace) -> None:
    """If the folder cannot be created, the error names it."""
    workspace.folder.touch()
    run = workspace.run(without_uv())
    remedy = "fix that, then run it again: finished downloads are kept"
    problem = f"{PLACE}: cannot be installed: {workspace.folder}: File exists ({remedy})"

    assert (4, [problem]) == (run.code, run.lines)
