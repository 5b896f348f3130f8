"""The shell text of the steps that all runtimes share, run by a real shell where possible."""

import stat
from pathlib import Path

from cluster.namespaces.steps import Command
from cluster.plan.steps import Await, MakeFolder, MakeSecret, RemoveFolder, WriteFile
from tests.posix_shell import shell


def command(*argv: str) -> Command:
    """Return a command of this machine."""
    return Command(place="spark1", argv=argv)


def test_make_folder(tmp_path: Path) -> None:
    """Only its owner can enter a new folder."""
    step = MakeFolder(place="link", path=str(tmp_path / "a b"))
    result = shell(step.text)

    assert f"mkdir -p -m 700 '{tmp_path}/a b'" == step.text
    assert (0, 0o700) == (result.returncode, stat.S_IMODE((tmp_path / "a b").stat().st_mode))


def test_write_file(tmp_path: Path) -> None:
    """A file gets exactly the step's content."""
    content = "127.0.0.1 localhost\n%s \\n it's\n"
    shell(WriteFile(place="link", path=str(tmp_path / "a b"), content=content).text)

    assert content == (tmp_path / "a b").read_text(encoding="utf-8")


def test_text_of_write_file() -> None:
    """The shell line shows the content."""
    step = WriteFile(place="link", path="/s/hosts", content="127.0.0.1 localhost\n")

    assert "printf %s '127.0.0.1 localhost\n' >/s/hosts" == step.text


def test_text_of_make_secret() -> None:
    """The shell line generates a secret and shows none."""
    expected = (
        "test -s /s/token || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >/s/token)"
    )

    assert expected == MakeSecret(place="spark1", path="/s/token").text


def test_make_secret(tmp_path: Path) -> None:
    """A secret is 32 random bytes that only its owner can read, and is generated once."""
    file = tmp_path / "token"
    step = MakeSecret(place="spark1", path=str(file))
    shell(step.text)
    first = file.read_text(encoding="utf-8")
    shell(step.text)

    assert (64, 0o600) == (len(bytes.fromhex(first)) * 2, stat.S_IMODE(file.stat().st_mode))
    assert first == file.read_text(encoding="utf-8")


def test_remove_folder(tmp_path: Path) -> None:
    """A folder of any name is removed with its content."""
    folder = tmp_path / "-a b"
    (folder / "c").mkdir(parents=True)
    step = RemoveFolder(place="link", path=str(folder))
    shell(step.text)

    assert f"rm -rf -- '{folder}'" == step.text
    assert [] == list(tmp_path.iterdir())


def test_text_of_a_check() -> None:
    """An `Await` that asks once is its query."""
    step = Await(
        place="spark1",
        title="Check that port 8000 is free",
        query=command("probe", "listen-free"),
        problems=lambda _text: (),
        seconds=0,
    )

    assert "probe listen-free" == step.text


def test_text_of_a_wait() -> None:
    """The shell text of an `Await` that repeats is one command that waits for the whole time."""
    step = Await(
        place="spark1",
        title="Wait until the head answers",
        query=command("probe", "port", "--wait", "2"),
        patient_query=command("probe", "port", "--wait", "60"),
        problems=lambda _text: (),
        seconds=60,
    )

    assert "probe port --wait 60" == step.text
