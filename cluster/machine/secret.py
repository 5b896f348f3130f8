"""Secrets in files: made once, readable by their owner alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

SIZE = 32
"""Random bytes in a token."""


def ensure(path: Path) -> None:
    """Make a token at `path` unless there is one."""
    if not path.exists():
        keep(path, secrets.token_hex(SIZE).encode())


def keep(path: Path, content: bytes) -> None:
    """Write a secret at `path` unless another program does so first.

    It is written aside and then linked: two that start at once agree on one, and no reader sees
    half of it.
    """
    descriptor, aside = mkstemp(dir=path.parent)  # mkstemp's files are 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    with suppress(FileExistsError):
        os.link(aside, path)
    Path(aside).unlink()
