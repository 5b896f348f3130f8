"""Rounds of measurements: contenders take turns, so that a busy machine is busy for all of them."""

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import NamedTuple

Measure = Callable[[], float]
"""Does the work once, and returns seconds."""
TITLES = ("", "median", "p90", "ratio")


class Row(NamedTuple):
    """What the rounds of one contender say."""

    name: str
    median: float
    p90: float
    ratio: float
    """Of its median to that of the yardstick, which is the first contender."""


def interleaved(
    contenders: Mapping[str, Measure], rounds: int, warmups: int
) -> dict[str, list[float]]:
    """Return the seconds of each contender; the first `warmups` rounds do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(warmups + rounds):
        for name, measure in contenders.items():
            seconds[name].append(measure())
    return {name: its[warmups:] for name, its in seconds.items()}


def rows(seconds: Mapping[str, list[float]]) -> tuple[Row, ...]:
    """Return a row for each contender, in their order."""
    yardstick = median(next(iter(seconds.values())))
    return tuple(
        Row(name, median(its), p90(its), median(its) / yardstick) for name, its in seconds.items()
    )


def p90(seconds: list[float]) -> float:
    """Return what nine of ten measurements stay below; of a single one, itself."""
    return quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def table(found: tuple[Row, ...], digits: int) -> str:
    """Return the rows as a Markdown table, seconds with so many digits."""
    cells = (
        (row.name, f"{row.median:.{digits}f} s", f"{row.p90:.{digits}f} s", f"{row.ratio:.2f}")
        for row in found
    )
    lines = (TITLES, ("---", "---:", "---:", "---:"), *cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
