"""Programs followed line by line, and ended with their child processes."""

import os
import signal
import time
from pathlib import Path

import pytest

from cluster.machine import processes

VARIABLES = {"PATH": os.environ["PATH"], "WORD": "grün"}


def test_lines_and_exit_code() -> None:
    """Output and errors arrive as lines with their carriage returns, then the exit code."""
    script = r"printf 'a\rb\n'; echo $WORD >&2; printf '\377'; exit 7"
    with processes.followed(("sh", "-c", script), VARIABLES, grace_seconds=1) as program:
        lines = list(program.lines)

    assert ["a\rb\n", "grün\n", "\N{REPLACEMENT CHARACTER}"] == lines
    assert 7 == program.code


def test_missing_program() -> None:
    """A missing program is a FileNotFoundError with its name."""
    with (
        pytest.raises(FileNotFoundError, match="no-such-program"),
        processes.followed(("no-such-program",), VARIABLES, grace_seconds=1),
    ):
        pass

    assert not processes.which("no-such-program")
    assert processes.which("sh").endswith("/sh")


def interrupt(program: processes.FollowedProgram, children: list[int]) -> None:
    """Read the PID of the program's child; then interrupt as Ctrl-C does."""
    children.append(int(next(program.lines)))
    raise KeyboardInterrupt


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_interruption_ends_the_whole_group(trap: str) -> None:
    """An interruption ends the program and its children, by SIGKILL if necessary."""
    script = ("sh", "-c", f"{trap}sleep 60 & echo $!; wait; wait")
    children: list[int] = []
    started = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        processes.followed(script, VARIABLES, grace_seconds=0.3) as program,
    ):
        interrupt(program, children)

    assert program.code < 0
    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{children[0]}/exe").exists()


def test_inherited_descriptor(tmp_path: Path) -> None:
    """Only the given file descriptors stay open in the program."""
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(2)]
    script = f"test -e /proc/self/fd/{descriptors[0]} && ! test -e /proc/self/fd/{descriptors[1]}"
    with processes.followed(
        ("sh", "-c", script), VARIABLES, grace_seconds=1, inherited=(descriptors[0],)
    ) as program:
        pass
    for descriptor in descriptors:
        os.close(descriptor)

    assert 0 == program.code


def test_children() -> None:
    """A process has its own children, and a process that has ended has none."""
    script = ("sh", "-c", "sleep 60 & echo $! $$; wait")
    with processes.followed(script, VARIABLES, grace_seconds=1) as program:
        child, pid = map(int, next(program.lines).split())
        before = processes.children(pid)
        os.kill(child, signal.SIGTERM)

    assert ((child,), ()) == (before, processes.children(pid))
