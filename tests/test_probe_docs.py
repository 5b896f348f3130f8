"""The examples in docs/probe.md are what `inv probe` prints."""

import pytest

from cluster.discovery import probe_result
from cluster.discovery.probe_result import ProbeResult
from tests import pages, situations
from tests.cabling import ONE, PAIR, connected, sparks, switch
from tests.pages import ROOT
from tests.probed_files import after, probed


def shown(word: str) -> str:
    """Return the block of the page with this word."""
    blocks = pages.blocks(ROOT / "docs/probe.md")
    (text,) = (block.text for block in blocks if (block.language, block.word) == ("text", word))
    return text


def printed(result: ProbeResult) -> str:
    """Return the output of a probe of two Sparks."""
    last = probe_result.next_step(result, "default", ("spark1", "spark2"))
    return probe_result.text(result) + last


@pytest.mark.parametrize("word, situation", [("new", "one-cable"), ("questions", "no-address")])
def test_situations(word: str, situation: str) -> None:
    """The page shows proposed files and questions."""
    assert shown(word) == printed(probed(situations.probed(situation), {}))


def test_drift() -> None:
    """The page shows the drift of a cable that has moved to the other port."""
    before = after(probed(situations.probed("one-cable"), {}))
    moved = probed(connected(sparks(2), switch(PAIR, *ONE)), before, named=False)

    assert shown("drift") == probe_result.drift(moved)
