"""Secrets in files: made once, readable by their owner alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

SIZE = 32
"""Random bytes in a token."""


def ensure(path: Path) -> None:
    """Make a token at `path` unless there is one.

    It is written aside and then linked: two that start at once agree on one token, and no reader
    sees half of it.
    """
    if path.exists():
        return
    descriptor, aside = mkstemp(dir=path.parent)  # mkstemp's files are 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_hex(SIZE))
    with suppress(FileExistsError):
        os.link(aside, path)
    Path(aside).unlink()
