"""Rounds of measurements: contenders take turns, so that a busy machine slows all of them."""

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import NamedTuple

Measure = Callable[[], float]
"""Does the work once, and returns the seconds that it took."""
TITLES = ("", "median", "p90", "ratio")


class Row(NamedTuple):
    """The measurements of one contender, summarised."""

    name: str
    median: float
    p90: float
    ratio: float
    """Its median divided by that of the first contender."""


def interleaved(
    contenders: Mapping[str, Measure], rounds: int, warmups: int
) -> dict[str, list[float]]:
    """Return the seconds of each contender; the first `warmups` rounds do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(warmups + rounds):
        for name, measure in contenders.items():
            seconds[name].append(measure())
    return {name: measured[warmups:] for name, measured in seconds.items()}


def rows(seconds: Mapping[str, list[float]]) -> tuple[Row, ...]:
    """Return a row for each contender, in their order."""
    reference = median(next(iter(seconds.values())))
    return tuple(
        Row(name, median(measured), p90(measured), median(measured) / reference)
        for name, measured in seconds.items()
    )


def p90(seconds: list[float]) -> float:
    """Return the 90th percentile; of a single measurement, itself."""
    return quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def table(results: tuple[Row, ...], digits: int) -> str:
    """Return the rows as a Markdown table, with this many digits after the point."""
    cells = (
        (row.name, f"{row.median:.{digits}f} s", f"{row.p90:.{digits}f} s", f"{row.ratio:.2f}")
        for row in results
    )
    lines = (TITLES, ("---", "---:", "---:", "---:"), *cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
