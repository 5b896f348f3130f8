"""`inv` on a fresh clone, with what the package index really serves."""

import platform
import shutil
from pathlib import Path

import pytest

from tests.clone import OWN_PYTHON, Clone, clone, python_without_ensurepip, said

pytestmark = pytest.mark.live

FILES = ("inv", "__main__.py", "bootstrap.py", "requirements.txt", "tasks.py", "cluster")
VERSION = platform.python_version()


def making(installer: str) -> list[str]:
    """Return what `inv` says while it makes the environment."""
    first = f"inv: making .venv from requirements.txt, with Python {VERSION} and {installer}"
    return [first, "inv: ready after N s"]


def first_use(repository: Clone) -> list[str]:
    """List the tasks twice, the second time in silence, and return the progress of the first."""
    first, second = repository.inv("--list"), repository.inv("--list")

    assert (0, "rehearse") == (first.code, first.out.split()[3])
    assert (0, first.out, "") == second
    return [line for line in first.err.splitlines() if line.startswith("inv: ")]


def installed(repository: Clone, package: str) -> list[str]:
    """Return the packages of this name in the environment."""
    found = (repository.tree / ".venv").glob(f"lib/*/site-packages/{package}")
    return [path.name for path in found]


@pytest.fixture
def repository(tmp_path: Path) -> Clone:
    """Give a clone that has never been used; its PATH holds neither a Python nor uv."""
    return clone(tmp_path, *FILES)


def test_python_alone(repository: Clone) -> None:
    """A Python as its makers ship it is enough."""
    repository.link("python3", OWN_PYTHON)

    assert making("pip") == first_use(repository)


def test_python_of_debian(repository: Clone, tmp_path: Path) -> None:
    """A Python without `ensurepip` is enough: pip is fetched, used and not left behind."""
    repository.link("python3", python_without_ensurepip(tmp_path))

    assert making("a fetched pip") == first_use(repository)
    assert [] == installed(repository, "pip")


def test_uv(repository: Clone) -> None:
    """Where uv is installed it does the work, and a changed lock makes the environment anew."""
    repository.link("python3", OWN_PYTHON)
    repository.link("uv", str(shutil.which("uv")))
    lock = repository.tree / "requirements.txt"

    assert making("uv") == first_use(repository)

    lock.write_text(lock.read_text(encoding="utf-8") + "iniconfig==2.3.1\n", encoding="utf-8")

    assert making("uv") == first_use(repository)
    assert ["iniconfig"] == installed(repository, "iniconfig")


def test_two_first_uses_at_once(repository: Clone) -> None:
    """Two first uses at the same time both work, and one of them did the work."""
    repository.link("python3", OWN_PYTHON)
    repository.link("uv", str(shutil.which("uv")))
    both = [said(process) for process in [repository.start("--list") for _ in range(2)]]

    assert [0, 0] == [run.code for run in both]
    assert both[0].out == both[1].out
    assert 1 == "".join(run.err for run in both).count("inv: ready after N s\n")
