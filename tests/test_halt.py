"""A service of a container is ended: its shell text, and what it does to a real process."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.containers.steps import ContainerHandle, StopService
from cluster.host import Host

TRACE = ContainerHandle(
    place="spark2",
    service="serve",
    cluster="default",
    host=Host(name="spark2", ssh_host="spark-02"),
    container="vllm_node",
    image="vllm-node",
    pid_file="/run/x/serve.pid",
    log="/var/log/x/serve.log",
    volume="vllm_node-logs",
)
LOOP = "while :; do sleep 0.1; done"
Service = tuple[subprocess.Popen[bytes], ContainerHandle]


def shell(script: str) -> None:
    """Run a script with the POSIX shell of this machine."""
    subprocess.run(["/bin/sh", "-c", script], check=False, capture_output=True, timeout=30)


@pytest.fixture(name="started")
def _started(tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Start a service as run-service does: the first of its session, its number in a file."""
    services: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> Service:
        trace = replace(TRACE, pid_file=str(tmp_path / "serve.pid"))
        command = ["/bin/sh", "-c", f'echo "$$" >"$1"; {script}', "sh", trace.pid_file]
        services.append(subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE))
        shell(f"until test -s {trace.pid_file}; do sleep 0.01; done")
        return services[0], trace

    yield start
    for service in services:
        shell(f"kill -s KILL -- -{service.pid}")
        service.communicate()


def halted(trace: ContainerHandle, seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Run, as inside the container, what ends a service, and if it must be what makes it end."""
    step = StopService(title="Stop serve", handle=trace, seconds=seconds)
    asked = subprocess.run(step.argv, check=False, timeout=30, capture_output=True)
    if asked.returncode:
        subprocess.run(step.kill, check=True, timeout=30)
    return asked


def test_line_of_a_halt() -> None:
    """A service is asked, waited for and, when its time is up, ended with all of its own."""
    docker = "docker --host ssh://spark-02 exec vllm_node"
    expected = (
        f"""{docker} timeout 20 sh -c 'set -- "$(cat "$0")"; kill -s TERM "$1"; """
        """while kill -s 0 "$1" 2>/dev/null; do sleep 0.1; done; rm -f "$0"' """
        """/run/x/serve.pid ||\n"""
        f"""  {docker} sh -c 'kill -s KILL -- "-$(cat "$0")"; rm -f "$0"' /run/x/serve.pid"""
    )
    step = StopService(title="Stop serve", handle=TRACE, seconds=20)

    assert ("spark2", expected) == (step.place, step.text)


def test_halt(started: Callable[[str], Service]) -> None:
    """A service that listens ends by itself, in order."""
    service, trace = started(f"trap 'exit 7' TERM; {LOOP}")
    done: list[int] = []
    # Its parent must take note of its end, as the container's init does.
    with subprocess.Popen(StopService(title="", handle=trace, seconds=10).argv) as asked:
        done += [service.wait(timeout=10), asked.wait(timeout=10)]

    assert [7, 0] == done
    assert not Path(trace.pid_file).exists()


def test_halt_of_what_does_not_listen(started: Callable[[str], Service]) -> None:
    """A service that takes no notice is ended by force, with what it has started."""
    service, trace = started(f"trap '' TERM; ({LOOP}) & {LOOP}")
    asked = halted(trace, 0.5)

    assert 124 == asked.returncode
    # The pipe ends with the last process that could write into it.
    assert b"" == service.communicate(timeout=10)[0]
    assert -9 == service.returncode
    assert not Path(trace.pid_file).exists()


def test_halt_of_what_has_ended(started: Callable[[str], Service]) -> None:
    """A service that is gone already is fine."""
    service, trace = started("exit 3")
    service.wait(timeout=10)

    assert 0 == halted(trace, 5).returncode
    assert not Path(trace.pid_file).exists()
