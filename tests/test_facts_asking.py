"""Asking machines for facts: the machine of the tests really, others with a fake `ssh`."""

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from cluster.errors import Problem
from cluster.facts import asking
from cluster.facts.asking import no_answer
from cluster.facts.facts import BLOCKING, Facts, FactsRequest
from cluster.host import Host

FAR, HERE = Host(name="spark2", ssh_host="dgx"), Host(name="here")
LONG = 60.0
"""Seconds that no machine of the tests is slow."""
OFF = 'echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255'


def put_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Replace the SSH client by a shell script, which finds the host in `$host`."""
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor host; do test "$before" = -- && break; before=$host; done\n{script}\n',
        "utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_this_machine() -> None:
    """The machine of the tests answers all parts without SSH, and its clock is this one."""
    before = time.time()
    facts = asking.examine({"here": HERE}, {"here": FactsRequest().question})["here"]

    assert isinstance(facts, Facts)
    assert facts.machine.hostname == socket.gethostname()
    assert facts.machine.clock is not None
    assert before <= facts.machine.clock <= time.time()
    assert facts.lead is not None
    assert -LONG < facts.lead <= 0


def test_fast_and_full_ask_the_same_way() -> None:
    """The fast form is answered as well."""
    facts = asking.examine({"here": HERE}, {"here": FactsRequest(parts=BLOCKING).question})["here"]

    assert isinstance(facts, Facts)


def test_half_an_answer() -> None:
    """An answer that breaks off is a problem."""
    text = "echo '== end'; exit 0"
    answers = asking.examine({"here": HERE}, {"here": text})

    assert {"here": Problem(place="here", message="no answer: its answer is not whole")} == answers


def test_unknown_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that SSH cannot reach is a problem in the same words as in other tasks."""
    put_ssh(tmp_path, monkeypatch, OFF)
    hosts = {name: Host(name=name, ssh_host=name) for name in ("dgx1", "dgx2")}
    answers = asking.examine(hosts, dict.fromkeys(hosts, "echo"))
    message = "{0} does not answer: No route to host"
    remedy = "check that it is on, and on this network: `ssh -v {0}`"

    assert answers == {
        name: Problem(place=name, message=message.format(name), remedy=remedy.format(name))
        for name in hosts
    }


def test_one_connection_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each machine is asked once, all at the same time."""
    put_ssh(tmp_path, monkeypatch, f'echo "$host" >>{tmp_path}/calls; sleep 0.5; exit 255')
    hosts = {name: Host(name=name, ssh_host=name) for name in ("a", "b", "c", "d")}
    began = time.monotonic()
    asking.examine(hosts, dict.fromkeys(hosts, "echo"))
    seconds = time.monotonic() - began

    assert ["a", "b", "c", "d"] == sorted((tmp_path / "calls").read_text("utf-8").split())
    assert seconds < 4 * 0.5


def test_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes too long counts as one without an answer."""
    monkeypatch.setattr(asking, "SECONDS", 0.3)
    answers = asking.examine({"here": HERE}, {"here": "exec sleep 60"})

    assert {"here": Problem(place="here", message="no answer: timed out after 0.3 s")} == answers


@pytest.mark.parametrize(
    "host, text, expected",
    [
        (
            FAR,
            "ssh: connect to host 192.168.1.9 port 22: No route to host\r\n",
            (
                "spark2: dgx does not answer: No route to host"
                " (check that it is on, and on this network: `ssh -v dgx`)"
            ),
        ),
        (
            FAR,
            "Warning: something\nsh: 12: Syntax error\n",
            "spark2: no answer: sh: 12: Syntax error (`ssh dgx` may show more)",
        ),
        (FAR, "", "spark2: no answer over SSH (try: `ssh dgx true`)"),
        (HERE, "timed out after 30 s", "here: no answer: timed out after 30 s"),
    ],
    ids=["ssh", "shell", "nothing", "here"],
)
def test_no_answer(host: Host, text: str, expected: str) -> None:
    """A known message of SSH has its own sentence; any other is shown unchanged."""
    assert expected == str(no_answer(host, text))
