"""The hosts of the live tests are real, separate, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live import hosts
from tests.live.hosts import Lan
from tests.live.machine import INTERFACE
from tests.live.rehearsal import ROOT

pytestmark = [pytest.mark.live, pytest.mark.containers]

MAKE_AND_WAIT = """
import sys, time
from pathlib import Path
from tests.live import hosts
with hosts.made(Path(sys.argv[1])):
    print("made", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """Two hosts and a laptop."""
    with hosts.made(tmp_path_factory.mktemp("lan")) as lan:
        yield lan


def processes(folder: Path) -> list[str]:
    """Return the command lines of all processes of hosts whose files lie in a folder."""
    commands = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = ((entry / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if bytes(folder) in environment:
            commands.append(command.replace(b"\0", b" ").decode())
    return commands


def test_names(lan: Lan) -> None:
    """Each host has its own name."""
    names = [machine.run(["hostname"]).stdout for machine in (lan.control, *lan.hosts)]

    assert ["control\n", "spark1\n", "spark2\n"] == names


def test_engines(lan: Lan) -> None:
    """Each host has its own engine, and the laptop has none."""
    answers = [host.docker("info", "--format", "{{.Name}} {{.ID}}").split() for host in lan.hosts]
    ((first, first_id), (second, second_id)) = answers

    assert ("spark1", "spark2") == (first, second)
    assert first_id != second_id
    assert not lan.control.socket.exists()


def test_ssh(lan: Lan) -> None:
    """The laptop reaches the hosts by their aliases, and the hosts each other."""
    pairs = ((lan.control, "spark1"), (lan.control, "spark2"), (lan.host("spark1"), "spark2"))
    results = [
        source.run(["ssh", "-o", "BatchMode=yes", target, "hostname; echo $HOME"])
        for source, target in pairs
    ]

    assert [(0, f"{target}\n{lan.host(target).home}\n", "") for _, target in pairs] == [
        (result.returncode, result.stdout, result.stderr) for result in results
    ]


def test_a_container_sees_the_link(lan: Lan) -> None:
    """A container with the host's network uses the host's interface."""
    spark1, spark2 = lan.hosts
    image = hosts.base_image(spark1)
    before = spark2.interface_bytes()[0]
    script = f"ls /sys/class/net; read -r greeting </dev/tcp/{spark2.address}/22; echo $greeting"
    output = spark1.docker("run", "--rm", "--network=host", image, "bash", "-c", script)
    first, second, greeting = output.splitlines()

    assert (INTERFACE, "lo") == (first, second)
    assert greeting.startswith("SSH-2.0-OpenSSH")
    assert spark2.interface_bytes()[0] > before


def test_services_stop_and_start(lan: Lan) -> None:
    """The engine and the SSH server of a host end and come back while the host stays."""
    host, ssh = lan.host("spark1"), ["ssh", "-o", "BatchMode=yes", "spark1", "true"]
    host.stop_engine()
    host.stop_ssh()
    stopped = (host.run(["docker", "info"]).returncode, lan.control.run(ssh).stderr)
    host.start_engine()
    host.start_ssh()
    started = (host.run(["docker", "info"]).returncode, lan.control.run(ssh).stderr)

    refused = "ssh: connect to host 192.168.177.11 port 22: Connection refused\n"
    assert (1, refused) == stopped
    assert (0, "") == started


def test_nothing_remains(tmp_path: Path) -> None:
    """Processes, files and control groups end with the hosts, also when a test fails."""
    lives = []
    with suppress(ZeroDivisionError), hosts.made(tmp_path, control_engine=True) as lan:
        image = hosts.base_image(lan.control)
        lan.control.docker("run", "--detach", "--init", image, "sleep", "60")
        lives = processes(tmp_path)
        _ = 1 / 0

    assert len(lives) > 10
    assert [] == processes(tmp_path)
    assert [] == list(tmp_path.iterdir())
    assert [] == list(Path("/sys/fs/cgroup").glob(f"*/{Lan(tmp_path, ()).control.group}"))


def test_nothing_lives_on_when_the_tests_are_killed(tmp_path: Path) -> None:
    """If the program that made the hosts is killed, none of their processes stays."""
    argv = [sys.executable, "-c", MAKE_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        made = program.stdout.readline()
        lives = len(processes(tmp_path))
        os.kill(program.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while processes(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)

    assert "made\n" == made
    assert lives > 10
    assert [] == processes(tmp_path)
