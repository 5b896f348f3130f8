"""What several modules of the live suite share: hosts that are ready to run a cluster."""

from collections.abc import Iterator

import pytest

from tests.live.hosts import Lan
from tests.live.lan import Site, equipped

LAST = ("test_failures_live", "test_readme_live", "test_rehearsal_live")
"""Modules that start Ray again and again.

Ray gives a node 30 s to start (ray/_private/node.py), and misses them while the other half of the
suite, at its beginning, fills the disk with images.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the modules that start Ray behind the others, which keep their order."""
    items.sort(key=lambda item: item.path.stem in LAST)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two hosts that have the image and the model, and a laptop with a clone and env files."""
    with equipped(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def lan(site: Site) -> Lan:
    """Two hosts that have the image, and the laptop."""
    return site.lan
