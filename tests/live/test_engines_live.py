"""The Docker SDK reaches engines of remote machines through ssh, and failures are explained."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.live import hosts
from tests.live.hosts import Lan
from tests.live.machine import Machine
from tests.live.rehearsal import ROOT

pytestmark = [pytest.mark.live, pytest.mark.containers]

START = """
import json, os, sys, threading, time
from cluster.machine.engines import Engines
from cluster.host import Host
from cluster.errors import NodeError
spark1, spark2 = (Host(name=name, ssh_host=name) for name in ("spark1", "spark2"))
engines = Engines()
def show(value):
    print(json.dumps(value), flush=True)
def name(host):
    try:
        with engines.api(host) as api:
            return api.info()["Name"]
    except NodeError as error:
        return str(error)
"""
EXECS = """
image = sys.argv[1]
def run(command, begin):
    with engines.api(spark1) as api:
        command_id = api.exec_create(container, ["bash", "-c", command])["Id"]
        words = [(round(time.monotonic() - begin, 1), word.decode().strip())
            for word in api.exec_start(command_id, stream=True)]
        return words, api.exec_inspect(command_id)["ExitCode"]
with engines.api(spark1) as api:
    network = api.create_host_config(network_mode="host", init=True)
    container = api.create_container(image, ["sleep", "60"], host_config=network)["Id"]
    api.start(container)
show(run("echo one; sleep 1; echo two; exit 3", time.monotonic()))
codes, begin = [], time.monotonic()
def sleep(number):
    codes.append(run(f"sleep 1; exit {number}", begin)[1])
threads = [threading.Thread(target=sleep, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
show((sorted(codes), time.monotonic() - begin))
with engines.api(spark1) as api:
    api.remove_container(container, force=True)
engines.close()
"""
SSH_ENDS = "while pidof ssh; do sleep 0.1; done"
REMOTE_SESSION = "ps -o args= ax | grep -c '[s]shd: root' || true"


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    """Two hosts and a laptop."""
    with hosts.made(tmp_path_factory.mktemp("lan")) as lan:
        yield lan


def printed(machine: Machine, program: str, *arguments: str) -> list[Any]:
    """Run a program on a machine; return the values that it prints."""
    argv = [sys.executable, "-c", START + program, *arguments]
    result = machine.run(argv, env={"PYTHONPATH": str(ROOT)})
    assert not result.returncode, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_local_and_remote(lan: Lan) -> None:
    """Local and remote engines answer, and the user's home folder is known."""
    program = """
local = Host(name="spark1")
show([(name(host), engines.home(host)) for host in (local, spark2)])
engines.close()
"""
    expected = [[host.name, str(host.home)] for host in lan.hosts]

    assert [expected] == printed(lan.host("spark1"), program)


def test_exec(lan: Lan) -> None:
    """Commands in a container stream their output and return their codes, four at once."""
    (words, code), (codes, seconds) = printed(
        lan.control, EXECS, hosts.base_image(lan.host("spark1"))
    )

    assert ["one", "two"] == [word for _, word in words]
    assert words[1][0] - words[0][0] >= 0.9
    assert 3 == code
    assert [0, 1, 2, 3] == codes
    assert seconds < 3.5


def test_it_ends_with_the_program(lan: Lan) -> None:
    """If the program is killed, its ssh ends on both sides."""
    argv = [sys.executable, "-c", f"{START}\nshow((name(spark1), os.getpid()))\ntime.sleep(60)"]
    with lan.control.start(argv, env={"PYTHONPATH": str(ROOT)}) as program:
        assert program.stdout
        name, number = json.loads(program.stdout.readline())
        before = lan.host("spark1").run(["sh", "-c", REMOTE_SESSION]).stdout
        lan.control.run(["kill", "-KILL", str(number)], check=True)
    lan.control.run(["sh", "-c", SSH_ENDS], timeout=10)

    assert ("spark1", "1\n") == (name, before)
    assert "0\n" == lan.host("spark1").run(["sh", "-c", REMOTE_SESSION]).stdout


def test_an_engine_ends_and_comes_back(lan: Lan) -> None:
    """A broken connection is explained, and opened again when the cause is gone."""
    program = lan.control.start(
        [sys.executable, "-c", f"{START}\nfor line in sys.stdin: show(name(spark1))"],
        env={"PYTHONPATH": str(ROOT)},
    )
    assert program.stdin
    assert program.stdout
    host, answers = lan.host("spark1"), []

    def lose() -> None:
        sessions = "ps -o pid=,args= ax | awk '/[s]shd: root/ {print $1}'"
        host.run(["sh", "-c", f"kill $({sessions})"], check=True)
        lan.control.run(["sh", "-c", SSH_ENDS], timeout=10)

    events: tuple[Callable[[], None], ...] = (host.stop_engine, host.start_engine, lose)
    for event in (host.wait_engine, *events):
        event()
        program.stdin.write("\n")
        program.stdin.flush()
        answers.append(json.loads(program.stdout.readline()))
    program.communicate()

    stopped = (
        "spark1: the Docker engine is not running (`ssh -t spark1 'sudo systemctl start docker'`)"
    )
    assert ["spark1", stopped, "spark1", "spark1"] == answers


def test_failures_of_ssh(lan: Lan) -> None:
    """A missing SSH server and a changed host key each have a message."""
    lan.host("spark1").stop_ssh()
    known_hosts = lan.control.home / ".ssh" / "known_hosts"
    keys = known_hosts.read_text("utf-8")
    first, second = keys.splitlines()
    known_hosts.write_text(f"{second.split()[0]} {first.partition(' ')[2]}\n", "utf-8")
    answers = printed(lan.control, "show([name(spark1), name(spark2)])")
    known_hosts.write_text(keys, "utf-8")
    lan.host("spark1").start_ssh()

    refused = (
        "spark1: no SSH server is listening on spark1, port 22 "
        "(start it there: `sudo systemctl start ssh`)"
    )
    changed = (
        "spark2: the host key of spark2 has changed "
        "(if the machine was reinstalled: `ssh-keygen -R 192.168.177.12`, then `ssh spark2`)"
    )
    assert [[refused, changed]] == answers
