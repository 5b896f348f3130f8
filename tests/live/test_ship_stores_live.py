"""`inv ship` to engines that have some layers, with both stores, and after an interruption."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cluster.ship.archive import PART, PART_BYTES
from tests.live.damage import stalled
from tests.live.hosts import Kind
from tests.live.newer_engine import NewerHost
from tests.live.ships import (
    MEGA,
    Site,
    build,
    build_from,
    layers,
    new_context,
    new_site,
    wait_until,
)

pytestmark = [pytest.mark.live, pytest.mark.containers]

NAMES = ("spark1", "spark2", "spark3", "spark4")
KINDS: dict[str, Kind] = {"spark3": NewerHost, "spark4": partial(NewerHost, store="overlay2")}
BASE, TOP = 20 * MEGA, 10 * MEGA
WHOLE = BASE + TOP
NOTHING = MEGA // 2
"""The most that questions and answers take."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that ships to one with the same engine, and two with a newer one, one a store."""
    with new_site(tmp_path_factory.mktemp("site"), NAMES, KINDS) as new:
        yield new


@pytest.mark.parametrize("node", NAMES[1:])
def test_only_what_is_missing(site: Site, node: str) -> None:
    """A node gets a whole image, then only its new layer, then nothing."""
    spark1, host = site.lan.hosts[0], site.lan.host(node)
    name = f"{node}:1"
    build(spark1, "base:1", BASE)
    build(spark1, name, TOP, base="base:1")
    cold = site.ship(name, "--node", node)
    first = (layers(spark1, name), layers(host, name))
    build(spark1, name, TOP, base="base:1")
    thin = site.ship(name, "--node", node)
    second = (layers(spark1, name), layers(host, name))
    again = site.ship(name, "--node", node)

    assert [(0, {node: result}) for result in ("shipped", "shipped", "equal")] == [
        (shipped.code, shipped.results) for shipped in (cold, thin, again)
    ]
    assert [first[0], second[0]] == [first[1], second[1]]
    assert first[0][:-1] == second[0][:-1]
    assert WHOLE <= cold.sent[node] <= 1.02 * WHOLE
    assert TOP <= thin.sent[node] <= 1.02 * TOP
    assert again.sent[node] < NOTHING


@pytest.mark.parametrize("node", ["spark2", "spark4"])
def test_the_base_was_loaded(site: Site, node: str) -> None:
    """Layers that came by `docker load` under another name are not sent."""
    spark1, host = site.lan.hosts[0], site.lan.host(node)
    build(spark1, "loaded:base", BASE)
    build(spark1, "loaded:1", TOP, base="loaded:base")
    copy = f"docker save loaded:base | ssh {node} docker load"
    spark1.run(["sh", "-c", copy], check=True)
    host.docker("tag", "loaded:base", "loaded:other")
    host.docker("image", "rm", "loaded:base")
    shipped = site.ship("loaded:1", "--node", node)

    assert (0, {node: "shipped"}) == (shipped.code, shipped.results)
    assert TOP <= shipped.sent[node] <= 1.02 * TOP
    assert layers(spark1, "loaded:1") == layers(host, "loaded:1")


def test_the_base_was_built(site: Site, tmp_path: Path) -> None:
    """Layers that the node's engine has built itself are not sent."""
    spark1, spark2, *_ = site.lan.hosts
    context = new_context(tmp_path / "context", BASE)
    for builder in (spark1, spark2):
        build_from(context, builder, "built:base")
    build(spark1, "built:1", TOP, base="built:base")
    shipped = site.ship("built:1", "--node", "spark2")

    assert layers(spark1, "built:base") == layers(spark2, "built:base")
    assert (0, {"spark2": "shipped"}) == (shipped.code, shipped.results)
    assert TOP <= shipped.sent["spark2"] <= 1.02 * TOP
    assert layers(spark1, "built:1") == layers(spark2, "built:1")


@pytest.mark.parametrize("node", ["spark2", "spark3"])
def test_parts_stay_after_an_interruption(site: Site, node: str) -> None:
    """After Ctrl-C the node has the complete part; only the others are sent."""
    spark1, host = site.lan.hosts[0], site.lan.host(node)
    rest = PART_BYTES + 40 * MEGA
    build(spark1, "parts:1", PART_BYTES, rest)
    with stalled(host, PART_BYTES + 20 * MEGA), site.shipping("parts:1", "--node", node) as run:
        wait_until(lambda: host.docker("image", "ls", "--quiet", "--filter", f"label={PART}"))
        os.kill(run.pid, signal.SIGINT)
        stopped = run.wait()
    names = host.docker("image", "ls", "--quiet", "parts:1")
    again = site.ship("parts:1", "--node", node)

    assert (130, "interrupted", "") == (stopped.code, stopped.problem, names)
    assert (0, {node: "shipped"}) == (again.code, again.results)
    assert rest <= again.sent[node] <= 1.02 * rest
    assert layers(spark1, "parts:1") == layers(host, "parts:1")
