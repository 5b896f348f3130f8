"""The log of a container without an engine: a real file, and the real script that follows it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.containers import perform
from cluster.containers.perform import ContainerLog
from cluster.containers.steps import ContainerHandle
from cluster.host import Host
from cluster.machine import clock, containers

WAIT_SECONDS = 10.0
DESCRIPTION: dict[str, object] = {
    "Id": "c0ffee",
    "Image": "sha256:1",
    "State": {"Running": True, "ExitCode": 0, "StartedAt": "2026-11-30T12:00:00Z"},
    "Config": {"Cmd": [], "Env": [], "Labels": {}},
    "ExecIDs": None,
}


class LocalStream(containers.Stream):
    """Runs the command of a stream on this machine instead of in a container."""

    running: list[subprocess.Popen[bytes]] = []  # noqa: RUF012 (all streams of one test)

    def _read(self, _host: Host, _name: str, argv: tuple[str, ...]) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, bufsize=0) as process:
            self.running.append(process)
            assert process.stdout
            while chunk := process.stdout.read(4096):
                with self._lock:
                    self._content += chunk


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this machine stand in for the engine; a script ends when its standard input closes."""

    def read_file(_host: Host, _name: str, path: str) -> bytes | None:
        return Path(path).read_bytes() if Path(path).exists() else None

    monkeypatch.setattr(containers, "inspect", lambda _host, _name: DESCRIPTION)
    monkeypatch.setattr(containers, "read_file", read_file)
    monkeypatch.setattr(containers, "Stream", LocalStream)
    LocalStream.running.clear()
    yield
    for process in LocalStream.running:
        assert process.stdin
        process.stdin.close()
        assert process.wait(timeout=WAIT_SECONDS) is not None


@pytest.fixture(name="handle")
def _handle(tmp_path: Path) -> ContainerHandle:
    """Return the handle of a service whose log is in this test's folder."""
    return ContainerHandle(
        place="spark1",
        service="ray",
        cluster="default",
        host=Host(name="spark1"),
        container="vllm_node",
        image="vllm-node",
        pid_file="/run/x/ray.pid",
        log=str(tmp_path / "ray log"),
        volume="vllm_node-logs",
    )


def write(handle: ContainerHandle, content: bytes) -> None:
    """Append to the log."""
    with Path(handle.log).open("ab") as log:
        log.write(content)


def next_lines(log: ContainerLog, count: int) -> list[str]:
    """Wait for so many lines, and return them."""
    deadline, lines = clock.monotonic() + WAIT_SECONDS, log.new_lines()
    while len(lines) < count and clock.monotonic() < deadline:
        clock.sleep(0.02)
        lines += log.new_lines()
    return lines


def test_whole_lines(handle: ContainerHandle) -> None:
    """Every whole line is returned once: existing ones at first, then those that are added."""
    write(handle, b"one\ntw")
    log = ContainerLog(handle)
    batches = [log.new_lines()]
    for content, count in ((b"o\nthree\n", 2), (b"gr\xf6\xdfer\nKil", 1)):
        write(handle, content)
        batches.append(next_lines(log, count))
    write(handle, b"led")

    assert [["one"], ["two", "three"], ["gr\ufffd\ufffder"]] == batches
    assert ["Killed"] == log.remaining_lines()
    assert [] == log.remaining_lines()


def test_remaining_lines(handle: ContainerHandle) -> None:
    """The log of a service that has ended is read whole, without a stream."""
    write(handle, b"one\ntwo\nKilled")
    log = ContainerLog(handle)

    assert ["one", "two", "Killed"] == log.remaining_lines()
    assert [] == LocalStream.running


def test_no_log(handle: ContainerHandle) -> None:
    """A log that does not exist yet has no lines."""
    log = ContainerLog(handle)
    before = (log.exists, log.remaining_lines(), log.new_lines())
    write(handle, b"one\n")

    assert (False, [], []) == before
    assert ["one"] == next_lines(log, 1)
    assert log.exists


def test_log_that_outlives_its_container(
    handle: ContainerHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log is read from its volume when the container is gone."""
    monkeypatch.setattr(containers, "inspect", lambda _host, _name: None)
    monkeypatch.setattr(containers, "read_volume_file", lambda *_words: b"one\n")

    assert ["one"] == perform.ContainerLog(handle).remaining_lines()
