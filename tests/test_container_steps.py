"""The shell text of each step on containers; what needs no Docker is run by a real shell."""

import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

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
)
from cluster.host import Host
from cluster.words import FileText, Secret

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
# Docker, played by a program that prints the words after the container's name.
ECHO = 'while [ "$1" != vllm_node ]; do shift; done; shift; printf \'%s\\0\' "$@"'
READ = (
    """sh -c 'for name in HF_TOKEN VLLM_API_KEY; do IFS= read -r "$name" <&3; """
    """export "$name"; done; exec "$@" 3<&-' secrets"""
)
DOCUMENT = "3<<EOF\n${HF_TOKEN:?is set in env/cluster.env:7}\n$(cat /s/api-key)\nEOF"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def shell(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the POSIX shell of this machine."""
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        ["/bin/sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
    )


def test_exec() -> None:
    """A command in a container is a `docker exec`, on the node's own engine."""
    plain = replace(EXEC, host=LOCAL)

    assert "docker exec vllm_node bash -c 'a b'" == plain.text
    assert "docker --host ssh://spark-02 exec vllm_node bash -c 'a b'" == EXEC.text


def test_exec_with_variables() -> None:
    """A variable is given, a secret by its name; its value comes in by a here-document."""
    expected = (
        f"{READ} \\\n"
        "  docker --host ssh://spark-02 exec --env 'NOTE=two words' --env HF_TOKEN"
        " --env VLLM_API_KEY vllm_node bash -c 'a b' \\\n"
        f"  {DOCUMENT}"
    )

    assert expected == replace(EXEC, environment=ENVIRONMENT).text


def test_attached_locally() -> None:
    """On this machine the client has the terminal, or the pipes, of who runs it."""
    local = replace(EXEC, host=LOCAL)
    end = ("vllm_node", "bash", "-c", "a b")

    assert ("docker", "exec", "--interactive", "--tty", *end) == local.attached(terminal=True).argv
    assert ("docker", "exec", "--interactive", *end) == local.attached(terminal=False).argv


def test_attached_over_ssh() -> None:
    """On another machine its own client does: SSH carries the terminal there."""
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
def test_attached_words_survive(words: list[str]) -> None:
    """The shell of the other machine hands each word on as it was typed."""
    line = str(replace(EXEC, argv=tuple(words)).attached(terminal=True).argv[-1])
    run = subprocess.run(
        ["/bin/sh", "-c", f"docker() {{ {ECHO}; }}; {line}"], check=True, capture_output=True
    )

    assert words == run.stdout.decode().split("\0")[:-1]


@given(value=TEXT)
def test_a_variable_survives(value: str) -> None:
    """A value arrives in `--env` with exactly the text that it has: quotes, newlines, `$`."""
    line = replace(EXEC, host=LOCAL, environment=(("NAME", value),)).text
    script = f"docker() {{ printf '%s\\0' \"$3\"; }}; {line}"
    run = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)

    assert f"NAME={value}\0" == run.stdout.decode()


def test_run_once() -> None:
    """What runs in a container of its own leaves none."""
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
    """A container is made, gets its files, and starts; secrets are nowhere in its line."""
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
{READ} \\
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
    """The server is a command of the head's container, in the background."""
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
        f"{READ} \\\n  {line} --env HF_TOKEN --env VLLM_API_KEY {words} \\\n  {DOCUMENT}"
    ) == replace(step, environment=SECRETS).text


def test_remove_container() -> None:
    """A container has its time, and then goes."""
    step = RemoveContainer(title="Stop ray", handle=HANDLE, seconds=5)
    docker = "docker --host ssh://spark-02"

    assert f"{docker} stop --time 5 vllm_node\n{docker} rm vllm_node" == step.text
    assert "spark2" == step.place


def test_line_of_a_shared_token() -> None:
    """A token is taken from the head's container, or made; none shows."""
    step = ShareToken(path="/s/a token", holder=HANDLE, container_path="/run/secrets/ray-token")
    expected = (
        "test -s '/s/a token' ||\n"
        "  docker --host ssh://spark-02 cp vllm_node:/run/secrets/ray-token '/s/a token'"
        " 2>/dev/null ||\n"
        "  (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >'/s/a token')"
    )

    assert ("spark2", expected) == (step.place, step.text)


def test_shared_token(tmp_path: Path) -> None:
    """Without a container, or a Docker, a token is made: 32 bytes, its owner's alone, once."""
    file = tmp_path / "a token"
    step = ShareToken(path=str(file), holder=HANDLE, container_path="/run/secrets/ray-token")
    script = f"docker() {{ return 1; }}; {step.text}"
    codes = [shell(script).returncode]
    first = file.read_text(encoding="utf-8")
    codes.append(shell(script).returncode)

    assert [0, 0] == codes
    assert (64, 0o600) == (len(bytes.fromhex(first)) * 2, stat.S_IMODE(file.stat().st_mode))
    assert first == file.read_text(encoding="utf-8")
