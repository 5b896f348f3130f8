"""Services that are processes: found by handles, queried, their logs read."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.machine.processes import Completed
from cluster.namespaces.steps import Command, ProcessHandle
from cluster.plan import services

MARK = ("SERVICES_TEST", "a value")


def handle_in(folder: Path) -> ProcessHandle:
    """Return the handle of a service whose files are in a folder."""
    pid_file, log = str(folder / "ray.pid"), str(folder / "ray.log")
    return ProcessHandle(place="spark1", service="ray", pid_file=pid_file, mark=MARK, log=log)


def test_never_started(tmp_path: Path) -> None:
    """A service that was never started is not found and has no log."""
    handle = handle_in(tmp_path)

    assert (None, False) == (services.find(handle), services.was_started(handle))
    assert not services.log(handle).exists


def test_running(tmp_path: Path) -> None:
    """A running service is found with its command line; after its end it counts as started."""
    handle = handle_in(tmp_path)
    command = ("sh", "-c", "echo up; read -r line")
    environment = {**os.environ, MARK[0]: MARK[1]}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        assert process.stdout
        process.stdout.readline()
        Path(handle.pid_file).write_text(f"{process.pid}\n", encoding="utf-8")
        service = services.find(handle)
        process.kill()

    assert service
    assert command == service.argv
    assert (None, True) == (services.find(handle), services.was_started(handle))
    assert services.exit_code(handle) is None


def test_log(tmp_path: Path) -> None:
    """The log of a process is a file."""
    handle = handle_in(tmp_path)
    Path(handle.log).write_text("one\n", encoding="utf-8")
    log = services.log(handle)

    assert (True, ["one"]) == (log.exists, log.remaining_lines())


def test_ask() -> None:
    """A command runs to its end, or to its time limit."""
    echo = Command(place="spark1", argv=("sh", "-c", "echo a; echo b >&2; exit 3"))
    sleep = Command(place="spark1", argv=("sleep", "60"))

    assert Completed(code=3, output="a\n", error="b\n") == services.ask(echo)
    assert 124 == services.ask(sleep, 0.1).code


def test_value_without_a_case() -> None:
    """A value without a case in its room is a defect; the error names both."""

    @dataclass(frozen=True)
    class Unknown:
        place: str = "spark1"
        service: str = "ray"

    Unknown.__module__ = "cluster.namespaces.steps"
    with pytest.raises(NotImplementedError) as caught:
        services.find(Unknown())

    assert str(caught.value).startswith("cluster.namespaces.perform has no find of ")
