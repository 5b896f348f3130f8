"""The shell text of the steps on processes, run by a real shell where possible."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.commands.run_spec import RunSpec
from cluster.namespaces.steps import (
    Command,
    HoldNamespaces,
    KillLeftovers,
    ProcessHandle,
    StartProcess,
    StopProcess,
)
from cluster.words import FileText, Secret
from tests.posix_shell import shell, wait_for_file

ENVIRONMENT = (
    ("PATH", "/bin"),
    ("NOTE", "two words"),
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", FileText("/s/api-key")),
)
NAMES = "HF_TOKEN VLLM_API_KEY"
READ_SECRETS = (
    f'for name in {NAMES}; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-'
)
HANDLE = ProcessHandle(
    place="spark1", service="ray", pid_file="/s/ray.pid", mark=("MARK", "/s"), log="/s/ray.log"
)
SPEC = RunSpec(node="spark1", service="ray", argv=("ray", "start"), environment=ENVIRONMENT)
Sleeper = tuple[subprocess.Popen[bytes], ProcessHandle]


@pytest.fixture(name="sleeper")
def _sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    """Yield a process group as a service leaves it, a leader and a child, and its handle."""
    mark = ("MARK", str(tmp_path / "a.b"))
    handle = replace(HANDLE, pid_file=str(tmp_path / "ray.pid"), mark=mark)
    with subprocess.Popen(
        ["/bin/sh", "-c", 'echo "$$" >"$1"; sleep 60 & wait', "sh", handle.pid_file],
        start_new_session=True,
        stdout=subprocess.PIPE,
        env={**os.environ, mark[0]: mark[1]},
    ) as process:
        wait_for_file(handle.pid_file)
        yield process, handle
        shell(f"kill -s KILL -- -{process.pid}")


def stop(handle: ProcessHandle, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run the shell text that stops a service."""
    return shell(StopProcess(title="Stop ray", handle=handle, seconds=seconds).text)


def leftovers(folder: str) -> KillLeftovers:
    """Return the step that kills the processes marked with a path below a folder."""
    title = "Kill leftover processes"
    return KillLeftovers(place="spark1", title=title, name="MARK", folder=folder)


def test_command() -> None:
    """A command has its whole environment in front, and no secret in its arguments."""
    step = Command(place="spark1", argv=("echo", "a b"), environment=ENVIRONMENT)
    expected = f"""\
env -i \\
  PATH=/bin \\
  NOTE='two words' \\
  sh -c '{READ_SECRETS}' secrets \\
  echo 'a b' \\
  3<<EOF
${{HF_TOKEN:?is set in env/cluster.env:7}}
$(cat /s/api-key)
EOF"""

    assert expected == step.text


def test_command_without_environment() -> None:
    """A command without an environment of its own inherits that of the shell."""
    step = Command(place="link", argv=("nsenter", "--target", FileText("/s/init.pid"), "ip", "a"))

    assert 'nsenter --target "$(cat /s/init.pid)" ip a' == step.text


def test_start_process() -> None:
    """A service runs in the background, detached from the terminal, and writes to its log."""
    step = StartProcess(
        title="Start Ray",
        spec=SPEC,
        argv=("setsid", "ray", "start"),
        environment=ENVIRONMENT[:1],
        handle=HANDLE,
    )
    expected = """\
rm -f /s/ray.pid
env -i \\
  PATH=/bin \\
  setsid ray start \\
  </dev/null >/s/ray.log 2>&1 &"""

    assert ("spark1", expected) == (step.place, step.text)


def test_hold_namespaces() -> None:
    """A holder is started and waited for, the namespaces are set up, then marked as ready."""
    step = HoldNamespaces(
        title="Make the link",
        argv=("setsid", "unshare", "--net", "sleep", "inf"),
        environment=ENVIRONMENT[:1],
        handle=HANDLE,
        ready="/s/ready",
        remedy="run as root",
        setup=(
            Command(place="link", argv=("ip", "link", "set", "lo", "up")),
            Command(place="link", argv=("hostname", "spark1")),
        ),
    )
    expected = """\
rm -f /s/ray.pid
env -i \\
  PATH=/bin \\
  setsid unshare --net sleep inf \\
  </dev/null >/s/ray.log 2>&1 &
timeout 10 sh -c 'until test -s "$0"; do sleep 0.05; done' /s/ray.pid
ip link set lo up
hostname spark1
touch /s/ready"""

    assert ("spark1", expected) == (step.place, step.text)


