"""The log of a container, as far as it needs no engine: a real file, and the real script."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from cluster.containers.containment import Containment
from cluster.containers.inside import ContainerHandle
from cluster.containers.log import ContainerLog
from cluster.host import Host

WAIT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What an engine does in a container, done on this machine."""

    running: list[subprocess.Popen[bytes]]

    def log(self, trace: ContainerHandle) -> bytes | None:
        """Return the log; None when there is none."""
        file = Path(trace.log)
        return file.read_bytes() if file.exists() else None

    def stream(self, trace: ContainerHandle, script: str) -> Iterator[bytes]:
        """Yield what a script prints, as it comes, until it ends."""
        argv = ["bash", "-c", script, trace.log]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, bufsize=0) as process:
            self.running.append(process)
            assert process.stdout
            while content := process.stdout.read(4096):
                yield content


@pytest.fixture(name="machine")
def _machine() -> Iterator[Machine]:
    """Lend this machine; a script ends when whoever started it has gone."""
    machine = Machine(running=[])
    yield machine
    for process in machine.running:
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=WAIT_SECONDS) is not None


@pytest.fixture(name="trace")
def _trace(tmp_path: Path) -> ContainerHandle:
    """Return how a service is found whose log is in this test's folder."""
    return ContainerHandle(
        place="spark1",
        service="ray",
        cluster="default",
        engine=Host(name="spark1"),
        container="vllm_node",
        image="vllm-node",
        pid_file="/run/x/ray.pid",
        log=str(tmp_path / "ray log"),
        volume="vllm_node-logs",
    )


def opened(trace: ContainerHandle, machine: Machine) -> ContainerLog:
    """Return the log, read from its top."""
    return ContainerLog(trace, cast("Containment", machine))


def write(trace: ContainerHandle, content: bytes) -> None:
    """Add to the log."""
    with Path(trace.log).open("ab") as log:
        log.write(content)


def awaited(log: ContainerLog, count: int) -> list[str]:
    """Return the next lines, which take a moment to arrive."""
    until, lines = time.monotonic() + WAIT_SECONDS, log.grown()
    while len(lines) < count and time.monotonic() < until:
        time.sleep(0.02)
        lines += log.grown()
    return lines


def test_whole_lines(trace: ContainerHandle, machine: Machine) -> None:
    """What is there comes at once, what is added comes by itself; each whole line once."""
    write(trace, b"one\ntw")
    log = opened(trace, machine)
    seen = [log.grown()]
    for content, count in ((b"o\nthree\n", 2), (b"gr\xf6\xdfer\nKil", 1)):
        write(trace, content)
        seen.append(awaited(log, count))
    write(trace, b"led")

    assert [["one"], ["two", "three"], ["gr\ufffd\ufffder"]] == seen
    assert ["Killed"] == log.rest()
    assert [] == log.rest()


def test_rest(trace: ContainerHandle, machine: Machine) -> None:
    """What has ended is read whole, and needs no stream."""
    write(trace, b"one\ntwo\nKilled")
    log = opened(trace, machine)

    assert ["one", "two", "Killed"] == log.rest()
    assert [] == machine.running


def test_no_log(trace: ContainerHandle, machine: Machine) -> None:
    """A log that is not there has no lines until it is."""
    log = opened(trace, machine)
    nothing = (log.exists, log.rest(), log.grown())
    write(trace, b"one\n")

    assert (False, [], []) == nothing
    assert ["one"] == awaited(log, 1)
    assert log.exists
