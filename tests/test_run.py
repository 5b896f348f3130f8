"""One gate for printing and performing: what a dry run prints is the plan that is performed."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cluster import attach
from cluster.bandwidth import measuring
from cluster.bandwidth.ranks import PORTS
from cluster.build import building
from cluster.build.build_options import BuildOptions
from cluster.discovery import perform as file_changes
from cluster.discovery import probing
from cluster.discovery.nodes import ClusterFiles
from cluster.discovery.probe_result import FileChange, ProbeResult
from cluster.errors import NodeError, Problem
from cluster.machine import clock
from cluster.machine.processes import Completed
from cluster.namespaces.steps import Command
from cluster.plan import script, services
from cluster.plan.perform import Performer
from cluster.plan.run import Run
from cluster.plan.steps import AttachedCommand, Parallel, Plan, Query, RemoveFolder, RunQuery
from cluster.session import Session

VERBS: dict[str, Callable[..., object]] = {
    "build": lambda dry: building.build(
        BuildOptions(arch="cpu", full=True), "rehearsal", dry=dry, json=False
    ),
    "nccl": lambda dry: measuring.nccl(
        Session("examples/two-sparks", dry=dry), largest="64m", json=False
    ),
    "exec on one node": lambda dry: attach.run(
        Session("examples/two-sparks", dry=dry), [], ("env", "a b")
    ),
    "exec on several nodes": lambda dry: attach.run(
        Session("examples/two-sparks", dry=dry), ["spark2", "spark1"], ("env", "a b")
    ),
}
NEW_FILE = FileChange(
    file=ClusterFiles(cluster="default", texts=()).file("a"), after="A='1 2'\n", values=()
)


class RecordedError(Exception):
    """Ends a verb once its plan is known."""


@pytest.fixture(name="performed")
def _performed(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Record the plans that would be performed; nodes count as running."""
    plans: list[Plan] = []

    def record(_performer: Performer, plan: Plan) -> None:
        plans.append(plan)
        raise RecordedError

    monkeypatch.setattr(Performer, "plan", record)
    monkeypatch.setattr(services, "find", lambda _handle: True)
    monkeypatch.setattr(measuring, "_free_port", lambda _session: PORTS[0])
    monkeypatch.setattr(clock, "time", lambda: 1.0)
    return plans


@pytest.mark.parametrize("verb", VERBS)
def test_one_plan(performed: list[Plan], verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run prints the plan that the same command performs, and performs nothing."""
    VERBS[verb](dry=True)
    printed = capsys.readouterr().out
    assert [] == performed
    with suppress(RecordedError):
        VERBS[verb](dry=False)

    assert [printed] == [script.text(plan) for plan in performed]


def test_probe(performed: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    """The changes of a probe are the plan that writes the files."""
    result = ProbeResult(kind="direct", changes=(NEW_FILE,))
    monkeypatch.setattr(probing, "_ask", lambda *_: result)
    with suppress(RecordedError):
        probing.probe("default", ("localhost",), write=True, check=False, json=False, dry=False)

    assert [(NEW_FILE,)] == performed


def test_a_changed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed text of a change writes the same file as performing it."""
    path = tmp_path / "env" / "a.env"
    path.parent.mkdir()
    monkeypatch.setattr(file_changes, "ROOT", str(tmp_path))
    Run(dry=False).perform((NEW_FILE,))
    written = path.read_text(encoding="utf-8")
    path.unlink()
    subprocess.run(["sh", "-c", script.text((NEW_FILE,))], check=True, cwd=tmp_path)

    assert (written, NEW_FILE.after) == (path.read_text(encoding="utf-8"), written)


def test_plans_in_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run separates its plans by an empty line, and has no answers."""
    run, step = Run(dry=True), RemoveFolder(place="spark1", path="/s")

    assert ((), ()) == (run.perform((step,)), run.perform((step,)))
    assert "\n".join([script.text((step,))] * 2) == capsys.readouterr().out


def local(text: str, *, keeps_errors: bool = False) -> RunQuery:
    """Return a step that runs a shell text on this machine."""
    query = Command(place="spark1", argv=("sh", "-c", text))
    return RunQuery(title="Run", query=query, seconds=10.0, keeps_errors=keeps_errors)


def test_answers() -> None:
    """The answers of all queries come back in the order of the plan, whatever their codes."""
    branches = ((local("sleep 0.2; echo one; exit 3"),), (local("echo two >&2"),))
    plan = (Parallel(branches=branches), local("echo three"))

    assert (
        Completed(code=3, output="one\n", error=""),
        Completed(code=0, output="", error="two\n"),
        Completed(code=0, output="three\n", error=""),
    ) == Run(dry=False).perform(plan)


def test_unreachable_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that cannot be asked is an error, or an answer for a step that keeps errors."""

    def unreachable(_query: Query, _seconds: float | None) -> Completed:
        raise NodeError(Problem(place="spark1", message="does not answer"))

    monkeypatch.setattr(services, "ask", unreachable)
    answer = Completed(code=4, output="", error="spark1: does not answer")

    assert (answer,) == Run(dry=False).perform((local("true", keeps_errors=True),))
    with pytest.raises(NodeError):
        Run(dry=False).perform((local("true"),))


def test_attached_command() -> None:
    """A command on this terminal answers with its exit code alone."""
    query = AttachedCommand(place="spark1", argv=("sh", "-c", "exit 3"))
    step = RunQuery(title="Run", query=query)

    assert (Completed(code=3, output="", error=""),) == Run(dry=False).perform((step,))
