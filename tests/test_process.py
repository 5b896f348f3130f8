"""The shell text of each step on processes; what can run anywhere is run by a real shell."""

import subprocess
from dataclasses import replace
from pathlib import Path

from cluster.commands.run_spec import RunSpec
from cluster.namespaces.steps import Command, HoldNamespaces, ProcessHandle, StartProcess
from cluster.words import FileText, Secret

ENVIRONMENT = (
    ("PATH", "/bin"),
    ("NOTE", "two words"),
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", FileText("/s/api-key")),
)
NAMES = "HF_TOKEN VLLM_API_KEY"
READ = f'for name in {NAMES}; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-'
TRACE = ProcessHandle(
    place="spark1", service="ray", pid_file="/s/ray.pid", mark=("MARK", "/s"), log="/s/ray.log"
)
SPEC = RunSpec(node="spark1", service="ray", argv=("ray", "start"), environment=ENVIRONMENT)


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the POSIX shell of this machine."""
    return subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=30
    )


def test_command() -> None:
    """A command has its whole environment in front, and no secret on the line."""
    step = Command(place="spark1", argv=("echo", "a b"), environment=ENVIRONMENT)
    expected = f"""\
env -i \\
  PATH=/bin \\
  NOTE='two words' \\
  sh -c '{READ}' secrets \\
  echo 'a b' \\
  3<<EOF
${{HF_TOKEN:?is set in env/cluster.env:7}}
$(cat /s/api-key)
EOF"""

    assert expected == step.text


def test_command_of_this_machine() -> None:
    """A command without an environment of its own has that of the shell."""
    step = Command(place="link", argv=("nsenter", "--target", FileText("/s/init.pid"), "ip", "a"))

    assert 'nsenter --target "$(cat /s/init.pid)" ip a' == step.text


def test_start() -> None:
    """A service runs in the background, without the terminal, and writes into its log."""
    step = StartProcess(
        title="Start Ray",
        spec=SPEC,
        argv=("setsid", "ray", "start"),
        environment=ENVIRONMENT[:1],
        handle=TRACE,
    )
    expected = """\
rm -f /s/ray.pid
env -i \\
  PATH=/bin \\
  setsid ray start \\
  </dev/null >/s/ray.log 2>&1 &"""

    assert ("spark1", expected) == (step.place, step.text)


def test_holder() -> None:
    """A holder is waited for, set up, and only then ready."""
    step = HoldNamespaces(
        title="Make the link",
        argv=("setsid", "unshare", "--net", "sleep", "inf"),
        environment=ENVIRONMENT[:1],
        handle=TRACE,
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
    """The wait for a process ends when the process has written its number."""
    step = HoldNamespaces(
        title="Make the link",
        argv=("sh", "-c", 'sleep 0.2; echo "$$" >"$0"', str(tmp_path / "init.pid")),
        environment=(("PATH", "/usr/bin:/bin"),),
        handle=replace(TRACE, pid_file=str(tmp_path / "init.pid"), log=str(tmp_path / "log")),
        ready=str(tmp_path / "ready"),
        remedy="",
        setup=(Command(place="link", argv=("test", "-s", str(tmp_path / "init.pid"))),),
    )
    run = shell(f"set -e\n{step.text}")

    assert (0, "") == (run.returncode, run.stderr)
    assert (tmp_path / "ready").exists()
