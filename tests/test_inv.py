"""`inv` from first use to last, without a network: a stand-in for uv makes real environments."""

import fcntl
import platform
import sys
from pathlib import Path

import pytest

from tests.clone import OWN_PYTHON, Clone, Said, clone, said

MAKING = f"making .venv from requirements.txt, with Python {platform.python_version()} and uv"
MADE = f"inv: {MAKING}\ninv: ready after N s\n"
LIBRARY = f"python{sys.version_info.major}.{sys.version_info.minor}"
INVOKE = "import sys\nprint(sys.argv[1:])\n"
PROGRAM = "import invoke\n"
# Logs each call and makes an environment whose Invoke prints its arguments.
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
    """Give a clone that has never been used, with a Python and a stand-in for uv on its PATH."""
    (tmp_path / "invoke.py").write_text(INVOKE, encoding="utf-8")
    made = clone(tmp_path, "inv", "bootstrap.py", "requirements.txt")
    (made.tree / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    made.link("python3", OWN_PYTHON)
    made.program("uv", UV.format(folder=tmp_path, library=LIBRARY))
    return made


def answer(repository: Clone, *arguments: str, via: Path | None = None) -> str:
    """Return what the stand-in for Invoke prints: how `inv` was called, and the arguments."""
    return f"{[str(via or repository.tree / 'inv'), *arguments]}\n"


def calls(repository: Clone) -> list[str]:
    """Return the calls of uv so far."""
    return (repository.tree.parent / "log").read_text(encoding="utf-8").split()


def test_first_use(repository: Clone) -> None:
    """The first use makes the environment, says so on stderr, and runs Invoke on this tree."""
    expected = Said(0, answer(repository, "serve", "--model", "a b"), MADE)

    assert expected == repository.inv("serve", "--model", "a b")


def test_later_use_is_silent_and_starts_no_other_python(repository: Clone) -> None:
    """Once made, the environment serves without uv and without any Python on the PATH."""
    repository.inv()
    (repository.programs / "python3").unlink()
    (repository.programs / "uv").unlink()

    assert Said(0, answer(repository, "--list"), "") == repository.inv("--list")


def test_symbolic_link(repository: Clone) -> None:
    """A link to `inv`, and a link to that link, lead to the tree that `inv` is in."""
    first, second = repository.programs / "spark", repository.tree.parent / "again"
    first.symlink_to(repository.tree / "inv")
    second.symlink_to("bin/spark")

    assert Said(0, answer(repository, via=second), MADE) == repository.inv(via=second)


def test_changed_lock(repository: Clone) -> None:
    """Another `requirements.txt` makes another environment, and only once."""
    repository.inv()
    (repository.tree / "requirements.txt").write_text("invoke==2.2.1\n", encoding="utf-8")

    assert Said(0, answer(repository), MADE) == repository.inv()
    assert Said(0, answer(repository), "") == repository.inv()


def test_vanished_python(repository: Clone) -> None:
    """When the Python below the environment is gone, as after a system upgrade, it is made anew."""
    repository.inv()
    python = repository.tree / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    assert Said(0, answer(repository), MADE) == repository.inv()


def test_another_python(repository: Clone) -> None:
    """PYTHON makes the environment anew when it was made with another one, and only then."""
    repository.inv()
    repository.link("another", OWN_PYTHON)

    assert Said(0, answer(repository), MADE) == repository.inv(python="another")
    assert Said(0, answer(repository), "") == repository.inv(python="another")
    assert Said(0, answer(repository), "") == repository.inv()


def test_half_made(repository: Clone) -> None:
    """A failed installation is never used: its end is named, and the next use starts afresh."""
    source = repository.tree.parent / "invoke.py"
    source.unlink()
    failed = repository.inv()
    source.write_text(INVOKE, encoding="utf-8")

    assert (1, "") == failed[:2]
    assert (
        "inv: `uv` ended with exit code 1 (see above; `./inv` tries again)"
        == failed.err.splitlines()[-1]
    )
    assert Said(0, answer(repository), MADE) == repository.inv()


def test_two_at_once(repository: Clone) -> None:
    """Of two first uses at the same time one makes the environment, and both run in it."""
    both = [repository.start("config"), repository.start("config")]
    ends = [said(process)[:2] for process in both]

    assert [(0, answer(repository, "config"))] * 2 == ends
    assert ["venv", "pip"] == calls(repository)


def test_waiting(repository: Clone) -> None:
    """While somebody else makes the environment, `inv` says that it waits, and then goes on."""
    with (repository.tree / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = repository.start()
        assert process.stderr is not None
        waiting = process.stderr.readline()

    assert "inv: waiting for another inv, which is making .venv\n" == waiting
    assert Said(0, answer(repository), MADE) == said(process)


def test_old_python(repository: Clone) -> None:
    """A Python that is too old is named, and so is the remedy."""
    (repository.programs / "uv").unlink()
    (repository.programs / "python3").unlink()
    repository.program("python3", '[ "$1" = -V ] && echo Python 3.9.18')
    expected = (
        "inv: needs Python 3.10 to 3.13 and found Python 3.9.18"
        " (install one, or name one: `PYTHON=/path/to/python3 ./inv`)\n"
    )

    assert Said(1, "", expected) == repository.inv("--list")


def test_no_python(repository: Clone) -> None:
    """A PYTHON that does not exist is an error, even where a suitable Python is on the PATH."""
    expected = (
        "inv: needs Python 3.10 to 3.13 and found no `/no where/python3`"
        " (install one, or name one: `PYTHON=/path/to/python3 ./inv`)\n"
    )

    assert Said(1, "", expected) == repository.inv("--list", python="/no where/python3")


def test_newer_name(repository: Clone) -> None:
    """Where `python3` is too old, a suitable `python3.12` beside it is found."""
    (repository.programs / "python3").unlink()
    repository.program("python3", "exit 1")
    repository.link("python3.12", OWN_PYTHON)

    assert Said(0, answer(repository), MADE) == repository.inv()
