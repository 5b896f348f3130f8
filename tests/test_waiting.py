"""What is said when something that must live ends, or when time is up, with the cause."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.errors import NodeError, Problem
from cluster.logs.reader import LogReader
from cluster.machine.parallel import Event
from cluster.machine.terminal import Report
from cluster.namespaces.perform import FileLog
from cluster.namespaces.steps import Command, ProcessHandle
from cluster.plan import services, waiting
from cluster.plan.steps import Await
from cluster.plan.waiting import Waiting
from tests.clusters import ROOT, SPARKS

MARK = ("WAITING_TEST", "ours")
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
    """Return a service that has logged so much."""
    log = folder / f"{node}-{service}.log"
    log.write_text(content, encoding="utf-8")
    pid_file = str(log.with_suffix(".pid"))
    return kind(place=node, service=service, pid_file=pid_file, mark=MARK, log=str(log))


@pytest.fixture
def alive() -> Iterator[int]:
    """A process that lives, as all services that are said to."""
    with subprocess.Popen(["sleep", "60"], env={MARK[0]: MARK[1]}) as process:
        # For a moment after exec(2), the kernel shows a process without an environment.
        while not Path(f"/proc/{process.pid}/environ").read_bytes():
            pass
        yield process.pid
        process.kill()


def living(handle: ProcessHandle, number: int) -> ProcessHandle:
    """Return a service that lives."""
    Path(handle.pid_file).write_text(f"{number}\n", encoding="utf-8")
    return handle


def failure(*handles: ProcessHandle) -> str:
    """Wait for what never comes, and return what is said then."""
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
        Waiting(SPARKS, step, progress, LogReader(), Event()).answer()
    return str(caught.value)


def test_known_cause(tmp_path: Path, alive: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fatal line is told with its cause, on the node where it is, and what to do."""
    monkeypatch.setattr(waiting, "SETTLE_SECONDS", 0.0)
    lines = "".join(f"{RANK}{line}\n" for line in TAKEN.splitlines())
    said = failure(living(logged(tmp_path, "spark1", "serve", lines), alive))
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

    assert expected == said
    assert f"```text\n{expected}\n```\n" in (ROOT / "docs" / "failures.md").read_text("utf-8")


def test_unknown_cause(tmp_path: Path) -> None:
    """What nobody knows leads to the whole log."""
    expected = """\
spark1: ray has ended
    KeyError: 1
    (next: `inv logs --node spark1`)"""

    assert expected == failure(logged(tmp_path, "spark1", "ray", "KeyError: 1\n"))


def test_cause_in_another_log(tmp_path: Path, alive: int) -> None:
    """The logs of all services are looked at, not only that of the one that ended first."""
    ray = living(logged(tmp_path, "spark2", "ray", KILLED), alive)
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


def test_killed_without_a_word(tmp_path: Path) -> None:
    """Who was killed could not say it; the exit code does."""
    expected = """\
spark2: ray has ended with exit code 137
    Ray runtime started.
    likely cause, on spark2: a process was killed (SIGKILL): by the kernel or earlyoom to free \
memory, or by hand
    (`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; then lower \
GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`)"""
    ray = logged(tmp_path, "spark2", "ray", "Ray runtime started.\n", KilledService)

    assert expected == failure(ray)


def test_log_that_cannot_be_read(tmp_path: Path, alive: int) -> None:
    """A machine that does not answer any more does not hide what the others say."""
    ray = living(logged(tmp_path, "spark2", "ray", "", UnreachableService), alive)
    serve = logged(tmp_path, "spark1", "serve", "KeyError: 1\n")
    expected = """\
spark1: serve has ended
    KeyError: 1
    (next: `inv logs --node spark1`)"""

    assert expected == failure(serve, ray)


def test_time_is_up(tmp_path: Path, alive: int) -> None:
    """What is still missing is told, and why, if a log has it."""
    ray = living(logged(tmp_path, "spark2", "ray", UNREACHABLE), alive)
    expected = """\
spark1: not ready
spark2: this node does not reach Ray on the head: Ray is not running there, the env files name a \
wrong address or interface, or a firewall blocks the port (`inv doctor` finds the reason: checks \
`reach`, `route` and `head-port`)"""

    assert expected == failure(ray)


def test_time_is_up_without_a_reason(tmp_path: Path, alive: int) -> None:
    """Where no log tells why, it is not guessed."""
    assert "spark1: not ready" == failure(living(logged(tmp_path, "spark2", "ray", ""), alive))
