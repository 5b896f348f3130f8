"""Services that are processes, as their traces tell; what needs no engine connects to none."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.logs.logs import FileLog
from cluster.machine.processes import Completed
from cluster.namespaces.steps import Command, ProcessHandle
from cluster.plan.services import Services

MARK = ("SERVICES_TEST", "ours")


def traced(folder: Path) -> ProcessHandle:
    """Return how a service is found again."""
    pid_file, log = str(folder / "ray.pid"), str(folder / "ray.log")
    return ProcessHandle(place="spark1", service="ray", pid_file=pid_file, mark=MARK, log=log)


def test_what_never_was(tmp_path: Path) -> None:
    """A service that nobody started is not found, and was not started."""
    services, trace = Services(), traced(tmp_path)

    assert (None, False) == (services.find(trace), services.started(trace))
    assert not services.log(trace).exists


def test_what_runs(tmp_path: Path) -> None:
    """A service that runs is found with its command line; one that has ended was started."""
    services, trace = Services(), traced(tmp_path)
    command = ("sh", "-c", "echo up; read -r it")
    environment = {**os.environ, MARK[0]: MARK[1]}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        assert process.stdout
        process.stdout.readline()
        Path(trace.pid_file).write_text(f"{process.pid}\n", encoding="utf-8")
        found = services.find(trace)
        process.kill()

    assert found
    assert command == found.argv
    assert (None, True) == (services.find(trace), services.started(trace))


def test_log(tmp_path: Path) -> None:
    """The log of a process is its file."""
    trace = traced(tmp_path)
    Path(trace.log).write_text("one\n", encoding="utf-8")
    log = Services().log(trace)

    assert (FileLog, True, ["one"]) == (type(log), log.exists, log.rest())


def test_one_way_to_the_engines() -> None:
    """However many threads are the first to need engines, they share the connections."""
    services = Services()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: services.containers, range(8)))

    assert 1 == len({id(containers) for containers in found})


def test_ask() -> None:
    """A command is run to its end, for as long as it may take."""
    services = Services()
    say = Command(place="spark1", argv=("sh", "-c", "echo a; echo b >&2; exit 3"))
    sleep = Command(place="spark1", argv=("sleep", "60"))

    assert Completed(code=3, output="a\n", error="b\n") == services.ask(say)
    assert 124 == services.ask(sleep, 0.1).code
