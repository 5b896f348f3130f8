"""`inv probe`: the machines that it asks, its questions, and refusals."""

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cluster.discovery import probing
from cluster.discovery.nodes import ClusterFiles, Target
from cluster.errors import RefusedError
from cluster.facts.facts import JOINING, FactsRequest
from cluster.facts.reach import Reach
from cluster.host import Host
from cluster.machine.terminal import Report
from tests.cabling import plain
from tests.pages import ROOT


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an empty `env/`."""
    monkeypatch.setattr(probing, "ROOT", str(tmp_path))
    (tmp_path / "env").mkdir()
    return tmp_path


def probe(*hosts: str, write: bool = False, check: bool = False) -> int:
    """Run a dry probe of the default cluster."""
    return probing.probe("default", hosts, write=write, check=check, json=False, dry=True)


def refusal(*hosts: str, write: bool = False, check: bool = False) -> str:
    """Return the error of a refused probe."""
    with pytest.raises(RefusedError) as error:
        probe(*hosts, write=write, check=check)
    return str(error.value)


def test_new_cluster(root: Path) -> None:
    """A cluster may be new if machines are named, and its name is valid."""
    hosts = ("spark1",)

    assert () == probing._texts("mine", hosts)
    assert ["no such cluster"] == [file.error for file in probing._texts("mine", ())]
    assert ["no such cluster"] == [file.error for file in probing._texts("../x", hosts)]


@pytest.mark.parametrize(
    "host, is_local, destination",
    [
        ("localhost", True, ""),
        ("127.0.0.1", True, ""),
        (socket.gethostname(), True, socket.gethostname()),
        ("192.0.2.1", False, "192.0.2.1"),
        ("me@localhost", False, "me@localhost"),
    ],
)
def test_this_machine(host: str, is_local: bool, destination: str) -> None:  # noqa: FBT001 (a column)
    """The own machine is asked without SSH; a loopback name is no destination for others."""
    target = probing._named(host)

    assert (is_local, destination) == (not target.host.ssh_host, target.destination)


@pytest.mark.usefixtures("root")
def test_refused() -> None:
    """Contradicting flags are refused, and hosts that ssh would read as flags."""
    assert (
        "--write --check: cannot be combined: --check never writes (give one of them)"
        == refusal(write=True, check=True)
    )
    assert (
        "--: must be a host that ssh accepts, not `-oProxyCommand=x`"
        " (write host or user@host; ports and keys belong in ~/.ssh/config)"
    ) == refusal("-oProxyCommand=x")


def test_file_without_an_address(root: Path) -> None:
    """A node whose file has neither SSH_HOST nor HOST_IP cannot be asked."""
    (root / "env/a.env").write_text("ROLE=head\n", "utf-8")

    assert "env/a.env: has neither SSH_HOST nor HOST_IP (`inv probe -- HOST...`)" == refusal()


@pytest.mark.usefixtures("root")
def test_first_question(capsys: pytest.CaptureFixture[str]) -> None:
    """The first question asks how a machine is connected; a dry run prints it."""
    question = FactsRequest(parts=JOINING).question
    text = f"# {probing.THIS_MACHINE}: Ask for facts\nsh -s <<'QUESTION'\n{question}QUESTION\n"

    assert (0, f"{text}{probing.SECOND_QUESTION}") == (probe(), capsys.readouterr().out)


def test_broken_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker is not asked, and cannot break the probe."""
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho '{{'\n", "utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    target = Target(host=Host(name=probing.THIS_MACHINE), node="a")
    current = ClusterFiles(cluster="default", texts=())
    probing._ask(Report(), current, {probing.THIS_MACHINE: target})

    assert ["docker"] == [path.name for path in tmp_path.iterdir()]


def test_dry_is_light() -> None:
    """A dry run loads no module that only decides."""
    program = "import sys; from cluster.discovery import probing; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    rooms = {name for name in done.stdout.split() if name.startswith("cluster.discovery.")}

    assert {"cluster.discovery.nodes", "cluster.discovery.probing"} == rooms


def test_second_question() -> None:
    """Machines are asked about each other; the answers are added to their facts."""
    machines = {name: plain(name, no0=f"192.0.2.{n}/24") for n, name in enumerate(("a", "b"), 1)}
    answers = probing._with_reach({name: Host(name=name) for name in machines}, machines)
    pings = {
        name: [(ping.peer, ping.answered) for ping in facts.reach.pings]
        for name, facts in answers.items()
    }

    assert {"a": [(IPv4Address("192.0.2.2"), False)], "b": [(IPv4Address("192.0.2.1"), False)]} == (
        pings
    )
    assert machines == {name: replace(facts, reach=Reach()) for name, facts in answers.items()}
    single = {"a": machines["a"]}
    assert single == probing._with_reach({"a": Host(name="a")}, single)


@pytest.mark.parametrize(
    "files, hosts, programs",
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
    programs: list[str],
) -> None:
    """A dry run prints the question for each machine, and asks none."""
    for name in files:
        (root / f"env/{name}.env").write_text(f"SSH_HOST={name}\n", "utf-8")
    code = probe(*hosts)
    out = capsys.readouterr().out

    assert (0, probing.SECOND_QUESTION) == (code, out.splitlines(keepends=True)[-1])
    assert programs == [
        f"{place}: {program}"
        for place, program in re.findall(r"^# (.*): Ask for facts\n(\w+)", out, re.MULTILINE)
    ]
