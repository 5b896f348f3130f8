"""The shell text of each kind of step; what can run anywhere is run by a real shell."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

from cluster.process import Command, Holder, Start, Trace
from cluster.spec import RunSpec
from cluster.step import Folder, Gate, Text, Token
from cluster.word import FileText, Secret

ENVIRONMENT = (
    ("PATH", "/bin"),
    ("NOTE", "two words"),
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", FileText("/s/api-key")),
)
NAMES = "HF_TOKEN VLLM_API_KEY"
READ = f'for it in {NAMES}; do read -r "$it" <&3; export "$it"; done; exec "$@" 3<&-'
TRACE = Trace(
    place="spark1", service="ray", pid_file="/s/ray.pid", mark=("MARK", "/s"), log="/s/ray.log"
)
SPEC = RunSpec(node="spark1", service="ray", argv=("ray", "start"), environment=ENVIRONMENT)


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the POSIX shell of this machine."""
    return subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=30
    )


def test_folder(tmp_path: Path) -> None:
    """A folder is for its owner alone."""
    step = Folder(place="link", path=str(tmp_path / "a b"))
    run = shell(step.text)

    assert f"mkdir -p -m 700 '{tmp_path}/a b'" == step.text
    assert (0, 0o700) == (run.returncode, stat.S_IMODE((tmp_path / "a b").stat().st_mode))


def test_text(tmp_path: Path) -> None:
    """A file gets its content to the letter."""
    content = "127.0.0.1 localhost\n%s \\n it's\n"
    shell(Text(place="link", path=str(tmp_path / "a b"), content=content).text)

    assert content == (tmp_path / "a b").read_text(encoding="utf-8")


def test_line_of_a_text() -> None:
    """The line shows the content."""
    step = Text(place="link", path="/s/hosts", content="127.0.0.1 localhost\n")

    assert "printf %s '127.0.0.1 localhost\n' >/s/hosts" == step.text


def test_line_of_a_token() -> None:
    """The line makes a token, and shows none."""
    expected = (
        "test -s /s/token || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >/s/token)"
    )

    assert expected == Token(place="spark1", path="/s/token").text


def test_token(tmp_path: Path) -> None:
    """A token is 32 random bytes that only its owner reads, and is made once."""
    file = tmp_path / "token"
    step = Token(place="spark1", path=str(file))
    shell(step.text)
    first = file.read_text(encoding="utf-8")
    shell(step.text)

    assert (64, 0o600) == (len(bytes.fromhex(first)) * 2, stat.S_IMODE(file.stat().st_mode))
    assert first == file.read_text(encoding="utf-8")


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
    step = Start(
        title="Start Ray",
        spec=SPEC,
        argv=("setsid", "ray", "start"),
        environment=ENVIRONMENT[:1],
        trace=TRACE,
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
    step = Holder(
        title="Make the link",
        argv=("setsid", "unshare", "--net", "sleep", "inf"),
        environment=ENVIRONMENT[:1],
        trace=TRACE,
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
    step = Holder(
        title="Make the link",
        argv=("sh", "-c", 'sleep 0.2; echo "$$" >"$0"', str(tmp_path / "init.pid")),
        environment=(("PATH", "/usr/bin:/bin"),),
        trace=replace(TRACE, pid_file=str(tmp_path / "init.pid"), log=str(tmp_path / "log")),
        ready=str(tmp_path / "ready"),
        remedy="",
        setup=(Command(place="link", argv=("test", "-s", str(tmp_path / "init.pid"))),),
    )
    run = shell(f"set -e\n{step.text}")

    assert (0, "") == (run.returncode, run.stderr)
    assert (tmp_path / "ready").exists()


def test_gate() -> None:
    """A gate is a command that is run once."""
    step = Gate(
        place="spark1",
        title="Check that port 8000 is free",
        argv=("probe", "listen-free"),
        environment=ENVIRONMENT[:1],
        problems=lambda _text: (),
        seconds=0,
    )

    assert "env -i \\\n  PATH=/bin \\\n  probe listen-free" == step.text


def test_gate_by_hand() -> None:
    """By hand a gate that waits is one command that waits for all of that time."""
    step = Gate(
        place="spark1",
        title="Wait until the head answers",
        argv=("probe", "port", "--wait", "2"),
        by_hand=("probe", "port", "--wait", "60"),
        environment=(),
        problems=lambda _text: (),
        seconds=60,
    )

    assert "probe port --wait 60" == step.text
