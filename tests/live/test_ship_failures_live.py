"""`inv ship` when something breaks: the old image stays, and a rerun completes."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.live.damage import flipped, stalled, unplugged
from tests.live.hosts import Kind
from tests.live.machine import Machine
from tests.live.newer_engine import NewerHost
from tests.live.ships import MEGA, Site, build, layers, new_site

pytestmark = [pytest.mark.live, pytest.mark.containers]

NAMES = ("spark1", "spark2", "spark3", "spark4")
KINDS: dict[str, Kind] = {"spark3": partial(Machine, disk=300 * MEGA), "spark4": NewerHost}
SHIPPED = dict.fromkeys(NAMES[1:], "shipped")
# Most of the space at once, then the last bytes.
FILL = """
free=$(df --output=avail --block-size=1 "$1" | tail -n 1)
fallocate --length $((free - 5000000)) "$1/filler"
cat /dev/zero >>"$1/filler"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that ships to three others: one with a small disk, one with the newer engine."""
    with new_site(tmp_path_factory.mktemp("site"), NAMES, KINDS) as new:
        yield new


@pytest.fixture
def image(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an image that all hosts have, for one test; it is removed afterwards."""
    name = f"{request.function.__name__.removeprefix('test_')}:1"
    build(site.lan.hosts[0], name, MEGA)
    assert site.ship(name).code == 0
    yield name
    for host in site.lan.hosts:
        host.docker("image", "rm", "--force", name)
        host.docker("image", "prune", "--force")


def receivers(site: Site, name: str) -> list[list[str]]:
    """Return the layers of this image on each host but the first."""
    return [layers(host, name) for host in site.lan.hosts[1:]]


def failed(node: str) -> dict[str, str]:
    """Return the results if this node alone has failed."""
    return {"spark1": "here"} | SHIPPED | {node: "failed"}


def test_the_link_is_cut(site: Site, image: str) -> None:
    """The node behind a cut link keeps its old image; all other nodes get the new one."""
    spark1, spark2, *_ = site.lan.hosts
    old = layers(spark1, image)
    build(spark1, image, 30 * MEGA)
    with stalled(spark2, 10 * MEGA), site.shipping(image) as run:
        run.until(spark2, 10 * MEGA)
        with unplugged(spark2):
            cut = run.wait()
    kept = layers(spark2, image)
    again = site.ship(image)
    new = layers(spark1, image)

    assert (4, failed("spark2")) == (cut.code, cut.results)
    assert ("spark2", "ssh spark2") == (cut.place, cut.remedy)
    assert old == kept
    assert (0, "shipped") == (again.code, again.results["spark2"])
    assert [new] * 3 == receivers(site, image)


@pytest.mark.parametrize("node", ["spark2", "spark4"])
def test_a_byte_changes(site: Site, image: str, node: str) -> None:
    """An engine that receives a changed byte loads nothing; a rerun succeeds."""
    spark1, host = site.lan.hosts[0], site.lan.host(node)
    old = layers(spark1, image)
    build(spark1, image, 20 * MEGA)
    with flipped(host, 10 * MEGA):
        wrong = site.ship(image)
    kept = layers(host, image)
    again = site.ship(image)
    new = layers(spark1, image)

    assert (4, failed(node)) == (wrong.code, wrong.results)
    assert (node, f"inv ship --node {node}") == (wrong.place, wrong.remedy)
    assert old == kept
    assert (0, "shipped") == (again.code, again.results[node])
    assert [new] * 3 == receivers(site, image)


def test_the_disk_is_too_small(site: Site, image: str) -> None:
    """A node without disk space for the image is refused before a byte is sent."""
    spark1, _, spark3, _ = site.lan.hosts
    old = layers(spark3, image)
    build(spark1, image, 320 * MEGA)
    refused = site.ship(image, "--node", "spark3")

    assert (4, "spark3", True) == (refused.code, refused.place, bool(refused.remedy))
    assert refused.sent["spark3"] < MEGA
    assert old == layers(spark3, image)


def test_the_disk_fills_up(site: Site, image: str) -> None:
    """A node whose disk fills up keeps its old image; with free space a rerun succeeds."""
    spark1, _, spark3, _ = site.lan.hosts
    data = spark3.folder / "engine" / "data"
    old = layers(spark3, image)
    build(spark1, image, 60 * MEGA)
    with site.shipping(image) as run:
        run.until(spark3, 5 * MEGA)
        spark3.run(["sh", "-c", FILL, "fill", data])
        full = run.wait()
    kept = layers(spark3, image)
    spark3.run(["rm", data / "filler"], check=True)
    again = site.ship(image)
    new = layers(spark1, image)

    assert (4, failed("spark3")) == (full.code, full.results)
    assert ("spark3", True) == (full.place, bool(full.remedy))
    assert old == kept
    assert (0, "shipped") == (again.code, again.results["spark3"])
    assert [new] * 3 == receivers(site, image)
