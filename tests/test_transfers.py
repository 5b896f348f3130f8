"""The transfers of `inv ship`: what each node needs, over which route, in which chain."""

from dataclasses import replace

import pytest

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.images import StoredImage
from cluster.facts.links import Links
from cluster.ship import problems, transfers
from cluster.ship.routes import ShipRoute
from cluster.ship.ship_options import Compress, Via
from cluster.ship.transfers import Transfer
from tests.shipments import (
    ANSWERS,
    BY_NAME,
    GIGA,
    IMAGE,
    LAYERS,
    MEGA,
    NAME,
    NO_FAILURES,
    REQUEST,
    ROUTES,
    SOURCE,
    planned,
    spark,
    stored,
)


def chains(plan: tuple[Transfer, ...]) -> list[str]:
    """Return the nodes of each chain."""
    return [" > ".join(transfer.node for transfer in chain) for chain in transfers.chains(plan)]


@pytest.mark.parametrize(
    "facts, expected",
    [
        (spark(2), 0),
        (spark(2, stored(1), stored(2)), 2),
        (spark(2, stored(3, "other:1")), 3),
        (spark(2, replace(stored(0), image=replace(IMAGE, layers=("sha256:9", "sha256:1")))), 0),
        (spark(2, stored(3), store="containerd"), 0),
        (spark(2, stored(3, blobs=2), stored(1, blobs=1), store="containerd"), 2),
    ],
    ids=["none", "two", "all", "only the second", "pulled", "shipped"],
)
def test_first_missing(facts: Facts, expected: int) -> None:
    """overlay2 finds a layer above those that it was made on, containerd's store by its file."""
    assert expected == transfers.first_missing(LAYERS, facts)


def test_no_work() -> None:
    """If all nodes have the image, there is no work."""
    answers: dict[str, Facts | Problem] = {"spark2": spark(2, stored(3, NAME))}
    plan = transfers.plan(REQUEST, ROUTES[:2], answers, NO_FAILURES)

    assert (False, ()) == (transfers.has_work(plan), transfers.chains(plan))


def test_wrong_architecture() -> None:
    """A node that cannot run the image is refused before a byte is sent."""
    expected = problems.wrong_architecture(ROUTES[1], NAME, IMAGE, "amd64")

    assert expected == planned(spark(2, architecture="amd64")).problem


@pytest.mark.parametrize(
    "images, store, free, needed",
    [
        ((), "overlay2", 3_200_000_000, "8.10 GB"),
        ((), "containerd", 8_100_000_001, "10.20 GB"),
        ((stored(2),), "overlay2", 150 * MEGA, "0.20 GB"),
    ],
)
def test_no_room(images: tuple[StoredImage, ...], store: str, free: int, needed: str) -> None:
    """A node needs disk space for the missing layers, and for what its engine keeps besides."""
    transfer = planned(spark(2, *images, store=store, free=free))
    expected = (
        f"spark2: has {free / GIGA:.2f} GB free in /var/lib/docker and needs {needed} for "
        "vllm-node:latest (`docker --host ssh://spark2.lan system df` shows what uses it)"
    )

    assert ("failed", expected) == (transfer.state, str(transfer.problem))


@pytest.mark.parametrize(
    "store, free, needed",
    [
        ("overlay2", 5_099_999_999, 5_100_000_000),
        ("overlay2", 5_100_000_000, None),
        ("containerd", 6_000_000_000, 10_200_000_000),
    ],
)
def test_no_room_for_docker_save(store: str, free: int, needed: int | None) -> None:
    """If the sizes of layers are unknown, a node needs disk space for the whole image."""
    facts = spark(2, store=store, free=free)
    transfer = planned(facts, replace(REQUEST, layers=None))
    expected = problems.no_room(ROUTES[1], NAME, facts, needed) if needed else None

    assert expected == transfer.problem


@pytest.mark.parametrize(
    "compress, speed, has_zstd, compressed, notes",
    [
        ("auto", 200_000, True, False, ()),
        ("auto", None, True, False, ()),
        ("zstd", 200_000, True, True, ()),
        ("none", 200_000, False, False, ()),
        ("zstd", 200_000, False, False, (transfers.NO_ZSTD,)),
    ],
)
def test_compress(
    compress: Compress,
    speed: int | None,
    has_zstd: bool,  # noqa: FBT001 (of the table above)
    compressed: bool,  # noqa: FBT001 (of the table above)
    notes: tuple[str, ...],
) -> None:
    """Layers are compressed on request, if the node has zstd."""
    request = replace(REQUEST, compress=compress, source=replace(SOURCE, links=Links()))
    transfer = planned(spark(2, speed=speed, zstd=has_zstd), request)

    assert (compressed, notes) == (transfer.compress, transfer.notes)


@pytest.mark.parametrize(
    "via, routes, expected",
    [
        ("auto", ROUTES, ["spark2 > spark3 > spark4 > spark5"]),
        ("auto", ROUTES[:4], ["spark2", "spark3", "spark4"]),
        ("star", ROUTES, ["spark2", "spark3", "spark4", "spark5"]),
        ("chain", ROUTES[:3], ["spark2 > spark3"]),
        ("chain", ROUTES[:2], ["spark2"]),
        ("auto", BY_NAME[:2], ["spark1 > spark2"]),
        ("star", BY_NAME[:2], ["spark1", "spark2"]),
        ("auto", BY_NAME[:1], ["spark1"]),
        ("auto", (*BY_NAME[:1], *ROUTES[1:]), ["spark1", "spark2 > spark3 > spark4 > spark5"]),
    ],
)
def test_via(via: Via, routes: tuple[ShipRoute, ...], expected: list[str]) -> None:
    """Many nodes, or a route off the fast link, make a chain, unless a flag decides."""
    plan = transfers.plan(replace(REQUEST, via=via), routes, ANSWERS, NO_FAILURES)

    assert expected == chains(plan)


def test_chain() -> None:
    """All nodes of a chain get the layers that any of them lacks; complete nodes are not in it."""
    answers = ANSWERS | {"spark3": spark(3, stored(2)), "spark4": spark(4, stored(3, NAME))}
    request = replace(REQUEST, via="chain")
    plan = transfers.plan(request, ROUTES, answers, NO_FAILURES)

    assert ["spark2 > spark3 > spark5"] == chains(plan)
    assert [(0, "from spark2"), (3, ROUTES[3].text)] == [
        (transfer.first, transfer.route_text) for transfer in plan[2:4]
    ]
    assert ((ROUTES[1], ROUTES[2]), (ROUTES[2], ROUTES[4])) == transfers.hops(plan)


def test_no_room_for_a_chain() -> None:
    """A node with room for its own missing layers, but not for those of the chain, stays alone."""
    answers = ANSWERS | {"spark3": spark(3, stored(2), free=GIGA)}
    request = replace(REQUEST, via="chain")
    plan = transfers.plan(request, ROUTES[:4], answers, NO_FAILURES)

    assert ["spark2 > spark4", "spark3"] == sorted(chains(plan))


def test_broken_chain() -> None:
    """If a node cannot reach the next one, that one starts a new chain."""
    unreachable = {"spark4": "Host key verification failed."}
    plan = transfers.plan(REQUEST, ROUTES, ANSWERS, unreachable)
    note = (
        "gets its own copy from this machine: spark3 cannot reach it "
        "(Host key verification failed.)"
    )

    assert ["spark2 > spark3", "spark4 > spark5"] == chains(plan)
    assert (note,) == plan[3].notes
