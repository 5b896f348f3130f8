"""The doctor as a command: what it prints, and its exit codes."""

import json
import subprocess
from pathlib import Path

import pytest

from cluster import session
from cluster.checks import doctor
from cluster.checks.checks import CHECKS, silent_node
from cluster.errors import Problem, RefusedError
from cluster.host import OPTIONS, Host
from cluster.session import Session
from cluster.words import shell_line
from tests.clusters import REHEARSAL, TWO_SPARKS
from tests.test_facts_asking import OFF, put_ssh

HERE = Host(name="here")
PAGE = """\
Blocking: the cluster will not work

  [answer] spark1: spark1 does not answer: No route to host
    Why: {why}
    Do: check that it is on, and on this network: `ssh -v spark1`

  [answer] spark2: spark2 does not answer: No route to host
    Do: check that it is on, and on this network: `ssh -v spark2`

2 nodes, {checks} checks: 2 blocking, 0 slow, 0 notes
"""


def test_dry(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A dry run prints a script that asks each node its question, and asks no node."""
    run = Session("examples/two-sparks", dry=True)
    code = doctor.doctor(run, [], fast=False, json=False)
    captured = capsys.readouterr()
    options = " ".join(f"-o {option}" for option in OPTIONS)
    questions = doctor._questions(run.cluster, run.cluster.nodes, fast=False)
    parts = (
        f"# {name}: Ask for facts\n"
        f"ssh -T -a -x {options} -- {name} sh -s <<'QUESTION'\n{questions[name]}QUESTION\n"
        for name in ("spark1", "spark2")
    )

    assert (0, "", "\n".join(parts)) == (code, captured.err, captured.out)
    assert (
        ""
        == subprocess.run(
            ["sh", "-n"], input=captured.out, capture_output=True, text=True, check=True
        ).stderr
    )


def test_dry_of_namespaces(capsys: pytest.CaptureFixture[str]) -> None:
    """For nodes that are namespaces the script enters them."""
    run = Session("rehearsal", dry=True)
    code = doctor.doctor(run, [], fast=True, json=False)
    questions = doctor._questions(run.cluster, run.cluster.nodes, fast=True)
    parts = (
        f"# {node.name}: Ask for facts\n"
        f"{shell_line(run.runtime.host(node).shell)} <<'QUESTION'\n{questions[node.name]}QUESTION\n"
        for node in run.cluster.nodes
    )

    assert (0, "\n".join(parts)) == (code, capsys.readouterr().out)


def test_namespaces_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that exist only while the cluster runs cannot be asked before."""
    monkeypatch.setattr(session, "STATE", str(tmp_path))
    with pytest.raises(RefusedError) as caught:
        doctor.doctor(Session("rehearsal", dry=False), [], fast=False, json=False)
    message = "does not exist: nodes of this cluster exist only while it runs"
    remedy = "(`inv up --cluster rehearsal`)"

    assert f"spark1: {message} {remedy}\nspark2: {message} {remedy}" == str(caught.value)


def test_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings are printed apart from progress; the worst one decides the exit code."""
    put_ssh(tmp_path, monkeypatch, OFF)
    code = doctor.doctor(Session("examples/two-sparks", dry=False), [], fast=False, json=False)
    captured = capsys.readouterr()

    assert (4, PAGE.format(why=silent_node.why, checks=len(CHECKS))) == (code, captured.out)
    assert "examples/two-sparks: Ask all nodes" == captured.err.rpartition("  ")[0]


def test_doctor_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON has the same; the fast form makes only the checks that block the cluster itself."""
    put_ssh(tmp_path, monkeypatch, OFF)
    code = doctor.doctor(Session("examples/two-sparks", dry=False), [], fast=True, json=True)
    result = json.loads(capsys.readouterr().out)
    blocking = [
        check for check in CHECKS if check.severity == "blocks" and not check.only_blocks_serving
    ]

    assert (4, 4, len(blocking)) == (code, result["exit_code"], result["checks"])
    assert ["spark1", "spark2"] == [value["place"] for value in result["findings"]]


def test_nodes_that_are_this_machine() -> None:
    """A node that is asked without SSH is this machine, as are namespaces of it."""
    engines = {"spark1": HERE, "spark2": Host(name="spark2", ssh_host="spark2")}

    assert {"spark1"} == doctor._local(TWO_SPARKS, engines)
    assert {"spark1", "spark2"} == doctor._local(REHEARSAL, engines)


def test_before_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a start only the nodes that are started are asked, and blocking problems returned."""
    put_ssh(tmp_path, monkeypatch, f'echo "$host" >>{tmp_path}/calls; {OFF}')
    cluster = session.load("examples/two-sparks").cluster
    result = doctor.blocking(cluster, (Host(name="spark2", ssh_host="spark2"),))
    message, remedy = "spark2 does not answer: No route to host", "`ssh -v spark2`"

    assert "spark2\n" == (tmp_path / "calls").read_text("utf-8")
    assert result == (
        Problem(
            place="spark2",
            message=message,
            remedy=f"check that it is on, and on this network: {remedy}",
        ),
    )
