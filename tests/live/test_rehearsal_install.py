"""The rehearsal environment is made here for real, with pip and with uv."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.machine.terminal import Report
from cluster.rehearsal.making import ensure
from tests.live.installation import (
    MAKE,
    MODEL,
    PLACE,
    PLUG_IN,
    PROOF,
    REST,
    TORCH,
    VERSION,
    Place,
    Story,
    address,
    asked,
    dead_index,
    interrupted,
    making,
    step,
    two_at_once,
    with_uv,
    without_uv,
)

pytestmark = pytest.mark.live


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
    ensure(root, Report())
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
    told = [line.partition(" dependencies")[0] for line in story.impossible.told]
    failed = f"{REST}: No solution found when resolving"

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
    message = f"cannot be made: {place.folder}: File exists"

    assert (4, [f"{PLACE}: {message} (mend that, then again: finished downloads are kept)"]) == (
        done.code,
        done.told,
    )
