"""Questions to machines side by side, by Fabric's API and `ssh`; all of them to this machine."""

import os
import stat
import time
from pathlib import Path

import pytest

from cluster.host import Host
from cluster.machine import hosts
from cluster.machine.processes import Completed

FIRST, SECOND = Host(name="first"), Host(name="second")
LARGE = 100_000
"""Characters: more than a pipe or an argument can hold."""


def parts(result: Completed) -> tuple[int, str, str]:
    """Return exit code, output and error."""
    return result.code, result.output, result.error


def test_question_per_machine() -> None:
    """Every machine with a question answers that question, whatever happens to the others."""
    machines = {"first": FIRST, "second": SECOND, "third": Host(name="third")}
    results = hosts.ask(machines, {"second": "echo 2; exit 0", "first": "echo no >&2; exit 3"})

    assert {"first": (3, "", "no\n"), "second": (0, "2\n", "")} == {
        name: parts(result) for name, result in results.items()
    }


def test_no_question() -> None:
    """No machine is asked without a question."""
    assert {} == hosts.ask({"first": FIRST}, {})


def test_large_question_and_answer() -> None:
    """Questions and answers may be longer than a pipe's buffer."""
    text = f"# {'x' * LARGE}\nhead -c {LARGE} /dev/zero | tr '\\0' y; wc -c"
    result = hosts.run(FIRST, f"{{ {text}; exit; }} </dev/null".replace("# ", ": ", 1))

    assert 0 == result.code
    assert LARGE == result.output.count("y")


def test_time_of_an_answer() -> None:
    """An answer has the time of its end, to compare clocks."""
    before = time.time()

    assert before <= hosts.run(FIRST, "true").ended <= time.time()


@pytest.mark.parametrize("question", ["exec sleep 4", "echo begun; sleep 4; true"])
def test_late(question: str) -> None:
    """A question that exceeds its time limit gives code 124, even if a child of its shell lives."""
    before = time.monotonic()
    result = hosts.run(FIRST, question, 0.3)

    assert (124, "", "timed out after 0.3 s") == parts(result)
    assert time.monotonic() - before < 3


def test_side_by_side() -> None:
    """Several machines are asked at the same time."""
    machines = {str(number): Host(name=str(number)) for number in range(6)}
    before = time.monotonic()
    hosts.ask(machines, dict.fromkeys(machines, "sleep 0.5"))

    assert time.monotonic() - before < 6 * 0.5


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `ssh`, the code is 127, as in a shell."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert (127, "", "`ssh` is not installed") == parts(
        hosts.run(Host(name="spark1", ssh_host="spark1"), "echo")
    )


def test_through_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssh` gets the options and the destination; the question is its standard input."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\necho "$@"\ncat\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = hosts.run(Host(name="spark1", ssh_host="me@spark-01"), "echo 'a  b'\n")

    assert (0, "-- me@spark-01 sh -s\necho 'a  b'\n", "") == parts(result)


def test_own_session_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question does not see the SSH session in which this program runs."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")

    assert "\n" == hosts.run(FIRST, 'echo "$SSH_CONNECTION"').output
