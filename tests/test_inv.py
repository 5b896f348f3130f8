"""`inv` on first and later use, without a network: a stand-in for uv creates real environments."""

import fcntl
import platform
import sys
from pathlib import Path

import pytest

from tests.clone import OWN_PYTHON, Clone, RunResult, clone, ended

CREATING = f"creating .venv from requirements.txt with Python {platform.python_version()} and uv"
CREATED = f"inv: {CREATING}\ninv: ready after N s\n"
LIBRARY = f"python{sys.version_info.major}.{sys.version_info.minor}"
INVOKE = "import sys\nprint(sys.argv[1:])\n"
PROGRAM = "import invoke\n"
# Logs each call, and creates an environment whose Invoke prints its arguments.
UV = """
echo "$1" >>'{folder}/log'
case $1 in
venv)
    mkdir -p "$5/bin" "$5/lib/{library}/site-packages"
    ln -s "$4" "$5/bin/python"
    echo "home = ${{4%/*}}" >"$5/pyvenv.cfg"
    ;;
pip) cp '{folder}/invoke.py' "${{6%/bin/python}}/lib/{library}/site-packages/" ;;
esac
"""


@pytest.fixture
def repository(tmp_path: Path) -> Clone:
    """Return an unused clone, with a Python and a stand-in for uv on its PATH."""
    (tmp_path / "invoke.py").write_text(INVOKE, encoding="utf-8")
    copy = clone(tmp_path, "inv", "bootstrap.py", "requirements.txt")
    (copy.tree / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    copy.link("python3", OWN_PYTHON)
    copy.program("uv", UV.format(folder=tmp_path, library=LIBRARY))
    return copy


def answer(repository: Clone, *arguments: str, via: Path | None = None) -> str:
    """Return what the stand-in for Invoke prints: how `inv` was called, and the arguments."""
    return f"{[str(via or repository.tree / 'inv'), *arguments]}\n"


def calls(repository: Clone) -> list[str]:
    """Return the calls of uv so far."""
    return (repository.tree.parent / "log").read_text(encoding="utf-8").split()


def test_first_use(repository: Clone) -> None:
    """The first use creates the environment, reports it on stderr, and runs Invoke on this tree."""
    expected = RunResult(0, answer(repository, "serve", "--model", "a b"), CREATED)

    assert expected == repository.inv("serve", "--model", "a b")


def test_later_use_is_silent_and_needs_no_python(repository: Clone) -> None:
    """Later uses need neither uv nor a Python on the PATH."""
    repository.inv()
    (repository.programs / "python3").unlink()
    (repository.programs / "uv").unlink()

    assert RunResult(0, answer(repository, "--list"), "") == repository.inv("--list")


def test_symbolic_link(repository: Clone) -> None:
    """A link to `inv`, and a link to that link, run the clone that `inv` is in."""
    first, second = repository.programs / "spark", repository.tree.parent / "again"
    first.symlink_to(repository.tree / "inv")
    second.symlink_to("bin/spark")

    assert RunResult(0, answer(repository, via=second), CREATED) == repository.inv(via=second)


def test_changed_lock(repository: Clone) -> None:
    """A changed `requirements.txt` creates a new environment, once."""
    repository.inv()
    (repository.tree / "requirements.txt").write_text("invoke==2.2.1\n", encoding="utf-8")

    assert RunResult(0, answer(repository), CREATED) == repository.inv()
    assert RunResult(0, answer(repository), "") == repository.inv()


def test_vanished_python(repository: Clone) -> None:
    """If its Python is gone, as after a system upgrade, the environment is created again."""
    repository.inv()
    python = repository.tree / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    assert RunResult(0, answer(repository), CREATED) == repository.inv()


def test_different_python(repository: Clone) -> None:
    """PYTHON creates a new environment if the old one has a different Python."""
    repository.inv()
    repository.link("python", OWN_PYTHON)

    assert RunResult(0, answer(repository), CREATED) == repository.inv(python="python")
    assert RunResult(0, answer(repository), "") == repository.inv(python="python")
    assert RunResult(0, answer(repository), "") == repository.inv()


def test_failed_installation(repository: Clone) -> None:
    """A failed installation is an error and is never used; the next use installs again."""
    source = repository.tree.parent / "invoke.py"
    source.unlink()
    failed = repository.inv()
    source.write_text(INVOKE, encoding="utf-8")

    assert (1, "") == failed[:2]
    assert (
        "inv: `uv` failed with exit code 1 (see above; run `./inv` to try again)"
        == failed.err.splitlines()[-1]
    )
    assert RunResult(0, answer(repository), CREATED) == repository.inv()


def test_two_at_once(repository: Clone) -> None:
    """Of two simultaneous first uses one creates the environment, and both run in it."""
    processes = [repository.start("config"), repository.start("config")]
    results = [ended(process)[:2] for process in processes]

    assert [(0, answer(repository, "config"))] * 2 == results
    assert ["venv", "pip"] == calls(repository)


def test_waiting(repository: Clone) -> None:
    """While another program creates the environment, `inv` reports that it waits."""
    with (repository.tree / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = repository.start()
        assert process.stderr is not None
        waiting = process.stderr.readline()

    assert "inv: waiting for another inv that is creating .venv\n" == waiting
    assert RunResult(0, answer(repository), CREATED) == ended(process)


def test_old_python(repository: Clone) -> None:
    """The error names a Python that is too old, and the remedy."""
    (repository.programs / "uv").unlink()
    (repository.programs / "python3").unlink()
    repository.program("python3", '[ "$1" = -V ] && echo Python 3.9.18')
    expected = (
        "inv: needs Python 3.10 to 3.13, found Python 3.9.18"
        " (install one, or name one: `PYTHON=/path/to/python3 ./inv`)\n"
    )

    assert RunResult(1, "", expected) == repository.inv("--list")


def test_no_python(repository: Clone) -> None:
    """A PYTHON that does not exist is an error, even where a suitable Python is on the PATH."""
    expected = (
        "inv: needs Python 3.10 to 3.13, found no `/no where/python3`"
        " (install one, or name one: `PYTHON=/path/to/python3 ./inv`)\n"
    )

    assert RunResult(1, "", expected) == repository.inv("--list", python="/no where/python3")


def test_newer_name(repository: Clone) -> None:
    """If `python3` is too old, a suitable `python3.12` is used."""
    (repository.programs / "python3").unlink()
    repository.program("python3", "exit 1")
    repository.link("python3.12", OWN_PYTHON)

    assert RunResult(0, answer(repository), CREATED) == repository.inv()
