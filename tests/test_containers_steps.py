"""The shell text of the steps on containers; a real shell runs what needs no Docker."""

import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.commands.run_spec import RunSpec
from cluster.containers.container import Container, Mount
from cluster.containers.steps import (
    ContainerHandle,
    ExecCommand,
    RemoveContainer,
    RunOnce,
    ShareToken,
    StartContainer,
    StartService,
    StopService,
)
from cluster.host import Host
from cluster.words import FileText, Secret
from tests.posix_shell import shell, wait_for_file

LOCAL, REMOTE = Host(name="spark1"), Host(name="spark2", ssh_host="spark-02")
HANDLE = ContainerHandle(
    place="spark2",
    service="serve",
    cluster="default",
    host=REMOTE,
    container="vllm_node",
    image="vllm-node",
    pid_file="/run/x/serve.pid",
    log="/var/log/x/serve.log",
    volume="vllm_node-logs",
)
SECRETS = (
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", FileText("/s/api-key")),
)
ENVIRONMENT = (("NOTE", "two words"), *SECRETS)
SPEC = RunSpec(node="spark2", service="serve", argv=("vllm", "serve", "m"), environment=())
CONTAINER = Container(
    name="vllm_node",
    image="vllm-node",
    argv=("run-service", "ray", "0123456789ab", "ray", "start"),
    environment=ENVIRONMENT,
    mounts=(Mount(source="~/models", target="/models"),),
    accelerator="none",
    shm_size=None,
    rdma=False,
    privileged=True,
)
EXEC = ExecCommand(place="spark2", host=REMOTE, container="vllm_node", argv=("bash", "-c", "a b"))
# A stand-in for Docker that prints the words after the container's name.
ECHO = 'while [ "$1" != vllm_node ]; do shift; done; shift; printf \'%s\\0\' "$@"'
READ_SECRETS = (
    """sh -c 'for name in HF_TOKEN VLLM_API_KEY; do IFS= read -r "$name" <&3; """
    """export "$name"; done; exec "$@" 3<&-' secrets"""
)
DOCUMENT = "3<<EOF\n${HF_TOKEN:?is set in env/cluster.env:7}\n$(cat /s/api-key)\nEOF"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
LOOP = "while :; do sleep 0.1; done"
Service = tuple[subprocess.Popen[bytes], ContainerHandle]
Start = Callable[[str], Service]


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Start]:
    """Yield a function that starts a service as run-service does: a session leader, a pid file."""
    services: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> Service:
        handle = replace(HANDLE, pid_file=str(tmp_path / "serve.pid"))
        command = ["/bin/sh", "-c", f'echo "$$" >"$1"; {script}', "sh", handle.pid_file]
        services.append(subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE))
        wait_for_file(handle.pid_file)
        return services[0], handle

    yield start
    for service in services:
        shell(f"kill -s KILL -- -{service.pid}")
        service.communicate()


def stopped(handle: ContainerHandle, seconds: float) -> int:
    """Stop a service as its step does inside the container; return the first command's code."""
    step = StopService(title="Stop serve", handle=handle, seconds=seconds)
    result = subprocess.run(step.argv, check=False, timeout=30, capture_output=True)
    if result.returncode:
        subprocess.run(step.kill, check=True, timeout=30)
    return result.returncode


def test_exec_command() -> None:
    """A command in a container is a `docker exec` on the node's own engine."""
    local = replace(EXEC, host=LOCAL)

    assert "docker exec vllm_node bash -c 'a b'" == local.text
    assert "docker --host ssh://spark-02 exec vllm_node bash -c 'a b'" == EXEC.text


def test_exec_command_with_variables() -> None:
    """A secret is passed by name; its value comes from a here-document."""
    expected = (
        f"{READ_SECRETS} \\\n"
        "  docker --host ssh://spark-02 exec --env 'NOTE=two words' --env HF_TOKEN"
        " --env VLLM_API_KEY vllm_node bash -c 'a b' \\\n"
        f"  {DOCUMENT}"
    )

    assert expected == replace(EXEC, environment=ENVIRONMENT).text


