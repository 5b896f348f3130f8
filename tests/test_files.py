"""Files on a real disk: replaced whole, kept secret, locked."""

import io
import stat
from pathlib import Path

import pytest

from cluster.machine import files
from cluster.machine.terminal import Report


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_replaced_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """The file behind a link is replaced and keeps its mode; no temporary file is left."""
    target = tmp_path / "elsewhere.env"
    target.write_text("ROLE=head\n", "utf-8")
    target.chmod(mode)
    (tmp_path / "a.env").symlink_to(target)
    files.write(f"{tmp_path}/a.env", "A=é\r\n")

    assert b"A=\xc3\xa9\r\n" == target.read_bytes()
    assert mode == stat.S_IMODE(target.stat().st_mode)
    assert ["a.env", "elsewhere.env"] == sorted(path.name for path in tmp_path.rglob("*"))


def test_new_file(tmp_path: Path) -> None:
    """A new file gets its folder and the permissions that the umask allows."""
    files.write(f"{tmp_path}/mine/a.env", "A=1\n")
    (tmp_path / "usual").write_text("", "utf-8")

    assert "A=1\n" == (tmp_path / "mine/a.env").read_text("utf-8")
    assert (tmp_path / "usual").stat().st_mode == (tmp_path / "mine/a.env").stat().st_mode


def test_failed_write(tmp_path: Path) -> None:
    """A failed write leaves the old file and no temporary file."""
    (tmp_path / "a.env").write_text("A=1\n", "utf-8")
    with pytest.raises(UnicodeEncodeError):
        files.write(f"{tmp_path}/a.env", "\ud800")

    assert ["a.env"] == [path.name for path in tmp_path.iterdir()]
    assert "A=1\n" == (tmp_path / "a.env").read_text("utf-8")


def test_secret(tmp_path: Path) -> None:
    """A generated secret is for its owner alone; an existing secret is kept."""
    path = f"{tmp_path}/token"
    files.ensure_secret(path)
    first = files.text(path)
    files.ensure_secret(path)
    files.keep_secret(path, b"another")

    assert 64 == len(first)
    assert first == files.text(path)
    assert 0o600 == stat.S_IMODE(Path(path).stat().st_mode)
    assert ["token"] == [entry.name for entry in tmp_path.iterdir()]


def test_text_of_a_missing_file(tmp_path: Path) -> None:
    """A file that cannot be read has an empty text."""
    assert "" == files.text(f"{tmp_path}/absent")


def test_lock(tmp_path: Path) -> None:
    """A free lock is taken without a message and released at the end."""
    output = io.StringIO()
    for _ in range(2):
        with files.locked(str(tmp_path), Report(output), "default", "Wait for another `inv`"):
            pass

    assert "" == output.getvalue()


def test_link_or_copy(tmp_path: Path) -> None:
    """A file is linked into a folder and replaces an older one; else it is copied."""
    source, folder = tmp_path / "a.whl", tmp_path / "wheels"
    source.write_text("new", "utf-8")
    folder.mkdir()
    (folder / "a.whl").write_text("old", "utf-8")
    files.link_or_copy(str(source), str(folder))
    files.link_or_copy("/proc/version", str(folder))

    assert (folder / "a.whl").samefile(source)
    assert Path("/proc/version").read_text("utf-8") == (folder / "version").read_text("utf-8")


def test_replaced_link(tmp_path: Path) -> None:
    """A link changes its target in one step; a folder in its place is renamed."""
    link = tmp_path / "venv"
    link.mkdir()
    before = files.link_target(str(link))
    for target in ("venv-1", "venv-2"):
        files.replace_link(str(link), target)

    assert ("", "venv-2") == (before, files.link_target(str(link)))
    assert ["venv", "venv-replaced"] == sorted(path.name for path in tmp_path.iterdir())


def test_private_log(tmp_path: Path) -> None:
    """A log is for its owner alone; every line is on disk as soon as it is written."""
    with files.private_log(f"{tmp_path}/log") as log:
        log.write("a\rb\n")
        written = (tmp_path / "log").read_bytes()

    assert b"a\rb\n" == written
    assert 0o600 == stat.S_IMODE((tmp_path / "log").stat().st_mode)
