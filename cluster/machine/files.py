"""Files of this machine: read, written whole, kept secret, locked."""

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from cluster.machine.terminal import Report

SECRET_BYTES = 32
"""Random bytes in a generated secret."""
NEW_FILE = 0o666
"""Permissions of a new file, before the umask."""


def exists(path: str) -> bool:
    """Whether there is a file or folder at the path."""
    return Path(path).exists()


def text(path: str) -> str:
    """Return the text of a file; empty if it cannot be read."""
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def make_folder(path: str) -> None:
    """Make a folder that only its owner can enter, and its parents, unless it is there."""
    Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)


def remove_folder(path: str) -> None:
    """Remove a folder with everything in it, if it is there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


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
    """Hold the lock of a file or folder that exists; yield its file descriptor.

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
