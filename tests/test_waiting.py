"""The error of a wait when a watched service fails or time is up, with its likely cause."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import NodeError, Problem
from cluster.logs.reader import FailureReader
from cluster.machine.parallel import Event
from cluster.machine.terminal import Report
from cluster.namespaces.perform import FileLog
from cluster.namespaces.steps import Command, ProcessHandle
from cluster.plan import log_reader, services, waiting
from cluster.plan.steps import Await
from cluster.plan.waiting import Waiting
from tests.clusters import ROOT, SPARKS

MARK = ("WAITING_TEST", "a value")
NOT_READY = Problem(place="spark1", message="not ready")
TAKEN = """\
Traceback (most recent call last):
  File "/opt/venv/lib/python3.12/site-packages/vllm/v1/worker/utils.py", line 762, in request_memory
    raise ValueError(
ValueError: Free memory on device cuda:0 (58.6/119.7 GiB) on startup is less than desired GPU \
memory utilization (0.7, 83.8 GiB). Decrease GPU memory utilization or reduce GPU memory used by \
other processes.
"""
RANK = "(RayWorkerProc pid=103, ip=192.168.177.12) (Worker_TP1 pid=103) ERROR 11-23 13:26:42 [a:1] "
UNREACHABLE = "[2026-11-23 13:39:13,686 W 1 1] rpc_client.h:1: Failed to connect to GCS at address \
192.168.177.11:6379 within 5 seconds.\n"
KILLED = "2026-11-23 13:28:16,080\tERR scripts.py:87 -- raylet [exit code=-9]\n"
LOST = "RuntimeError: [gloo/transport/tcp/pair.cc:537] Read error [192.168.177.12]:1: Connection \
reset by peer\n"


class KilledService(ProcessHandle):
    """A service that has ended with an exit code, as containers have."""


class UnreachableService(ProcessHandle):
    """A service whose machine no longer answers when its log is read to the end."""


class UnreachableLog(FileLog):
    """A log whose machine no longer answers."""

    def remaining_lines(self) -> list[str]:
        """Fail as if the machine did not answer."""
        raise NodeError(Problem(place="spark2", message="does not answer"))


@services.exit_code.register
def _(_handle: KilledService) -> int | None:
    return 137


@services.log.register
def _(handle: UnreachableService) -> FileLog:
    return UnreachableLog(handle)


def logged(
    folder: Path,
    node: str,
    service: str,
    content: str,
    kind: type[ProcessHandle] = ProcessHandle,
) -> ProcessHandle:
    """Return the handle of a service with this log."""
    log = folder / f"{node}-{service}.log"
    log.write_text(content, encoding="utf-8")
    pid_file = str(log.with_suffix(".pid"))
    return kind(place=node, service=service, pid_file=pid_file, mark=MARK, log=str(log))


@pytest.fixture(name="pid")
def _pid() -> Iterator[int]:
    """Yield the number of a running process that carries the services' mark."""
    with subprocess.Popen(["sleep", "60"], env={MARK[0]: MARK[1]}) as process:
        # For a moment after exec(2), the kernel shows a process without an environment.
        while not Path(f"/proc/{process.pid}/environ").read_bytes():
            pass
        yield process.pid
        process.kill()


def running(handle: ProcessHandle, pid: int) -> ProcessHandle:
    """Make a service count as running; return its handle."""
    Path(handle.pid_file).write_text(f"{pid}\n", encoding="utf-8")
    return handle


def failure(*handles: ProcessHandle, reader: log_reader.LogReader | None = None) -> str:
    """Wait for an answer that never comes; return the error."""
    step = Await(
        place="spark1",
        title="Wait",
        query=Command(place="spark1", argv=("true",)),
        problems=lambda _: (NOT_READY,),
        seconds=0.0,
        watched=handles,
    )
    report = Report(io.StringIO())
    with report.step("spark1", "Wait") as progress, pytest.raises(NodeError) as caught:
        Waiting(SPARKS, step, progress, reader or FailureReader(), Event()).answer()
    return str(caught.value)


def test_known_cause(tmp_path: Path, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fatal line is reported with its likely cause, the cause's node and the remedy."""
    monkeypatch.setattr(waiting, "SETTLE_SECONDS", 0.0)
    lines = "".join(f"{RANK}{line}\n" for line in TAKEN.splitlines())
    error = failure(running(logged(tmp_path, "spark1", "serve", lines), pid))
    message = TAKEN.splitlines()[-1]
    expected = f"""\
spark1: serve failed
    {message}
    at vllm/v1/worker/utils.py:762, in request_memory, logged by RayWorkerProc Worker_TP1 \
ip=192.168.177.12
    likely cause, on spark2: only 58.6 of 119.7 GiB were free when vLLM started; on a Spark, the \
page cache and all programs share this memory
    (`inv doctor` shows what uses it: checks `memory`, `page-cache` and `gpu-busy`; otherwise \
lower GPU_MEMORY_UTILIZATION in env/cluster.env, then `inv serve`)"""

    assert expected == error
    assert f"```text\n{expected}\n```\n" in (ROOT / "docs" / "failures.md").read_text("utf-8")


def test_unknown_cause(tmp_path: Path) -> None:
    """Without a known cause, the remedy is the whole log."""
    expected = """\
spark1: ray has ended
    KeyError: 1
    (next: `inv logs --node spark1`)"""

    assert expected == failure(logged(tmp_path, "spark1", "ray", "KeyError: 1\n"))


def test_cause_in_another_log(tmp_path: Path, pid: int) -> None:
    """The cause is searched in the logs of all services, not only in that of the failed one."""
    ray = running(logged(tmp_path, "spark2", "ray", KILLED), pid)
    expected = """\
spark1: serve has ended
    RuntimeError: [gloo/transport/tcp/pair.cc:537] Read error [192.168.177.12]:1: Connection reset \
by peer
    ray on spark2: raylet [exit code=-9]
    likely cause, on spark2: a process was killed (SIGKILL): by the kernel or earlyoom to free \
memory, or by hand
    (`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; then lower \
GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`)"""

    assert expected == failure(logged(tmp_path, "spark1", "serve", LOST), ray)


def test_killed_service(tmp_path: Path) -> None:
    """A killed service logs nothing about its end; its exit code shows the cause."""
    expected = """\
spark2: ray has ended with exit code 137
    Ray runtime started.
    likely cause, on spark2: a process was killed (SIGKILL): by the kernel or earlyoom to free \
memory, or by hand
    (`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; then lower \
GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`)"""
    ray = logged(tmp_path, "spark2", "ray", "Ray runtime started.\n", KilledService)

    assert expected == failure(ray)


def test_log_that_cannot_be_read(tmp_path: Path, pid: int) -> None:
    """A machine that stops answering does not hide the logs of the other services."""
    ray = running(logged(tmp_path, "spark2", "ray", "", UnreachableService), pid)
    serve = logged(tmp_path, "spark1", "serve", "KeyError: 1\n")
    expected = """\
spark1: serve has ended
    KeyError: 1
    (next: `inv logs --node spark1`)"""

    assert expected == failure(serve, ray)


def test_time_is_up(tmp_path: Path, pid: int) -> None:
    """When time is up, the error has what is missing and the cause that a log shows."""
    ray = running(logged(tmp_path, "spark2", "ray", UNREACHABLE), pid)
    expected = """\
spark1: not ready
spark2: this node does not reach Ray on the head: Ray is not running there, the env files name a \
wrong address or interface, or a firewall blocks the port (`inv doctor` finds the reason: checks \
`reach`, `route` and `head-port`)"""

    assert expected == failure(ray)


def test_time_is_up_without_a_cause(tmp_path: Path, pid: int) -> None:
    """When no log shows a cause, the error names none."""
    assert "spark1: not ready" == failure(running(logged(tmp_path, "spark2", "ray", ""), pid))


def test_plain_reader(tmp_path: Path, pid: int) -> None:
    """Without knowledge of failures, the error of an ended service has its last three lines."""
    reader = log_reader.PlainReader()
    ray = running(logged(tmp_path, "spark2", "ray", KILLED), pid)
    serve = logged(tmp_path, "spark1", "serve", f"one\ntwo\nthree\n{LOST}")
    expected = f"""\
spark1: serve has ended
    two
    three
    {LOST.rstrip()}
    (next: `inv logs --node spark1`)"""

    assert expected == failure(ray, serve, reader=reader)
    assert "spark1: not ready" == failure(ray, reader=reader)
