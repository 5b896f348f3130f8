"""The shell text of each small step; what can run anywhere is run by a real shell."""

import stat
import subprocess
from pathlib import Path

from cluster.namespaces.steps import Command
from cluster.plan.steps import Await, MakeFolder, MakeSecret, WriteFile


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the POSIX shell of this machine."""
    return subprocess.run(
        ["/bin/sh", "-c", script], check=False, capture_output=True, text=True, timeout=30
    )


def test_folder(tmp_path: Path) -> None:
    """A folder is for its owner alone."""
    step = MakeFolder(place="link", path=str(tmp_path / "a b"))
    run = shell(step.text)

    assert f"mkdir -p -m 700 '{tmp_path}/a b'" == step.text
    assert (0, 0o700) == (run.returncode, stat.S_IMODE((tmp_path / "a b").stat().st_mode))


def test_text(tmp_path: Path) -> None:
    """A file gets its content to the letter."""
    content = "127.0.0.1 localhost\n%s \\n it's\n"
    shell(WriteFile(place="link", path=str(tmp_path / "a b"), content=content).text)

    assert content == (tmp_path / "a b").read_text(encoding="utf-8")


def test_line_of_a_text() -> None:
    """The line shows the content."""
    step = WriteFile(place="link", path="/s/hosts", content="127.0.0.1 localhost\n")

    assert "printf %s '127.0.0.1 localhost\n' >/s/hosts" == step.text


def test_line_of_a_token() -> None:
    """The line makes a token, and shows none."""
    expected = (
        "test -s /s/token || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >/s/token)"
    )

    assert expected == MakeSecret(place="spark1", path="/s/token").text


def test_token(tmp_path: Path) -> None:
    """A token is 32 random bytes that only its owner reads, and is made once."""
    file = tmp_path / "token"
    step = MakeSecret(place="spark1", path=str(file))
    shell(step.text)
    first = file.read_text(encoding="utf-8")
    shell(step.text)

    assert (64, 0o600) == (len(bytes.fromhex(first)) * 2, stat.S_IMODE(file.stat().st_mode))
    assert first == file.read_text(encoding="utf-8")


def command(*argv: str) -> Command:
    """Return a command of this machine."""
    return Command(place="spark1", argv=argv)


def test_gate() -> None:
    """A gate is a command that is run once."""
    step = Await(
        place="spark1",
        title="Check that port 8000 is free",
        query=command("probe", "listen-free"),
        problems=lambda _text: (),
        seconds=0,
    )

    assert "probe listen-free" == step.text


def test_gate_by_hand() -> None:
    """By hand a gate that waits is one command that waits for all of that time."""
    step = Await(
        place="spark1",
        title="Wait until the head answers",
        query=command("probe", "port", "--wait", "2"),
        patient_query=command("probe", "port", "--wait", "60"),
        problems=lambda _text: (),
        seconds=60,
    )

    assert "probe port --wait 60" == step.text
