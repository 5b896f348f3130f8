"""What several modules of the live suite share: hosts that are ready to run a cluster."""

from collections.abc import Iterator

import pytest

from tests.live.hosts import Lan
from tests.live.lan import Site, equipped


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two hosts that have the image and the model, and a laptop with a clone and env files."""
    with equipped(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def lan(site: Site) -> Lan:
    """Two hosts that have the image, and the laptop."""
    return site.lan
