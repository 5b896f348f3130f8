"""`inv` on a fresh clone, with a real package index."""

import platform
import shutil
from pathlib import Path

import pytest

from tests.clone import OWN_PYTHON, Clone, clone, ended, python_without_ensurepip

pytestmark = pytest.mark.live

FILES = ("inv", "__main__.py", "bootstrap.py", "requirements.txt", "tasks.py", "cluster")
VERSION = platform.python_version()


def creation(installer: str) -> list[str]:
    """Return the output of `inv` while it creates the environment."""
    first = f"inv: creating .venv from requirements.txt with Python {VERSION} and {installer}"
    return [first, "inv: ready after N s"]


def first_use(repository: Clone) -> list[str]:
    """List the tasks twice, the second time silently; return the progress of the first time."""
    first, second = repository.inv("--list"), repository.inv("--list")

    assert (0, "rehearse") == (first.code, first.out.splitlines()[2].split()[0])
    assert (0, first.out, "") == second
    return [line for line in first.err.splitlines() if line.startswith("inv: ")]


def installed(repository: Clone, package: str) -> list[str]:
    """Return the packages of this name in the environment."""
    matches = (repository.tree / ".venv").glob(f"lib/*/site-packages/{package}")
    return [path.name for path in matches]


@pytest.fixture
def repository(tmp_path: Path) -> Clone:
    """Return an unused clone; its PATH has neither a Python nor uv."""
    return clone(tmp_path, *FILES)


def test_python_alone(repository: Clone) -> None:
    """A standard Python is enough."""
    repository.link("python3", OWN_PYTHON)

    assert creation("pip") == first_use(repository)


def test_python_of_debian(repository: Clone, tmp_path: Path) -> None:
    """A Python without `ensurepip` is enough: pip is downloaded, and not installed."""
    repository.link("python3", python_without_ensurepip(tmp_path))

    assert creation("a downloaded pip") == first_use(repository)
    assert [] == installed(repository, "pip")


def test_uv(repository: Clone) -> None:
    """An installed uv is used, and a changed lock creates the environment again."""
    repository.link("python3", OWN_PYTHON)
    repository.link("uv", str(shutil.which("uv")))
    lock = repository.tree / "requirements.txt"

    assert creation("uv") == first_use(repository)

    lock.write_text(lock.read_text(encoding="utf-8") + "iniconfig==2.3.1\n", encoding="utf-8")

    assert creation("uv") == first_use(repository)
    assert ["iniconfig"] == installed(repository, "iniconfig")


def test_two_first_uses_at_once(repository: Clone) -> None:
    """Of two simultaneous first uses both work, and one of them creates the environment."""
    repository.link("python3", OWN_PYTHON)
    repository.link("uv", str(shutil.which("uv")))
    runs = [ended(process) for process in [repository.start("--list") for _ in range(2)]]

    assert [0, 0] == [run.code for run in runs]
    assert runs[0].out == runs[1].out
    assert 1 == "".join(run.err for run in runs).count("inv: ready after N s\n")
