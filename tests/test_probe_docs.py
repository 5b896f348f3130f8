"""What the page on `inv probe` shows as printed, rendered by the code that prints it."""

import pytest

from cluster.discovery import pages
from cluster.discovery.outcome import Outcome
from tests import pages as documents
from tests import situations
from tests.cabling import ONE, PAIR, joined, sparks, switch
from tests.env_files import after, probed
from tests.pages import ROOT

COMMAND = "`inv probe --write -- spark1 spark2`"


def shown(word: str) -> str:
    """Return the block of the page that has this word."""
    blocks = documents.blocks(ROOT / "docs/probe.md")
    (text,) = (block.text for block in blocks if (block.language, block.word) == ("text", word))
    return text


def printed(its: Outcome) -> str:
    """Return all that is printed of an outcome."""
    return pages.text(its) + pages.ending(its, COMMAND)


@pytest.mark.parametrize("word, situation", [("new", "one-cable"), ("questions", "no-address")])
def test_situations(word: str, situation: str) -> None:
    """What is proposed, and what is asked."""
    assert shown(word) == printed(probed(situations.probed(situation), {}))


def test_drift() -> None:
    """Lines for a cable that has moved to the other port."""
    before = after(probed(situations.probed("one-cable"), {}))
    now = probed(joined(sparks(2), switch(PAIR, *ONE)), before, named=False)

    assert shown("drift") == pages.drift(now)
