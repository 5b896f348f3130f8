"""Machines are asked by the user's own OpenSSH client, with its whole configuration."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live import hosts
from tests.live.damage import unplugged
from tests.live.hosts import Lan
from tests.live.machine import Machine
from tests.live.rehearsal import ROOT
from tests.live.ships import wait_until

pytestmark = [pytest.mark.live, pytest.mark.containers]

PARAMIKO = """
import sys
from fabric import Config, Connection
from paramiko import SSHConfig
config = Config(ssh_config=SSHConfig(), lazy=True)
key = {"key_filename": sys.argv[1]}
with Connection("root@192.168.177.11", config=config, connect_kwargs=key) as connection:
    print(connection.run("hostname", hide=True).stdout, end="")
"""
AGENT = ("ssh-agent", "sh", "-ec", 'ssh-add -q "$0"; rm "$0"; exec "$@"')
"""Runs a command with an agent that has a key, whose file is removed."""
WHOAMI = 'echo "$(hostname) $(id -un) from ${SSH_CONNECTION%% *}$SSH_AUTH_SOCK"'
"""Prints host, user and the address of the client; and the socket of a forwarded agent."""
JUMP = "Host spark2\n  HostName 192.168.177.12\n  ProxyJump root@192.168.177.11\n"
SSH_ENDS = "while pidof ssh; do sleep 0.1; done"
DIRECT, THROUGH_SPARK1 = "192.168.177.1", "192.168.177.11"
UNKNOWN_USER = "Host *\n  User nobody\n"
REJECTED = (
    "{0}: {0} rejected the SSH login (publickey) "
    "(`ssh-copy-id {0}`, or set user and key in ~/.ssh/config)"
)
UNKNOWN_KEY = (
    "{0}: the host key of {0} is unknown "
    "(run `ssh {0}` once, and accept the key if its fingerprint is right)"
)


class Case(NamedTuple):
    """An SSH destination, its files below ~/.ssh, and the expected host."""

    destination: str
    files: Mapping[str, str]
    host: str
    client: str = DIRECT


CASES = {
    "Include": Case(
        destination="included",
        files={
            "config": "Include conf.d/*.conf\n",
            "conf.d/sparks.conf": "Host included\n  HostName 192.168.177.11\n",
        },
        host="spark1",
    ),
    "ProxyJump": Case(
        destination="spark2",
        files={"config": JUMP},
        host="spark2",
        client=THROUGH_SPARK1,
    ),
    "Match host and user": Case(
        destination="root@matched",
        files={
            "config": "Match originalhost matched user root\n  HostName 192.168.177.11\n"
            "Match originalhost matched\n  HostName 192.168.177.12\n"
        },
        host="spark1",
    ),
    "Match exec": Case(
        destination="executed",
        files={
            "config": 'Match originalhost executed exec "grep -q here ~/.ssh/place"\n'
            "  HostName 192.168.177.12\n",
            "place": "here\n",
        },
        host="spark2",
    ),
    "user@host": Case(
        destination="root@192.168.177.11", files={"config": UNKNOWN_USER}, host="spark1"
    ),
    "accept-new": Case(
        destination="192.168.177.11",
        files={"config": "Host *\n  StrictHostKeyChecking accept-new\n", "known_hosts": ""},
        host="spark1",
    ),
    "terminal settings": Case(
        destination="192.168.177.11",
        files={
            "config": "Host *\n  RequestTTY force\n  RemoteCommand exit 7\n  StdinNull yes\n"
            "  ForwardAgent yes\n  ControlMaster auto\n  ControlPath ~/.ssh/shared\n"
        },
        host="spark1",
    ),
}


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """Two hosts and a laptop."""
    with hosts.made(tmp_path_factory.mktemp("lan")) as lan:
        yield lan


@contextmanager
def configured(machine: Machine, files: Mapping[str, str]) -> Iterator[None]:
    """Write files below the ~/.ssh of a machine, and restore it afterwards."""
    folder = machine.home / ".ssh"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    try:
        yield
    finally:
        machine.run(["rm", "-r", folder], check=True)
        folder.mkdir(mode=0o700)
        for path, content in before.items():
            path.write_bytes(content)
            path.chmod(0o600)


def python(*words: str | Path) -> list[str | Path]:
    """Return the command line of a Python program that imports from this repository."""
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, *words]


def asking(*destinations: str, question: str = WHOAMI, seconds: float = 60) -> list[str | Path]:
    """Return the command line that asks machines over SSH."""
    return python("-m", "tests.live.asking", ",".join(destinations), question, str(seconds))


def output(machine: Machine, argv: Sequence[str | Path]) -> str:
    """Run a program on a machine; return its output."""
    result = machine.run(argv)
    assert not result.returncode, result.stderr
    return result.stdout


def answers(lan: Lan, argv: Sequence[str | Path]) -> tuple[dict[str, str], float, dict[str, str]]:
    """Ask machines from the laptop; return answers or problems, seconds, and engines' names."""
    texts, duration, engines = json.loads(output(lan.control, argv))
    return texts, duration, engines


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_configuration(lan: Lan, case: Case) -> None:
    """What the user has configured counts for questions and for the engine alike."""
    with configured(lan.control, case.files):
        texts, _, engines = answers(lan, asking(case.destination, seconds=0))

    assert {case.destination: f"{case.host} root from {case.client}"} == texts
    assert {case.destination: case.host} == engines


