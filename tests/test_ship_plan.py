"""What is to be shipped to whom, and in what company."""

from dataclasses import replace

import pytest

from cluster.ship import leg, plan, unshipped
from cluster.ship.leg import Leg
from cluster.ship.route import Compress, Via, Way
from cluster.ship.survey import Facts, Held
from tests.freight import (
    BY_NAME,
    CLUSTER,
    GIGA,
    HERE,
    IMAGE,
    LAYERS,
    MEGA,
    NAME,
    NONE,
    ORDER,
    SAID,
    WAYS,
    considered,
    had,
    there,
)


def companies(legs: tuple[Leg, ...]) -> list[str]:
    """Return who gets the image together."""
    return [" > ".join(one.way.node for one in chain) for chain in plan.chains(legs)]


@pytest.mark.parametrize(
    "facts, expected",
    [
        (there(2), 0),
        (there(2, had(1), had(2)), 2),
        (there(2, had(3, "other:1")), 3),
        (there(2, replace(had(0), image=replace(IMAGE, layers=("sha256:9", "sha256:1")))), 0),
        (there(2, had(3), store="containerd"), 0),
        (there(2, had(3, blobs=2), had(1, blobs=1), store="containerd"), 2),
    ],
    ids=["nothing", "two", "all", "the second alone", "pulled", "shipped"],
)
def test_lowest(facts: Facts, expected: int) -> None:
    """A layer on those that it was made on is found again; containerd's store finds files."""
    assert expected == leg.lowest(LAYERS, facts)


def test_no_work() -> None:
    """When all have the image, there is none."""
    legs = plan.plan(CLUSTER, ORDER, WAYS[:2], {"spark2": there(2, had(3, NAME))}, NONE)

    assert (False, ()) == (plan.work(legs), plan.chains(legs))


def test_alien() -> None:
    """A node that cannot run the image is told before a byte is sent."""
    expected = unshipped.alien(WAYS[1], NAME, IMAGE, "amd64")

    assert expected == considered(there(2, architecture="amd64")).problem


@pytest.mark.parametrize(
    "images, store, free, needed",
    [
        ((), "overlay2", 3_200_000_000, "8.10 GB"),
        ((), "containerd", 8_100_000_001, "10.20 GB"),
        ((had(2),), "overlay2", 150 * MEGA, "0.20 GB"),
    ],
)
def test_full(images: tuple[Held, ...], store: str, free: int, needed: str) -> None:
    """A node without room is refused: for what is missing, and what the engine keeps beside it."""
    found = considered(there(2, *images, store=store, free=free))
    expected = (
        f"spark2: has {free / GIGA:.2f} GB free in /var/lib/docker and needs {needed} for "
        "vllm-node:latest (`docker --host ssh://spark2.lan system df` shows what fills it)"
    )

    assert ("failed", expected) == (found.state, str(found.problem))


@pytest.mark.parametrize(
    "store, free, needed",
    [
        ("overlay2", 5_099_999_999, 5_100_000_000),
        ("overlay2", 5_100_000_000, None),
        ("containerd", 6_000_000_000, 10_200_000_000),
    ],
)
def test_full_of_docker_save(store: str, free: int, needed: int | None) -> None:
    """Where sizes of layers are unknown, a node without room for the image itself is refused."""
    facts = there(2, store=store, free=free)
    found = considered(facts, replace(ORDER, layers=None))
    expected = unshipped.full(WAYS[1], NAME, facts, needed) if needed else None

    assert expected == found.problem


@pytest.mark.parametrize(
    "wish, speed, has, packed, notes",
    [
        ("auto", 200_000, True, False, ()),
        ("auto", None, True, False, ()),
        ("zstd", 200_000, True, True, ()),
        ("none", 200_000, False, False, ()),
        ("zstd", 200_000, False, False, (plan.NO_ZSTD,)),
    ],
)
def test_compress(
    wish: Compress,
    speed: int | None,
    has: bool,  # noqa: FBT001 (of the table above)
    packed: bool,  # noqa: FBT001 (of the table above)
    notes: tuple[str, ...],
) -> None:
    """Bytes are compressed on request, if the node can undo it."""
    order = replace(ORDER, compress=wish, here=replace(HERE, links=()))
    found = considered(there(2, speed=speed, zstd=has), order)

    assert (packed, notes) == (found.compress, found.notes)


@pytest.mark.parametrize(
    "via, ways, expected",
    [
        ("auto", WAYS, ["spark2 > spark3 > spark4 > spark5"]),
        ("auto", WAYS[:4], ["spark2", "spark3", "spark4"]),
        ("star", WAYS, ["spark2", "spark3", "spark4", "spark5"]),
        ("chain", WAYS[:3], ["spark2 > spark3"]),
        ("chain", WAYS[:2], ["spark2"]),
        ("auto", BY_NAME[:2], ["spark1 > spark2"]),
        ("star", BY_NAME[:2], ["spark1", "spark2"]),
        ("auto", BY_NAME[:1], ["spark1"]),
        ("auto", (*BY_NAME[:1], *WAYS[1:]), ["spark1", "spark2 > spark3 > spark4 > spark5"]),
    ],
)
def test_via(via: Via, ways: tuple[Way, ...], expected: list[str]) -> None:
    """Many nodes, or a slow first link, make a chain; the user may decide otherwise."""
    legs = plan.plan(CLUSTER, replace(ORDER, via=via), ways, SAID, NONE)

    assert expected == companies(legs)


def test_chain() -> None:
    """All nodes of a chain get the layers that any of them lacks; who lacks none is not in it."""
    said = SAID | {"spark3": there(3, had(2)), "spark4": there(4, had(3, NAME))}
    order = replace(ORDER, via="chain")
    legs = plan.plan(CLUSTER, order, WAYS, said, NONE)

    assert ["spark2 > spark3 > spark5"] == companies(legs)
    assert [(0, "from spark2"), (3, WAYS[3].text)] == [(one.lowest, one.route) for one in legs[2:4]]
    assert ((WAYS[1], WAYS[2]), (WAYS[2], WAYS[4])) == plan.hops(legs)


def test_no_room_for_a_chain() -> None:
    """A node that has room for what it lacks, but not for what the chain lacks, stays alone."""
    said = SAID | {"spark3": there(3, had(2), free=GIGA)}
    legs = plan.plan(CLUSTER, replace(ORDER, via="chain"), WAYS[:4], said, NONE)

    assert ["spark2 > spark4", "spark3"] == sorted(companies(legs))


def test_broken_chain() -> None:
    """Where a node does not reach the next one, that one begins a chain of its own."""
    reach = {"spark4": "Host key verification failed."}
    legs = plan.plan(CLUSTER, ORDER, WAYS, SAID, reach)
    note = "gets a copy of its own: spark3 does not reach it (Host key verification failed.)"

    assert ["spark2 > spark3", "spark4 > spark5"] == companies(legs)
    assert (note,) == legs[3].notes
