"""The sessions of the documentation that start real processes print what the pages show."""

from collections.abc import Iterator

import pytest

from cluster.session import Session
from tests import pages
from tests.live.rehearsal import ROOT, inv, remains

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Begin and end without a cluster, and with the environment that the first use makes."""
    Session("rehearsal", dry=False).equip()
    inv("down")
    yield
    inv("down")


@pytest.mark.parametrize("name", ["README.md", "docs/rehearsal.md"])
def test_live_examples(name: str) -> None:
    """A reader who types a page's live sessions sees what it shows, and ends with nothing left."""
    assert [] == pages.differences(ROOT, ROOT / name, "live", seconds=400)
    assert [] == remains()
