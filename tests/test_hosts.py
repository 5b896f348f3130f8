"""Machines asked side by side by Fabric's API and `ssh`; in these tests this machine is asked."""

import os
import stat
import time
from pathlib import Path

import pytest

from cluster.host import Host
from cluster.machine import hosts
from cluster.machine.processes import Completed

ONE, TWO = Host(name="one"), Host(name="two")
LARGE = 100_000
"""Characters: more than a pipe holds, and than an argument may have."""


def plain(result: Completed) -> tuple[int, str, str]:
    """Return exit code, output and error."""
    return result.code, result.output, result.error


def test_each_machine_its_question() -> None:
    """Only machines with a question are asked, each its own; a failure does not hide the others."""
    machines = {"one": ONE, "two": TWO, "three": Host(name="three")}
    results = hosts.ask(machines, {"two": "echo 2; exit 0", "one": "echo no >&2; exit 3"})

    assert {"one": (3, "", "no\n"), "two": (0, "2\n", "")} == {
        name: plain(result) for name, result in results.items()
    }


def test_no_question() -> None:
    """Without a question no machine is asked."""
    assert {} == hosts.ask({"one": ONE}, {})


def test_large_question_and_answer() -> None:
    """Neither the length of a question nor that of an answer matters."""
    text = f"# {'x' * LARGE}\nhead -c {LARGE} /dev/zero | tr '\\0' y; wc -c"
    result = hosts.tell(ONE, f"{{ {text}; exit; }} </dev/null".replace("# ", ": ", 1))

    assert 0 == result.code
    assert LARGE == result.output.count("y")


def test_time_of_an_answer() -> None:
    """It is known when an answer was complete, to compare clocks."""
    before = time.time()

    assert before <= hosts.tell(ONE, "true").ended <= time.time()


@pytest.mark.parametrize("question", ["exec sleep 4", "echo begun; sleep 4; true"])
def test_late(question: str) -> None:
    """A question that takes too long has code 124, even if a child of its shell goes on."""
    before = time.monotonic()
    result = hosts.tell(ONE, question, 0.3)

    assert (124, "", "timed out after 0.3 s") == plain(result)
    assert time.monotonic() - before < 3


def test_side_by_side() -> None:
    """Many machines take no longer than one."""
    machines = {str(number): Host(name=str(number)) for number in range(6)}
    before = time.monotonic()
    hosts.ask(machines, dict.fromkeys(machines, "sleep 0.5"))

    assert time.monotonic() - before < 6 * 0.5


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the client, the code is that of a shell."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert (127, "", "`ssh` is not installed") == plain(
        hosts.tell(Host(name="spark1", ssh_host="spark1"), "echo")
    )


def test_through_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gets the options and the destination; the text is its standard input."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\necho "$@"\ncat\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = hosts.tell(Host(name="spark1", ssh_host="me@spark-01"), "echo 'a  b'\n")

    assert (0, "-- me@spark-01 sh -s\necho 'a  b'\n", "") == plain(result)


def test_own_session_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question does not see the SSH connection by which its asker came."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")

    assert "\n" == hosts.tell(ONE, 'echo "$SSH_CONNECTION"').output
