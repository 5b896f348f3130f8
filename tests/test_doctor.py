"""Asking machines and reporting faults: this machine is really asked."""

import json
import os
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from cluster import session
from cluster.checks import doctor
from cluster.checks.checks import ANSWER, CHECKS
from cluster.errors import Problem, RefusedError
from cluster.facts import asking
from cluster.facts.facts import BLOCKING, Facts, FactsRequest
from cluster.host import OPTIONS, Host
from cluster.session import Session
from cluster.words import shell_line
from tests.clusters import REHEARSAL, TWO_SPARKS

HERE = Host(name="here")
LONG = 60.0
"""No machine of the tests needs so many seconds."""
OFF = 'echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255'
PAGE = """\
Blocking: the cluster will not work

  [answer] spark1: spark1 does not answer: No route to host
    Why: {why}
    Do: check that it is on, and on this network: `ssh -v spark1`

  [answer] spark2: spark2 does not answer: No route to host
    Do: check that it is on, and on this network: `ssh -v spark2`

2 nodes, {checks} checks: 2 blocking, 0 slow, 0 notes
"""


def put_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Replace the SSH client by a shell script; `$host` is its destination."""
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor host; do test "$before" = -- && break; before=$host; done\n{script}\n',
        "utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_this_machine() -> None:
    """The machine of the tests answers a whole bundle without SSH, and its clock is our own."""
    before = time.time()
    result = asking.examine({"here": HERE}, {"here": FactsRequest().question})["here"]

    assert isinstance(result, Facts)
    assert result.machine.hostname == socket.gethostname()
    assert result.machine.clock is not None
    assert before <= result.machine.clock <= time.time()
    assert result.lead is not None
    assert -LONG < result.lead <= 0


def test_fast_and_full_ask_the_same_way() -> None:
    """The fast form is answered as well."""
    result = asking.examine({"here": HERE}, {"here": FactsRequest(parts=BLOCKING).question})["here"]

    assert isinstance(result, Facts)


def test_half_an_answer() -> None:
    """An incomplete answer counts as none."""
    text = "echo '== end'; exit 0"
    result = asking.examine({"here": HERE}, {"here": text})

    assert {"here": Problem(place="here", message="no answer: its answer is not whole")} == result


def test_unknown_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of SSH becomes the same problem as in other tasks, for each host."""
    put_ssh(tmp_path, monkeypatch, OFF)
    engines = {name: Host(name=name, ssh_host=name) for name in ("dgx1", "dgx2")}
    result = asking.examine(engines, dict.fromkeys(engines, "echo"))
    message = "{0} does not answer: No route to host"
    remedy = "check that it is on, and on this network: `ssh -v {0}`"

    assert result == {
        name: Problem(place=name, message=message.format(name), remedy=remedy.format(name))
        for name in engines
    }


def test_one_connection_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each node is asked once, all at the same time."""
    put_ssh(tmp_path, monkeypatch, f'echo "$host" >>{tmp_path}/calls; sleep 0.5; exit 255')
    engines = {name: Host(name=name, ssh_host=name) for name in ("a", "b", "c", "d")}
    began = time.monotonic()
    asking.examine(engines, dict.fromkeys(engines, "echo"))
    seconds = time.monotonic() - began

    assert ["a", "b", "c", "d"] == sorted((tmp_path / "calls").read_text("utf-8").split())
    assert seconds < 4 * 0.5


def test_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes too long counts as one without an answer."""
    monkeypatch.setattr(asking, "SECONDS", 0.3)
    answers = asking.examine({"here": HERE}, {"here": "exec sleep 60"})

    assert {"here": Problem(place="here", message="no answer: timed out after 0.3 s")} == answers


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

    assert (4, PAGE.format(why=ANSWER.why, checks=len(CHECKS))) == (code, captured.out)
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
