"""The steps that end things: their shell text, run by a real shell."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.namespaces.steps import KillLeftovers, ProcessHandle, StopProcess
from cluster.plan.steps import RemoveFolder

TRACE = ProcessHandle(
    place="spark1", service="ray", pid_file="/s/ray.pid", mark=("MARK", "/s"), log="/s/ray.log"
)


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the POSIX shell of this machine."""
    return subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=30
    )


@pytest.fixture(name="sleeper")
def _sleeper(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], ProcessHandle]]:
    """Yield a process group as a service leaves it: a leader and a child, and its number."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'echo "$$" >"$1"; sleep 60 & wait', "sh", str(tmp_path / "ray.pid")],
        start_new_session=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "MARK": str(tmp_path / "a.b")},
    )
    mark = ("MARK", str(tmp_path / "a.b"))
    trace = replace(TRACE, pid_file=str(tmp_path / "ray.pid"), mark=mark)
    shell(f"until test -s {trace.pid_file}; do sleep 0.01; done")
    with process:
        yield process, trace
        shell(f"kill -s KILL -- -{process.pid}")


def test_line_of_a_stop() -> None:
    """A service is asked with the signal that Ctrl-C would be, its whole group, and waited for."""
    step = StopProcess(title="Stop ray", handle=TRACE, seconds=5)
    expected = (
        """if grep -qsxzF MARK=/s /proc/"$(cat /s/ray.pid 2>/dev/null)"/environ; then\n"""
        """  kill -s TERM -- -"$(cat /s/ray.pid)"\n"""
        """  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /s/ray.pid"""
        """ 2>/dev/null || kill -s KILL -- -"$(cat /s/ray.pid)"\nfi"""
    )

    assert ("spark1", expected) == (step.place, step.text)


def test_stop(sleeper: tuple[subprocess.Popen[bytes], ProcessHandle]) -> None:
    """A service ends, with the children it has."""
    process, trace = sleeper
    shell(StopProcess(title="Stop ray", handle=trace, seconds=0.5).text)

    # The pipe ends with the last process that could write into it.
    assert b"" == process.communicate(timeout=10)[0]
    assert -15 == process.returncode


def test_stop_of_what_does_not_listen(tmp_path: Path) -> None:
    """A service that takes no notice is ended by force when its time is up."""
    trace = replace(TRACE, pid_file=str(tmp_path / "ray.pid"))
    script = 'trap "" TERM; echo "$$" >"$1"; for it in $(seq 200); do sleep 0.1; done'
    with subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", trace.pid_file],
        start_new_session=True,
        env={**os.environ, "MARK": "/s"},
    ) as process:
        shell(f"until test -s {trace.pid_file}; do sleep 0.01; done")
        shell(StopProcess(title="Stop ray", handle=trace, seconds=0.5).text)

    assert -9 == process.returncode


def test_stop_of_what_does_not_run(tmp_path: Path) -> None:
    """A service that was never started is fine."""
    trace = replace(TRACE, pid_file=str(tmp_path / "ray.pid"))
    run = shell(StopProcess(title="Stop ray", handle=trace, seconds=5).text)

    assert (0, "", "") == (run.returncode, run.stdout, run.stderr)


def test_stop_of_another_process(sleeper: tuple[subprocess.Popen[bytes], ProcessHandle]) -> None:
    """A number that was used again is not taken for the service."""
    process, trace = sleeper
    shell(StopProcess(title="Stop ray", handle=replace(trace, mark=("MARK", "/s")), seconds=5).text)

    assert process.poll() is None


def test_line_of_a_sweep() -> None:
    """Everything is found by its environment, the folder taken to the letter."""
    step = KillLeftovers(
        place="spark1", title="Kill leftover processes", name="MARK", folder="/s/.state/a+b"
    )
    expected = (
        r"grep -lzsE '^MARK=/s/\.state/a\+b(/|$)' /proc/[0-9]*/environ"
        " | cut -d/ -f3 | xargs -r kill -KILL"
    )

    assert expected == step.text


@pytest.mark.parametrize(
    "folder, code",
    [
        pytest.param("a.b", -9, id="its own folder"),
        pytest.param("", -9, id="the folder above"),
        pytest.param("a.b/c", None, id="a folder below"),
        pytest.param("a.", None, id="the beginning of a name"),
        pytest.param("...", None, id="a pattern"),
    ],
)
def test_sweep(
    sleeper: tuple[subprocess.Popen[bytes], ProcessHandle],
    tmp_path: Path,
    folder: str,
    code: int | None,
) -> None:
    """A process below the folder is killed, and no other."""
    process, _ = sleeper
    step = KillLeftovers(
        place="spark1",
        title="Kill leftover processes",
        name="MARK",
        folder=str(tmp_path / folder),
    )
    shell(step.text)

    assert code == (process.poll() if code is None else process.wait(timeout=10))


def test_remove(tmp_path: Path) -> None:
    """A folder goes with all that is in it, whatever its name."""
    folder = tmp_path / "-a b"
    (folder / "c").mkdir(parents=True)
    step = RemoveFolder(place="link", path=str(folder))
    shell(step.text)

    assert f"rm -rf -- '{folder}'" == step.text
    assert [] == list(tmp_path.iterdir())
