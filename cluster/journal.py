"""What the log of Ray or vLLM says: the present phase, the first fatal line, and the lines worth showing."""

from collections.abc import Sequence

FATAL = (
    "Traceback (most recent call last)",
    "EngineCore failed to start",
    "error: unrecognized arguments",
)
SHOWN = 12


def phase(line: str) -> str:
    """Return what the program does from this line on, in a few words; empty when the line does not tell."""
    return ""


def fatal(line: str) -> bool:
    """Tell whether the program cannot recover from what this line says."""
    return any(text in line for text in FATAL)


def excerpt(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that say why the program ended: from the first fatal line, else the last ones."""
    first = next(
        (number for number, line in enumerate(lines) if fatal(line)), max(0, len(lines) - SHOWN)
    )
    return tuple(lines[first : first + SHOWN])