def test_wait_for_a_holder(tmp_path: Path) -> None:
    """The shell text waits until the process has written its number."""
    step = HoldNamespaces(
        title="Make the link",
        argv=("sh", "-c", 'sleep 0.2; echo "$$" >"$0"', str(tmp_path / "init.pid")),
        environment=(("PATH", "/usr/bin:/bin"),),
        handle=replace(HANDLE, pid_file=str(tmp_path / "init.pid"), log=str(tmp_path / "log")),
        ready=str(tmp_path / "ready"),
        remedy="",
        setup=(Command(place="link", argv=("test", "-s", str(tmp_path / "init.pid"))),),
    )
    result = shell(f"set -e\n{step.text}")

    assert (0, "") == (result.returncode, result.stderr)
    assert (tmp_path / "ready").exists()


def test_text_of_stop_process() -> None:
    """A service and its group get SIGTERM, have their time, and then get SIGKILL."""
    step = StopProcess(title="Stop ray", handle=HANDLE, seconds=5)
    expected = (
        """if grep -qsxzF MARK=/s /proc/"$(cat /s/ray.pid 2>/dev/null)"/environ; then\n"""
        """  kill -s TERM -- -"$(cat /s/ray.pid)"\n"""
        """  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /s/ray.pid"""
        """ 2>/dev/null || kill -s KILL -- -"$(cat /s/ray.pid)"\nfi"""
    )

    assert ("spark1", expected) == (step.place, step.text)


def test_stop_process(sleeper: Sleeper) -> None:
    """A service ends with its children."""
    process, handle = sleeper
    stop(handle, 0.5)

    # The pipe ends with the last process that could write into it.
    assert b"" == process.communicate(timeout=10)[0]
    assert -15 == process.returncode


def test_stop_service_that_ignores_sigterm(tmp_path: Path) -> None:
    """A service that ignores SIGTERM is killed when its time is up."""
    handle = replace(HANDLE, pid_file=str(tmp_path / "ray.pid"))
    script = 'trap "" TERM; echo "$$" >"$1"; for it in $(seq 200); do sleep 0.1; done'
    with subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", handle.pid_file],
        start_new_session=True,
        env={**os.environ, "MARK": "/s"},
    ) as process:
        wait_for_file(handle.pid_file)
        stop(handle, 0.5)

    assert -9 == process.returncode


def test_stop_service_that_was_never_started(tmp_path: Path) -> None:
    """Stopping a service that was never started succeeds without output."""
    result = stop(replace(HANDLE, pid_file=str(tmp_path / "ray.pid")), 5)

    assert (0, "", "") == (result.returncode, result.stdout, result.stderr)


def test_stop_with_a_reused_number(sleeper: Sleeper) -> None:
    """A process that has reused the number but lacks the mark is left alone."""
    process, handle = sleeper
    stop(replace(handle, mark=("MARK", "/s")), 5)

    assert process.poll() is None


def test_text_of_kill_leftovers() -> None:
    """Processes are selected by their environment; the folder is no pattern."""
    expected = (
        r"grep -lzsE '^MARK=/s/\.state/a\+b(/|$)' /proc/[0-9]*/environ"
        " | cut -d/ -f3 | xargs -r kill -KILL"
    )

    assert expected == leftovers("/s/.state/a+b").text


@pytest.mark.parametrize(
    "folder, code",
    [
        pytest.param("a.b", -9, id="the folder of the process"),
        pytest.param("", -9, id="the folder above"),
        pytest.param("a.b/c", None, id="a folder below"),
        pytest.param("a.", None, id="the beginning of a name"),
        pytest.param("...", None, id="a pattern"),
    ],
)
def test_kill_leftovers(sleeper: Sleeper, tmp_path: Path, folder: str, code: int | None) -> None:
    """Only processes below the folder are killed."""
    process, _ = sleeper
    shell(leftovers(str(tmp_path / folder)).text)

    assert code == (process.poll() if code is None else process.wait(timeout=10))