def test_user_of_the_configuration(lan: Lan) -> None:
    """Without a user in the destination, the configuration's user counts."""
    with configured(lan.control, {"config": UNKNOWN_USER}):
        texts, *_ = answers(lan, asking("192.168.177.11"))

    assert {"192.168.177.11": REJECTED.format("192.168.177.11")} == texts


def test_key_in_an_agent(lan: Lan) -> None:
    """A key that only an agent has opens the connection; the agent is not forwarded."""
    key = lan.control.home / ".ssh" / "id_ed25519"
    with configured(lan.control, {"config": "Host *\n  ForwardAgent yes\n"}):
        with_agent, *_ = answers(lan, (*AGENT, key, *asking("192.168.177.11")))
        without, *_ = answers(lan, asking("192.168.177.11"))

    assert {"192.168.177.11": f"spark1 root from {DIRECT}"} == with_agent
    assert {"192.168.177.11": REJECTED.format("192.168.177.11")} == without


def test_unknown_host_key(lan: Lan) -> None:
    """A machine with an unknown key is refused, which Fabric's own transport would accept."""
    shell = lan.control.home / ".ssh"
    with configured(lan.control, {"known_hosts": ""}):
        texts, *_ = answers(lan, asking("spark1"))
        known_hosts = (shell / "known_hosts").read_text("utf-8")
        accepted = output(lan.control, python("-c", PARAMIKO, shell / "id_ed25519"))

    assert {"spark1": UNKNOWN_KEY.format("spark1")} == texts
    assert ("", "spark1\n") == (known_hosts, accepted)


def test_at_once(lan: Lan, tmp_path: Path) -> None:
    """Several machines are asked at once: each question waits for the other."""
    seen = [tmp_path / host.name for host in lan.hosts]
    wait = "".join(f"until [ -e {path} ]; do sleep 0.05; done\n" for path in seen)
    question = f"touch {tmp_path}/$(hostname)\n{wait}echo met\n"

    assert {"spark1": "met", "spark2": "met"} == answers(
        lan, asking("spark1", "spark2", question=question, seconds=20)
    )[0]


@contextmanager
def hanging(machine: Machine) -> Iterator[None]:
    """Let a machine accept SSH connections, and never answer, as one without memory does."""
    listen = "import socket; s = socket.create_server(('', 22)); print(flush=True); input()"
    machine.stop_ssh()
    with machine.start(["/usr/bin/python3", "-c", listen]) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate("\n")
            machine.start_ssh()


def test_silent_machines(lan: Lan) -> None:
    """The others answer even if one machine is off and one hangs."""
    with hanging(lan.host("spark2")):
        texts, seconds, _ = answers(lan, asking("192.168.177.99", "spark1", "spark2"))

    off = (
        "192.168.177.99: 192.168.177.99 does not answer: No route to host "
        "(check that it is on, and on this network: `ssh -v 192.168.177.99`)"
    )
    hangs = (
        "spark2: spark2 accepts connections, but its SSH server does not answer "
        "(the machine may be overloaded: wait and try again, or restart it)"
    )
    assert {
        "192.168.177.99": off,
        "spark1": f"spark1 root from {DIRECT}",
        "spark2": hangs,
    } == texts
    assert seconds < 20


@pytest.mark.parametrize(
    "config, first", [("", "spark2"), (JUMP, "spark1")], ids=["direct", "ProxyJump"]
)
def test_late_answer(lan: Lan, tmp_path: Path, config: str, first: str) -> None:
    """After its time limit an answer is not awaited, and no ssh is left, even below nohup(1)."""
    aliases = (lan.control.home / ".ssh/config").read_text("utf-8")
    question = f"touch {tmp_path}/asked; exec sleep 60"
    with (
        configured(lan.control, {"config": config + aliases}),
        lan.control.start(["nohup", *asking("spark2", question=question, seconds=8)]) as process,
    ):
        wait_until((tmp_path / "asked").exists)
        with unplugged(lan.host(first)):
            printed, _ = process.communicate(timeout=60)
            lan.control.run(["sh", "-c", SSH_ENDS], timeout=10)
    texts, seconds, _ = json.loads(printed)

    late = "spark2: no answer: timed out after 8 s (`ssh spark2` may show more)"
    assert {"spark2": late} == texts
    assert seconds < 12


def test_lost_connection(lan: Lan, tmp_path: Path) -> None:
    """A lost connection is noticed, and the other machines have answered."""
    question = f"touch {tmp_path}/$(hostname); [ $(hostname) = spark1 ] || exec sleep 60"
    with lan.control.start(asking("spark1", "spark2", question=question)) as process:
        wait_until((tmp_path / "spark2").exists)
        with unplugged(lan.host("spark2")):
            printed, _ = process.communicate(timeout=60)
    texts, seconds, _ = json.loads(printed)

    lost = (
        "spark2: the SSH connection to spark2 was lost "
        "(check it with `ssh spark2`, then run the same command again)"
    )
    assert {"spark1": "", "spark2": lost} == texts
    assert seconds < 30
