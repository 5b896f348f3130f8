"""Files and folders of this machine: found, read, replaced in one step, linked, locked."""

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from typing import TextIO

from cluster.machine.terminal import Report

SECRET_BYTES = 32
"""Random bytes in a generated secret."""
NEW_FILE = 0o666
"""Permissions of a new file, before the umask."""
OWNER_ONLY = 0o600
temporary_folder = TemporaryDirectory
"""A new folder that is removed at the end of a `with` block."""


def exists(path: str) -> bool:
    """Whether there is a file or folder at the path."""
    return Path(path).exists()


def is_readable(path: str) -> bool:
    """Whether the path is a file that this user may read."""
    return Path(path).is_file() and os.access(path, os.R_OK)


def is_executable(path: str) -> bool:
    """Whether the path is a file that this user may execute."""
    return Path(path).is_file() and os.access(path, os.X_OK)


def absolute(path: str) -> str:
    """Return the absolute path; `~` is the user's home folder."""
    return str(Path(path).expanduser().absolute())


def matches(folder: str, pattern: str) -> tuple[str, ...]:
    """Return the paths below a folder that match a pattern like `*/*.py`, sorted."""
    return tuple(str(path) for path in sorted(Path(folder).glob(pattern)))


def free_bytes(folder: str) -> int:
    """Return the free space on the disk of a folder, in bytes."""
    return shutil.disk_usage(folder).free


def text(path: str) -> str:
    """Return the text of a file; empty if it cannot be read."""
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def content(path: str) -> bytes:
    """Return the bytes of a file; an OSError if it cannot be read."""
    return Path(path).read_bytes()


def size(path: str) -> int:
    """Return the bytes of a file; 0 if it does not exist."""
    with suppress(OSError):
        return Path(path).stat().st_size
    return 0


def read_from(path: str, start: int) -> bytes:
    """Return the content of a file from a byte on; empty if it cannot be read."""
    with suppress(OSError), Path(path).open("rb") as file:
        file.seek(start)
        return file.read()
    return b""


def make_folder(path: str, mode: int = 0o700) -> None:
    """Make a folder and its parents, unless it is there; by default only its owner can enter it."""
    Path(path).mkdir(mode=mode, parents=True, exist_ok=True)


def remove_folder(path: str, *, ignore_errors: bool = False) -> None:
    """Remove a folder with everything in it, if it is there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path, ignore_errors=ignore_errors)


def remove_file(path: str) -> None:
    """Remove a file or a symbolic link, if it is there."""
    Path(path).unlink(missing_ok=True)


def copy_folder(source: str, target: str) -> None:
    """Copy a folder with its content to a path that does not exist yet."""
    shutil.copytree(source, target)


def link_or_copy(source: str, folder: str) -> None:
    """Link a file into a folder, which takes no space; copy it where it cannot be linked.

    It cannot be linked from another file system, or if it belongs to another user.
    """
    target = Path(folder, Path(source).name)
    target.unlink(missing_ok=True)
    try:
        os.link(Path(source).resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def link_target(path: str) -> str:
    """Return the text of a symbolic link; empty if the path is none."""
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def replace_link(path: str, target: str) -> None:
    """Point a symbolic link at `target` in one step; a folder in its place is moved aside.

    The folder's new name ends in `-replaced`.
    """
    link, fresh = Path(path), Path(f"{path}-link")
    if link.is_dir() and not link.is_symlink():
        link.rename(f"{path}-replaced")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def private_log(path: str) -> TextIO:
    """Open an empty log for its owner alone; each line is on disk at once, carriage returns too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="", buffering=1)


def write(path: str, content: str | bytes, mode: int | None = None) -> None:
    """Replace a file in one step: readers see the old content or the new one, never half of it.

    Without `mode`, a file keeps its permissions, and a new one gets those of the umask. A symbolic
    link stays, and what it points to is replaced.
    """
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else NEW_FILE & ~_umask()
    descriptor, aside = mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        _fill(descriptor, content)
        Path(aside).chmod(mode)
        Path(aside).replace(target)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def ensure_secret(path: str) -> None:
    """Make a random secret in a file for its owner alone, unless the file is there."""
    if not exists(path):
        keep_secret(path, secrets.token_hex(SECRET_BYTES).encode())


def keep_secret(path: str, content: bytes) -> None:
    """Write a secret to a file for its owner alone, unless another program does so first.

    It is written aside and then linked: two programs that start at once agree on one secret, and no
    reader sees half of it.
    """
    descriptor, aside = mkstemp(dir=Path(path).parent)  # mkstemp's files are 0600
    try:
        _fill(descriptor, content)
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        Path(aside).unlink()


@contextmanager
def locked(path: str, report: Report, place: str, waiting: str) -> Iterator[int]:
    """Lock an existing file or folder during the block; yield its file descriptor.

    While another program holds it, the step `waiting` is shown. The lock of a program that dies is
    released by the kernel.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report.step(place, waiting):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: str | bytes) -> None:
    """Write a whole file to the disk, and close it."""
    with os.fdopen(descriptor, "wb") as file:
        if isinstance(content, str):
            content = content.encode(errors="surrogateescape")
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