def test_attached_locally() -> None:
    """On this machine the Docker client has the terminal or the pipes of this program."""
    local = replace(EXEC, host=LOCAL)
    end = ("vllm_node", "bash", "-c", "a b")

    assert ("docker", "exec", "--interactive", "--tty", *end) == local.attached(terminal=True).argv
    assert ("docker", "exec", "--interactive", *end) == local.attached(terminal=False).argv


def test_attached_over_ssh() -> None:
    """On a remote machine its own Docker client has the terminal that SSH carries there."""
    line = "vllm_node bash -c 'a b'"

    assert (
        *("ssh", "-t", "spark-02"),
        f"docker exec --interactive --tty {line}",
    ) == EXEC.attached(terminal=True).argv
    assert (
        *("ssh", "spark-02"),
        f"docker exec --interactive {line}",
    ) == EXEC.attached(terminal=False).argv


@given(words=st.lists(TEXT, min_size=1, max_size=5))
def test_attached_words_pass_unchanged(words: list[str]) -> None:
    """The shell of the remote machine passes every word on unchanged."""
    line = str(replace(EXEC, argv=tuple(words)).attached(terminal=True).argv[-1])
    script = f"docker() {{ {ECHO}; }}; {line}"
    result = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)

    assert words == result.stdout.decode().split("\0")[:-1]


@given(value=TEXT)
def test_variable_passes_unchanged(value: str) -> None:
    """A value reaches `--env` unchanged: quotes, newlines, `$`."""
    line = replace(EXEC, host=LOCAL, environment=(("NAME", value),)).text
    script = f"docker() {{ printf '%s\\0' \"$3\"; }}; {line}"
    result = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)

    assert f"NAME={value}\0" == result.stdout.decode()


def test_run_once() -> None:
    """A command that runs once gets a container that is removed afterwards."""
    container = replace(CONTAINER, name="", argv=("python", "x.py"), environment=(), mounts=())
    step = RunOnce(place="spark2", host=REMOTE, container=container)
    expected = """\
docker --host ssh://spark-02 run --rm \\
  --network host \\
  --init \\
  --privileged \\
  --ipc host \\
  vllm-node python x.py"""

    assert expected == step.text


def test_start_container() -> None:
    """A container is created, gets its files and is started; its command line has no secrets."""
    step = StartContainer(
        title="Start Ray",
        spec=SPEC,
        container=CONTAINER,
        handle=HANDLE,
        files=(("/s/ray-token", "/run/secrets/ray-token"),),
        recreate=False,
    )
    settings = (
        '{"IMAGE": "vllm-node", "ACCELERATOR": "none", "SHM_SIZE": "host", '
        '"HF_CACHE": "~/models", "PRIVILEGED": "true", "IB_IF": "false"}'
    )
    expected = f"""\
{READ_SECRETS} \\
  docker --host ssh://spark-02 create \\
  --name vllm_node \\
  --network host \\
  --init \\
  --privileged \\
  --ipc host \\
  --volume "$(ssh spark-02 'printf %s "$HOME"')"/models:/models \\
  --label spark-vllm-cluster.spec={dict(CONTAINER.all_labels)["spark-vllm-cluster.spec"]} \\
  --label 'spark-vllm-cluster.settings={settings}' \\
  --env 'NOTE=two words' \\
  --env HF_TOKEN \\
  --env VLLM_API_KEY \\
  vllm-node run-service ray 0123456789ab ray start \\
  {DOCUMENT}
docker --host ssh://spark-02 cp /s/ray-token vllm_node:/run/secrets/ray-token
docker --host ssh://spark-02 start vllm_node"""

    assert ("spark2", expected) == (step.place, step.text)


