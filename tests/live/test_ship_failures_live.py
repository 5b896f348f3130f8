"""`inv ship` when something breaks on the way: the old image stays, and a rerun completes."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.live.damage import flipped, stalled, unplugged
from tests.live.hosts import Kind
from tests.live.machine import Machine
from tests.live.newer_engine import NewerHost
from tests.live.ships import MEGA, Site, build, layers, sited

pytestmark = [pytest.mark.live, pytest.mark.containers]

NAMES = ("spark1", "spark2", "spark3", "spark4")
KINDS: dict[str, Kind] = {"spark3": partial(Machine, disk=300 * MEGA), "spark4": NewerHost}
OTHERS = dict.fromkeys(NAMES[1:], "shipped")
# At once, as far as that works, and then to the last byte.
FILL = """
free=$(df --output=avail --block-size=1 "$1" | tail -n 1)
fallocate --length $((free - 5000000)) "$1/filler"
cat /dev/zero >>"$1/filler"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that ships to three others: one has a small disk, one the newer engine."""
    with sited(tmp_path_factory.mktemp("site"), NAMES, KINDS) as made:
        yield made


@pytest.fixture
def image(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an image that all hosts have, and that no other test knows; it ends with it."""
    name = f"{request.function.__name__.removeprefix('test_')}:1"
    build(site.lan.hosts[0], name, MEGA)
    assert site.ship(name).code == 0
    yield name
    for host in site.lan.hosts:
        host.docker("image", "rm", "--force", name)
        host.docker("image", "prune", "--force")


def others(site: Site, name: str) -> list[list[str]]:
    """Return the layers of the image that each of the other hosts has by this name."""
    return [layers(host, name) for host in site.lan.hosts[1:]]


def failed(node: str) -> dict[str, str]:
    """Return the results when one node has failed, and all others are done."""
    return {"spark1": "here"} | OTHERS | {node: "failed"}


def test_the_link_is_cut(site: Site, image: str) -> None:
    """The node behind a cut link keeps its old image; the others get the new one."""
    spark1, spark2, *_ = site.lan.hosts
    old = layers(spark1, image)
    build(spark1, image, 30 * MEGA)
    with stalled(spark2, 10 * MEGA), site.shipping(image) as run:
        run.until(spark2, 10 * MEGA)
        with unplugged(spark2):
            cut = run.ended()
    kept = layers(spark2, image)
    again = site.ship(image)
    new = layers(spark1, image)

    assert (4, failed("spark2")) == (cut.code, cut.results)
    assert ("spark2", "ssh spark2") == (cut.place, cut.remedy)
    assert old == kept
    assert (0, "shipped") == (again.code, again.results["spark2"])
    assert [new] * 3 == others(site, image)


@pytest.mark.parametrize("node", ["spark2", "spark4"])
def test_a_byte_changes(site: Site, image: str, node: str) -> None:
    """An engine that gets another byte than was sent takes nothing; a rerun is whole."""
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
    assert [new] * 3 == others(site, image)


def test_the_disk_is_too_small(site: Site, image: str) -> None:
    """A node without room for the image is told so before a byte of it is sent."""
    spark1, _, spark3, _ = site.lan.hosts
    old = layers(spark3, image)
    build(spark1, image, 320 * MEGA)
    refused = site.ship(image, "--node", "spark3")

    assert (4, "spark3", True) == (refused.code, refused.place, bool(refused.remedy))
    assert refused.sent["spark3"] < MEGA
    assert old == layers(spark3, image)


def test_the_disk_fills_up(site: Site, image: str) -> None:
    """A node whose disk is full in the middle keeps its old image, and works when there is room."""
    spark1, _, spark3, _ = site.lan.hosts
    data = spark3.folder / "engine" / "data"
    old = layers(spark3, image)
    build(spark1, image, 60 * MEGA)
    with site.shipping(image) as run:
        run.until(spark3, 5 * MEGA)
        spark3.run(["sh", "-c", FILL, "fill", data])
        full = run.ended()
    kept = layers(spark3, image)
    spark3.run(["rm", data / "filler"], check=True)
    again = site.ship(image)
    new = layers(spark1, image)

    assert (4, failed("spark3")) == (full.code, full.results)
    assert ("spark3", True) == (full.place, bool(full.remedy))
    assert old == kept
    assert (0, "shipped") == (again.code, again.results["spark3"])
    assert [new] * 3 == others(site, image)
