"""Commands of the user's own in nodes, as far as no node must run."""

import shlex
from pathlib import Path

import pytest

from cluster import attach, session
from cluster.errors import RefusedError
from cluster.machine import processes
from cluster.namespaces.steps import Command
from cluster.session import Session


@pytest.fixture(name="opened")
def _opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a run on the rehearsal, of which nothing runs below a folder of this test."""
    monkeypatch.setattr(session, "STATE", str(tmp_path))
    return Session("rehearsal", dry=False)


def say(node: str, script: str) -> Command:
    """Return a command of this machine in the place of one inside a node."""
    return Command(place=node, argv=("sh", "-c", script))


def refused(opened: Session, names: list[str], *argv: str) -> str:
    """Return what stands against a command."""
    with pytest.raises(RefusedError) as caught:
        attach.run(opened, names, argv)
    return str(caught.value)


def test_no_command(opened: Session) -> None:
    """Without a command there is nothing to run."""
    assert "inv exec: no command given (`inv exec nvidia-smi`)" == refused(opened, [])


def test_not_running(opened: Session) -> None:
    """A node whose Ray does not run has no place for a command; without a name it is the head."""
    remedy = "(`inv up --cluster rehearsal`)"

    assert f"spark1: is not running {remedy}" == refused(opened, [], "env")
    assert f"spark2: is not running {remedy}" == refused(opened, ["spark2"], "env")


def test_stranger(opened: Session) -> None:
    """A node that is not there is named."""
    assert ("--node spark3: no such node in cluster rehearsal (did you mean spark2?)") == refused(
        opened, ["spark3"], "env"
    )


def dry(capsys: pytest.CaptureFixture[str], *names: str) -> str:
    """Return what is printed of a command for two real machines."""
    code = attach.run(Session("examples/two-sparks", dry=True), list(names), ("env", "a b"))
    said = capsys.readouterr()
    assert (0, "") == (code, said.err)
    return said.out


def test_dry(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for each node is printed, and nothing is asked, whether it runs or not."""
    expected = """\
# spark2: Run a command
docker --host ssh://spark2 exec vllm_node env 'a b'

# spark1: Run a command
docker --host ssh://spark1 exec vllm_node env 'a b'
"""

    assert expected == dry(capsys, "spark2", "spark1")


def test_dry_of_one_node(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for one node is the one that has the input and output of who runs it."""
    out = dry(capsys)
    title, line = out.splitlines()
    words = shlex.split(line)

    assert "# spark1: Run a command" == title
    assert ["ssh", "spark1", "docker exec --interactive vllm_node env 'a b'"] == words


def test_here(capfd: pytest.CaptureFixture[str]) -> None:
    """On one node a command has the output of who runs it, and its exit code comes back."""
    attachment = say("spark1", "printf a; echo b >&2; exit 3").attached(terminal=False)
    code = processes.attached(attachment.argv, attachment.environment)

    assert (3, ("a", "b\n")) == (code, capfd.readouterr())


def test_beside(
    opened: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On several nodes each line has its node in front; the first failure is the exit code."""
    queries = (
        say("spark1", "sleep 0.2; echo one; printf two"),
        say("spark2", "echo three; echo four >&2; exit 3"),
        say("spark3", "exit 4"),
    )
    monkeypatch.setattr(opened, "refuse_stopped", lambda _nodes: None)  # they need not run
    monkeypatch.setattr(opened, "nodes", lambda _names: ())
    code = attach._side_by_side(opened, queries)
    out = "spark1 | one\nspark1 | two\nspark2 | three\n"

    assert (3, (out, "spark2 | four\n")) == (code, capsys.readouterr())
