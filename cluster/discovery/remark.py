"""What a person should know or decide: a problem, and lines to write somewhere."""

from dataclasses import dataclass

from cluster.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A question that the facts leave open, or a warning."""

    problem: Problem
    lines: tuple[str, ...] = ()
    """Text of a file that the remedy speaks of."""

    def __str__(self) -> str:
        """Render the problem on a line, and the text below it, set in."""
        return "\n".join((str(self.problem), *(f"    {line}" for line in self.lines)))


def remark(place: str, message: str, remedy: str = "", lines: tuple[str, ...] = ()) -> Remark:
    """Return a remark on a host, or on several: `spark1, spark2`."""
    return Remark(problem=Problem(place=place, message=message, remedy=remedy), lines=lines)
