"""Env files, read from a real disk."""

import os
from pathlib import Path

import pytest

from cluster.machine.env_files import clusters, env_files
from cluster.settings.syntax import EnvText

REMEDY = "remove it, or make it a file that you may read"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with two clusters."""
    (tmp_path / "env/lab").mkdir(parents=True)
    (tmp_path / "env/cluster.env").write_text("A=1\n", encoding="utf-8")
    (tmp_path / "env/spark1.env").write_text("B=1\n", encoding="utf-8")
    (tmp_path / "env/lab/spark9.env").write_text("C=1\n", encoding="utf-8")
    return tmp_path


def test_default(root: Path) -> None:
    """The files of the default cluster are those in env/ itself, sorted by name."""
    expected = (
        EnvText(path="env/cluster.env", text="A=1\n"),
        EnvText(path="env/spark1.env", text="B=1\n"),
    )

    assert expected == env_files(str(root), "default")


def test_named_cluster(root: Path) -> None:
    """The files of a named cluster are those in its folder."""
    assert (EnvText(path="env/lab/spark9.env", text="C=1\n"),) == env_files(str(root), "lab")


def test_other_files_are_left_out(root: Path) -> None:
    """Examples, hidden files and an editor's backups are ignored."""
    for name in ("spark2.env~", "node.env.example", ".env", "README"):
        (root / "env/lab" / name).write_text("x", encoding="utf-8")
    (root / "env/lab/.#spark9.env").symlink_to("nobody@nowhere")

    assert [file.path for file in env_files(str(root), "lab")] == ["env/lab/spark9.env"]


def test_encodings(root: Path) -> None:
    """A byte order mark is no part of the text; line ends are."""
    (root / "env/lab/spark9.env").write_bytes(b"\xef\xbb\xbfA=1\r\nB=\xc3\xa4\r\n")

    assert (EnvText(path="env/lab/spark9.env", text="A=1\r\nB=ä\r\n"),) == env_files(
        str(root), "lab"
    )


@pytest.mark.parametrize("content", [b"A=\xff\n", "A=1".encode("utf-16")])
def test_not_utf8(root: Path, content: bytes) -> None:
    """A file in a different encoding is reported."""
    (root / "env/lab/spark9.env").write_bytes(content)
    expected = EnvText(
        path="env/lab/spark9.env", error="is not UTF-8 text", remedy="save it as UTF-8"
    )

    assert (expected,) == env_files(str(root), "lab")


def test_not_files(root: Path) -> None:
    """A folder, a pipe, a dangling link and a loop are reported; none raises or blocks."""
    lab = root / "env/lab"
    (lab / "spark9.env").unlink()
    (lab / "a.env").mkdir()
    os.mkfifo(lab / "b.env")
    (lab / "c.env").symlink_to("nowhere")
    (lab / "d.env").symlink_to("d.env")

    assert env_files(str(root), "lab") == (
        EnvText(path="env/lab/a.env", error="is not a file", remedy=REMEDY),
        EnvText(path="env/lab/b.env", error="is not a file", remedy=REMEDY),
        EnvText(
            path="env/lab/c.env",
            error="cannot be read: no such file or directory",
            remedy=REMEDY,
        ),
        EnvText(
            path="env/lab/d.env",
            error="cannot be read: too many levels of symbolic links",
            remedy=REMEDY,
        ),
    )


def test_unprintable_name(root: Path) -> None:
    """Unprintable characters of a file's name are escaped."""
    (root / "env/lab/spark9.env").unlink()
    (root / os.fsdecode(b"env/lab/a\xff\n.env")).write_text("", encoding="utf-8")

    assert (EnvText(path="env/lab/a\\udcff\\n.env"),) == env_files(str(root), "lab")


@pytest.mark.parametrize(
    "name,path,remedy",
    [
        ("lap", "env/lap/", "did you mean lab?"),
        ("gold", "env/gold/", "clusters: default, lab"),
        ("..", "env/../", "clusters: default, lab"),
        ("", "env//", "clusters: default, lab"),
        ("x\ny", "env/x\\ny/", "clusters: default, lab"),
    ],
)
def test_no_such_cluster(root: Path, name: str, path: str, remedy: str) -> None:
    """A missing cluster is one error, with the names of those that exist."""
    expected = EnvText(path=path, error="no such cluster", remedy=remedy)

    assert (expected,) == env_files(str(root), name)


def test_no_folder(tmp_path: Path) -> None:
    """A missing env/ is one error, not a traceback."""
    expected = EnvText(
        path="env/",
        error="cannot be read: no such file or directory",
        remedy="make it a folder that you may read",
    )

    assert (expected,) == env_files(str(tmp_path), "default")


def test_clusters(root: Path) -> None:
    """The default comes first; a folder whose name is invalid is not a cluster."""
    for name in ("Big", "a_b", "default", "2nd"):
        (root / "env" / name).mkdir()

    assert clusters(root) == ("default", "2nd", "lab")


def test_clusters_in_a_folder(root: Path) -> None:
    """A folder without env files may contain clusters; a cluster contains no clusters."""
    for name in ("many/one", "many/two", "many/Big", "lab/old", "many/one/deep", "many/empty"):
        (root / "env" / name).mkdir(parents=True)
    for name in ("many/one", "many/two", "many/Big", "lab/old", "many/one/deep"):
        (root / "env" / name / "spark1.env").write_text("D=1\n", encoding="utf-8")

    assert clusters(root) == ("default", "lab", "many/one", "many/two")
    assert (EnvText(path="env/many/one/spark1.env", text="D=1\n"),) == env_files(
        str(root), "many/one"
    )
