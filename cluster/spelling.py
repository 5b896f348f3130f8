"""The known word that somebody probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word most like `word`, capitals aside; empty when none is near."""
    spellings = {candidate.casefold(): candidate for candidate in known}
    return next((spellings[near] for near in get_close_matches(word.casefold(), spellings, 1)), "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the remedy for an unknown word: the nearest one as a question, or `otherwise`."""
    return f"did you mean {near}?" if (near := nearest(word, known)) else otherwise
