"""Files as `inv probe` reads and writes them, and what it asks of whom."""

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from cluster import scripts
from cluster.discovery import probing
from cluster.discovery.files import Files
from cluster.errors import NodeError, Problem, RefusedError
from cluster.facts.facts import JOINING, Facts, Request
from cluster.facts.links import Links
from cluster.facts.reach import Reach
from cluster.host import Host
from tests.cabling import plain
from tests.pages import ROOT
from tests.situations import situation


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an empty `env/`."""
    monkeypatch.setattr(probing, "ROOT", str(tmp_path))
    (tmp_path / "env").mkdir()
    return tmp_path


def probe(*hosts: str, write: bool = False, check: bool = False) -> int:
    """Probe the default cluster without asking anybody."""
    return probing.probe("default", hosts, write=write, check=check, json=False, dry=True)


def refusal(*hosts: str, write: bool = False, check: bool = False) -> str:
    """Return why nothing is asked."""
    with pytest.raises(RefusedError) as error:
        probe(*hosts, write=write, check=check)
    return str(error.value)


def test_read_to_the_letter(root: Path) -> None:
    """Line ends are read as they are; a mark of Windows editors is no part of the text."""
    (root / "env/a.env").write_bytes(b"\xef\xbb\xbfROLE=head\r\n")

    assert [("env/a.env", "ROLE=head\r\n")] == [
        (its.path, its.text) for its in probing._texts("default", new=False)
    ]


def test_cluster_that_is_not_there(root: Path) -> None:
    """Named machines may make a new cluster, if its name is one; without names there is none."""
    assert () == probing._texts("mine", new=True)
    assert ["no such cluster"] == [its.trouble for its in probing._texts("mine", new=False)]
    assert ["no such cluster"] == [its.trouble for its in probing._texts("../x", new=True)]


@pytest.mark.parametrize(
    "host, here, destination",
    [
        ("localhost", True, ""),
        ("127.0.0.1", True, ""),
        (socket.gethostname(), True, socket.gethostname()),
        ("192.0.2.1", False, "192.0.2.1"),
        ("me@localhost", False, "me@localhost"),
    ],
)
def test_this_machine(host: str, here: bool, destination: str) -> None:  # noqa: FBT001 (a column)
    """Whoever names this machine asks it without SSH; by some names others would not know it."""
    machine = probing._machine(host)

    assert (here, destination) == (not machine.engine.ssh_host, machine.destination)


@pytest.mark.usefixtures("root")
def test_refused() -> None:
    """Flags that contradict each other are refused, and hosts that ssh would take for flags."""
    assert "--write --check: one of them writes, the other never does (give one)" == refusal(
        write=True, check=True
    )
    assert (
        "--: should be a host as ssh knows it: `-oProxyCommand=x`"
        " (write host or user@host; ports and keys belong in ~/.ssh/config)"
    ) == refusal("-oProxyCommand=x")


def test_file_that_names_no_machine(root: Path) -> None:
    """A node's file without SSH_HOST and HOST_IP names nobody to ask."""
    (root / "env/a.env").write_text("ROLE=head\n", "utf-8")

    assert "env/a.env: says neither SSH_HOST nor HOST_IP (`inv probe -- HOST...`)" == refusal()


@pytest.mark.usefixtures("root")
def test_first_question(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine is asked how it is joined, and nothing else; a dry run shows just that."""
    text = Request(parts=JOINING).question
    asked = scripts.titled(probing.HERE, "Ask for facts", scripts.here_document("sh -s", text))

    assert (0, f"{asked}{probing.NEXT}") == (probe(), capsys.readouterr().out)


def test_broken_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker is not asked, so that no answer of it can end the run."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho '{{'\n", "utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    machine = probing.Machine(engine=Host(name=probing.HERE), node="a")
    probing._outcome(Files(name="default", texts=()), {probing.HERE: machine})

    assert ["docker"] == [path.name for path in tmp_path.iterdir()]


def test_dry_is_light() -> None:
    """What only decides is not loaded for a dry run."""
    program = "import sys; from cluster.discovery import probing; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    rooms = {name for name in done.stdout.split() if name.startswith("cluster.discovery.")}

    assert {"cluster.discovery.files", "cluster.discovery.probing"} == rooms


def test_second_question() -> None:
    """Machines with others are asked about them; what they reach comes to what they are."""
    hosts = {name: plain(name, no0=f"192.0.2.{n}/24") for n, name in enumerate(("a", "b"), 1)}
    found = probing._reached({name: Host(name=name) for name in hosts}, hosts)
    tried = {name: [(its.peer, its.answered) for its in found[name].reach.pings] for name in found}

    assert {"a": [(IPv4Address("192.0.2.2"), False)], "b": [(IPv4Address("192.0.2.1"), False)]} == (
        tried
    )
    assert hosts == {name: replace(its, reach=Reach()) for name, its in found.items()}
    assert {} == probing._reached({"a": Host(name="a")}, {"a": hosts["a"]})


@pytest.mark.parametrize(
    "files, hosts, asked",
    [
        ((), (), ["this machine: sh"]),
        ((), ("me@a", "localhost"), ["me@a: ssh", "localhost: sh"]),
        (("a", "b"), (), ["a: ssh", "b: ssh"]),
    ],
)
def test_dry(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    files: tuple[str, ...],
    hosts: tuple[str, ...],
    asked: list[str],
) -> None:
    """A dry run prints the question for each machine, and asks nobody."""
    for name in files:
        (root / f"env/{name}.env").write_text(f"SSH_HOST={name}\n", "utf-8")
    code = probe(*hosts)
    out = capsys.readouterr().out

    assert (0, probing.NEXT) == (code, out.splitlines(keepends=True)[-1])
    assert asked == [
        f"{place}: {program}"
        for place, program in re.findall(r"^# (.*): Ask for facts\n(\w+)", out, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    "change, sentence",
    [
        (
            {"links": Links(error="ip: no answer within 2 s")},
            (
                "spark2: cannot list its interfaces: ip: no answer within 2 s"
                " (`ip address` must work there)"
            ),
        ),
        (
            {"unreadable": ("devices", "gpus")},
            (
                "spark2: parts of its answer could not be read: devices, gpus"
                " (a defect of this tool: `inv --dry probe` prints what was asked)"
            ),
        ),
    ],
)
def test_half_an_answer(change: dict[str, Any], sentence: str) -> None:
    """What could not be read is not taken for what is not there."""
    facts: dict[str, Facts | Problem] = {**situation("one-cable").facts}
    half = replace(situation("one-cable").facts["spark2"], **change)
    with pytest.raises(NodeError) as caught:
        probing._all(facts | {"spark2": half})

    assert sentence == str(caught.value)
