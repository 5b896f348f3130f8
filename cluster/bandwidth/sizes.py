"""The sizes of the buffers that are measured, from the largest that the user wants."""

from cluster.errors import Problem, RefusedError
from cluster.settings.values import WrongValueError, size

MIB = 1 << 20
SMALLEST = 8 * MIB
"""Smaller ones measure how long a message takes to start, not what the link carries."""
STEP = 8
MOST = 1 << 30
"""NVIDIA's own test of 16 GB takes 32 GB a node: that has frozen machines (dgx-spark-playbooks,
issue 102)."""
LEAST = 1 << 10
"""Something for every rank (docker/nccl.py)."""


def sizes(largest: str) -> tuple[int, ...]:
    """Return the sizes in bytes, up to the largest; a RefusedError says what is wrong with it."""
    try:
        most = size(LEAST)(largest)
    except WrongValueError as error:
        raise _refused(error.message, error.remedy) from None
    if most > MOST:
        raise _refused("is too much: larger buffers have frozen Sparks", "at most 1g")
    return (*_steps(most), most)


def _steps(most: int) -> tuple[int, ...]:
    """Return the sizes below the largest."""
    found, step = [], SMALLEST
    while step < most:
        found.append(step)
        step *= STEP
    return tuple(found)


def _refused(message: str, remedy: str) -> RefusedError:
    return RefusedError(Problem(place="--largest", message=message, remedy=remedy))


def shown(count: int) -> str:
    """Return a number of bytes as people say it: `256 MiB`."""
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{round(count / unit, 1):g} {name}"
    return f"{count} B"