def test_start_service() -> None:
    """The server is a command that runs in the background of the head's container."""
    step = StartService(
        title="Serve m",
        spec=SPEC,
        argv=("run-service", "serve", "0123456789ab", "vllm", "serve", "m"),
        environment=(),
        handle=HANDLE,
    )
    line = "docker --host ssh://spark-02 exec --detach"
    words = "vllm_node run-service serve 0123456789ab vllm serve m"

    assert ("spark2", f"{line} {words}") == (step.place, step.text)
    assert (
        f"{READ_SECRETS} \\\n  {line} --env HF_TOKEN --env VLLM_API_KEY {words} \\\n  {DOCUMENT}"
    ) == replace(step, environment=SECRETS).text


def test_remove_container() -> None:
    """A container has time to stop and is then removed."""
    step = RemoveContainer(title="Stop ray", handle=HANDLE, seconds=5)
    docker = "docker --host ssh://spark-02"

    assert f"{docker} stop --time 5 vllm_node\n{docker} rm vllm_node" == step.text
    assert "spark2" == step.place


def test_text_of_share_token() -> None:
    """A token is copied from the head's container or generated; no line shows it."""
    step = ShareToken(path="/s/a token", holder=HANDLE, container_path="/run/secrets/ray-token")
    expected = (
        "test -s '/s/a token' ||\n"
        "  docker --host ssh://spark-02 cp vllm_node:/run/secrets/ray-token '/s/a token'"
        " 2>/dev/null ||\n"
        "  (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >'/s/a token')"
    )

    assert ("spark2", expected) == (step.place, step.text)


def test_share_token(tmp_path: Path) -> None:
    """Without a container, 32 random bytes are generated once, for their owner alone."""
    file = tmp_path / "a token"
    step = ShareToken(path=str(file), holder=HANDLE, container_path="/run/secrets/ray-token")
    script = f"docker() {{ return 1; }}; {step.text}"
    codes = [shell(script).returncode]
    first = file.read_text(encoding="utf-8")
    codes.append(shell(script).returncode)

    assert [0, 0] == codes
    assert (64, 0o600) == (len(bytes.fromhex(first)) * 2, stat.S_IMODE(file.stat().st_mode))
    assert first == file.read_text(encoding="utf-8")


def test_text_of_stop_service() -> None:
    """A service gets SIGTERM and has its time; then its whole process group gets SIGKILL."""
    docker = "docker --host ssh://spark-02 exec vllm_node"
    expected = (
        f"""{docker} timeout 20 sh -c 'set -- "$(cat "$0")"; kill -s TERM "$1"; """
        """while kill -s 0 "$1" 2>/dev/null; do sleep 0.1; done; rm -f "$0"' """
        """/run/x/serve.pid ||\n"""
        f"""  {docker} sh -c 'kill -s KILL -- "-$(cat "$0")"; rm -f "$0"' /run/x/serve.pid"""
    )
    step = StopService(title="Stop serve", handle=HANDLE, seconds=20)

    assert ("spark2", expected) == (step.place, step.text)


def test_stop_service(start: Start) -> None:
    """A service that handles SIGTERM ends by itself."""
    service, handle = start(f"trap 'exit 7' TERM; {LOOP}")
    step = StopService(title="Stop serve", handle=handle, seconds=10)
    # The service's parent must reap it, as the container's init does.
    with subprocess.Popen(step.argv) as command:
        codes = [service.wait(timeout=10), command.wait(timeout=10)]

    assert [7, 0] == codes
    assert not Path(handle.pid_file).exists()


def test_stop_service_that_ignores_sigterm(start: Start) -> None:
    """A service that ignores SIGTERM is killed with its children."""
    service, handle = start(f"trap '' TERM; ({LOOP}) & {LOOP}")

    assert 124 == stopped(handle, 0.5)
    # The pipe ends with the last process that could write into it.
    assert b"" == service.communicate(timeout=10)[0]
    assert -9 == service.returncode
    assert not Path(handle.pid_file).exists()


def test_stop_service_that_has_ended(start: Start) -> None:
    """Stopping a service that has ended already succeeds."""
    service, handle = start("exit 3")
    service.wait(timeout=10)

    assert 0 == stopped(handle, 5)
    assert not Path(handle.pid_file).exists()
