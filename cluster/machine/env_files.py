"""The env files on disk; any error in reading one becomes its text."""

from collections.abc import Iterator
from pathlib import Path

from cluster.node import DEFAULT, env_folder
from cluster.settings.syntax import EnvText
from cluster.settings.values import LABEL, one_line
from cluster.text import did_you_mean

REMEDY = "remove it, or make it a file that you may read"


def clusters(root: Path) -> tuple[str, ...]:
    """Return the names of the existing clusters: the default one, then the folders of env/.

    A folder without env files may contain clusters instead: `examples/two-sparks`.
    """
    top = root / env_folder(DEFAULT)
    folders = {path for path in top.iterdir() if path.is_dir()} if top.is_dir() else set()
    nested = {path.parent for path in top.glob("*/*/*.env")}
    groups = {path.parent for path in nested if not any(path.parent.glob("*.env"))}
    paths = (folders - groups) | {path for path in nested if path.parent in groups}
    names = {path.relative_to(top).as_posix() for path in paths}
    valid = {name for name in names if all(map(LABEL.fullmatch, name.split("/")))}
    return (DEFAULT, *sorted(valid - {DEFAULT}))


def env_files(root: str, cluster: str) -> tuple[EnvText, ...]:
    """Return the env files of a cluster, sorted by name; an unreadable one has its error."""
    try:
        names = clusters(Path(root))
        if cluster not in names:
            remedy = did_you_mean(cluster, names, f"clusters: {', '.join(names)}")
            return (_unreadable(env_folder(cluster), "no such cluster", remedy),)
        return tuple(_files(Path(root, env_folder(cluster)), env_folder(cluster)))
    except OSError as error:
        remedy = "make it a folder that you may read"
        return (_unreadable(env_folder(cluster), _reason(error), remedy),)


def _files(folder: Path, shown: str) -> Iterator[EnvText]:
    """Yield every `*.env`; as in a shell, `*` excludes hidden files, such as an editor's locks."""
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".env") and not path.name.startswith("."):
            yield _read(path, shown + path.name)


def _read(path: Path, shown: str) -> EnvText:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for its writer
            return _unreadable(shown, "is not a file", REMEDY)
        return EnvText(path=one_line(shown), text=path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _unreadable(shown, "is not UTF-8 text", "save it as UTF-8")
    except OSError as error:
        return _unreadable(shown, _reason(error), REMEDY)


def _unreadable(shown: str, error: str, remedy: str) -> EnvText:
    return EnvText(path=one_line(shown), error=error, remedy=remedy)


def _reason(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or str(error)).lower()}"
