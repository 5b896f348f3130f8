"""What the log of Ray or vLLM says: the present phase, whether all is lost, and why."""

import textwrap
from collections.abc import Iterator, Sequence

from cluster.logs import failure, logline, progress
from cluster.logs.failure import Failure

SHOWN = 8
"""Lines of an excerpt."""
WIDTH = 300
"""Characters of each."""


def phase(line: str) -> str:
    """Return what the program does from this line on; empty when the line does not tell."""
    return progress.phase(logline.read(line))


def fatal(line: str) -> bool:
    """Tell whether the program cannot recover from what this line says."""
    return failure.fatal(logline.read(line))


def excerpt(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the few lines that say why it ended: what failed first, else the last ones."""
    found = failure.failures(lines)
    if not found:
        return _last(lines)
    # A process that was killed cannot say so; what its peers noticed tells which node it was on.
    effects = [] if found[0].where else [it for it in found if it.indirect == 1][:1]
    return tuple(line for it in [found[0], *effects] for line in _shown(it))[:SHOWN]


def _shown(it: Failure) -> Iterator[str]:
    """Render a failure: its message, then who said it and where."""
    said = [line for text in it.said for line in textwrap.wrap(text, WIDTH)]
    yield from said[: SHOWN - 1]
    origin = [f"at {it.where}"] if it.where else []
    author = [f"said by {it.who}"] if it.who else []
    if it.where or it.who:
        yield ", ".join([*origin, *author])


def _last(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines without their decoration."""
    read = [logline.read(line) for line in lines]
    said = [f"{it.who}: {it.text}" if it.who else it.text for it in read if it.text]
    return tuple(text[:WIDTH] for text in said[-SHOWN:])
