"""Text for people: aligned columns, suggestions for mistyped words, and our name as typed."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches

OWN_COMMAND = re.compile(r"(^|`(?:[A-Z_]+=\S+ )?)inv(?=[ `:]|$)", re.MULTILINE)
"""The name of this program where a text tells its reader to type it: see `as_typed`."""
GIGABYTE = 1e9


def aligned(rows: tuple[tuple[str, ...], ...]) -> str:
    """Return one line per row, with columns as wide as their widest cell, two spaces apart."""
    widths = tuple(max(len(cell) for cell in column) for column in zip(*rows, strict=True))
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: tuple[int, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate most like `word`, ignoring case; empty when none is similar."""
    spellings = {candidate.casefold(): candidate for candidate in candidates}
    matches = get_close_matches(word.casefold(), spellings, 1)
    return spellings[matches[0]] if matches else ""


def did_you_mean(word: str, candidates: Iterable[str], otherwise: str = "") -> str:
    """Return the remedy for an unknown word: the nearest candidate, or `otherwise`."""
    return f"did you mean {match}?" if (match := nearest(word, candidates)) else otherwise


def as_typed(text: str, command: str) -> str:
    """Return a text that calls this program `command`, as the user does.

    Texts call it `inv`: in backticks, or at the start of a line. Variables may precede it.
    """
    if text.startswith(("{", "[")):
        command = json.dumps(command)[1:-1]
    return OWN_COMMAND.sub(lambda match: match[1] + command, text)


def data_size(count: int) -> str:
    """Return a number of bytes in decimal units, as networks and disks are sold."""
    return f"{count / GIGABYTE:.2f} GB" if count >= GIGABYTE / 10 else f"{count / 1e6:.1f} MB"
