"""The examples of the documentation that start real processes print what the pages show."""

from collections.abc import Iterator

import pytest

from cluster.session import Session
from tests import pages
from tests.live.rehearsal import ROOT, inv, remains

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _no_cluster() -> Iterator[None]:
    """Start and end without a cluster, with the environment of the rehearsal installed."""
    Session("rehearsal", dry=False).equip()
    inv("down")
    yield
    inv("down")


@pytest.mark.parametrize("name", ["README.md", "docs/rehearsal.md"])
def test_live_examples(name: str) -> None:
    """The live examples of a page print what it shows, and leave nothing."""
    assert [] == pages.differences(ROOT, ROOT / name, "live", seconds=400)
    assert [] == remains()
