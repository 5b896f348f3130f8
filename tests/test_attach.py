"""The user's commands inside nodes, without running nodes."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster import attach, session
from cluster.errors import RefusedError
from cluster.namespaces.steps import Command
from cluster.node import Node
from cluster.session import Session


@pytest.fixture(name="rehearsal")
def _rehearsal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session on the rehearsal whose run state is empty."""
    monkeypatch.setattr(session, "STATE", str(tmp_path))
    return Session("rehearsal", dry=False)


def refused(rehearsal: Session, names: list[str], *argv: str) -> str:
    """Return the refusal of a command."""
    with pytest.raises(RefusedError) as caught:
        attach.run(rehearsal, names, argv)
    return str(caught.value)


def test_no_command(rehearsal: Session) -> None:
    """A missing command is refused."""
    assert "inv exec: no command given (`inv exec nvidia-smi`)" == refused(rehearsal, [])


def test_not_running(rehearsal: Session) -> None:
    """A command needs a running node; without a name that is the head."""
    remedy = "(`inv up --cluster rehearsal`)"

    assert f"spark1: is not running {remedy}" == refused(rehearsal, [], "env")
    assert f"spark2: is not running {remedy}" == refused(rehearsal, ["spark2"], "env")


def test_unknown_node(rehearsal: Session) -> None:
    """An unknown node is refused by name."""
    expected = "--node spark3: no such node in cluster rehearsal (did you mean spark2?)"

    assert expected == refused(rehearsal, ["spark3"], "env")


def dry(capsys: pytest.CaptureFixture[str], *names: str) -> str:
    """Return the dry run of a command on a cluster of two real machines."""
    code = attach.run(Session("examples/two-sparks", dry=True), list(names), ("env", "a b"))
    output = capsys.readouterr()
    assert (0, "") == (code, output.err)
    return output.out


def test_dry(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run prints the line for each node, running or not, and asks nothing."""
    expected = """\
# spark2: Run a command
docker --host ssh://spark2 exec vllm_node env 'a b'

# spark1: Run a command
docker --host ssh://spark1 exec vllm_node env 'a b'
"""

    assert expected == dry(capsys, "spark2", "spark1")


def test_dry_of_one_node(capsys: pytest.CaptureFixture[str]) -> None:
    """The line for a single node has the input and output of the shell."""
    title, line = dry(capsys).splitlines()
    words = shlex.split(line)

    assert "# spark1: Run a command" == title
    assert ["ssh", "spark1", "docker exec --interactive vllm_node env 'a b'"] == words


@dataclass(frozen=True, kw_only=True)
class LocalNodes:
    """A runtime whose nodes are this machine: each runs its own script, whatever the command."""

    scripts: dict[str, str]

    def run_inside(self, node: Node, argv: tuple[str, ...]) -> Command:
        """Run the node's script."""
        del argv
        return Command(place=node.name, argv=("sh", "-c", self.scripts[node.name]))


def run(rehearsal: Session, monkeypatch: pytest.MonkeyPatch, scripts: dict[str, str]) -> int:
    """Run a command on nodes that need not run; return the exit code."""
    nodes = [replace(rehearsal.cluster.head, name=name) for name in scripts]
    rehearsal.cluster = replace(rehearsal.cluster, nodes=tuple(nodes))
    monkeypatch.setattr(rehearsal, "runtime", LocalNodes(scripts=scripts))
    monkeypatch.setattr(rehearsal, "refuse_stopped", lambda _nodes: None)
    return attach.run(rehearsal, list(scripts), ("env",))


def test_single_node(
    rehearsal: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On one node the command has this program's output, and its exit code is returned."""
    code = run(rehearsal, monkeypatch, {"spark1": "printf a; echo b >&2; exit 3"})

    assert (3, ("a", "b\n")) == (code, capfd.readouterr())


def test_several_nodes(
    rehearsal: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On several nodes each line begins with its node; the first failure is the exit code."""
    scripts = {
        "spark1": "sleep 0.2; echo one; printf two",
        "spark2": "echo three; echo four >&2; exit 3",
        "spark3": "exit 4",
    }
    code = run(rehearsal, monkeypatch, scripts)
    out = "spark1 | one\nspark1 | two\nspark2 | three\n"

    assert (3, (out, "spark2 | four\n")) == (code, capsys.readouterr())
