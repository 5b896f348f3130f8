"""What an image needs to reach all nodes: who gets it, over which way, and in what company."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from cluster.errors import Problem
from cluster.node import Cluster
from cluster.ship import estimate
from cluster.ship.leg import SLOW, Leg, Order, considered, fits, sized
from cluster.ship.route import Way
from cluster.ship.survey import Facts

CHAIN_FROM = 4
"""Nodes on the fast link from which on each hands the bytes on to the next."""
NO_ZSTD = "has no `zstd`: nothing is compressed (`sudo apt-get install zstd` there)"


def plan(
    cluster: Cluster,
    order: Order,
    ways: tuple[Way, ...],
    asked: Mapping[str, Facts | Problem],
    reach: Mapping[str, str],
) -> tuple[Leg, ...]:
    """Return what is to be done for each node, in the order of `ways`; those to here need no SSH.

    `reach` has, by the name of a node, why the one before it in a chain does not reach it. Plan
    with an empty one, try the `hops`, and plan again if any fails.
    """
    legs = tuple(considered(cluster, order, way, asked) for way in ways)
    found = tuple(_chains(order, tuple(leg for leg in legs if leg.state == "ship"), reach))
    shipped = {
        leg.way.node: replace(leg, chain=number)
        for number, chain in enumerate(found)
        for leg in _together(cluster, order, chain, len(found))
    }
    return tuple(shipped.get(leg.way.node, leg) for leg in legs)


def work(legs: tuple[Leg, ...]) -> bool:
    """Tell whether any node lacks the image."""
    return any(leg.state in {"ship", "failed"} for leg in legs)


def chains(legs: tuple[Leg, ...]) -> tuple[tuple[Leg, ...], ...]:
    """Return the legs to ship over, chain by chain."""
    numbers = sorted({leg.chain for leg in legs if leg.state == "ship"})
    return tuple(tuple(leg for leg in legs if leg.chain == number) for number in numbers)


def hops(legs: tuple[Leg, ...]) -> tuple[tuple[Way, Way], ...]:
    """Return each node that hands the image on, with the next one."""
    return tuple((one.way, other.way) for chain in chains(legs) for one, other in pairwise(chain))


def _chains(
    order: Order, legs: tuple[Leg, ...], reach: Mapping[str, str]
) -> Iterator[tuple[Leg, ...]]:
    """Yield who gets the image together: each node alone, unless a chain is better."""
    members = _members(order, legs)
    chain: tuple[Leg, ...] = ()
    for leg in members:
        why = reach.get(leg.way.node, "")
        if chain and why:
            yield chain
            text = f"gets a copy of its own: {chain[-1].way.node} does not reach it ({why})"
            chain = (replace(leg, notes=(*leg.notes, text)),)
        else:
            chain = (*chain, leg)
    yield from ((leg,) for leg in legs if leg not in members)
    yield from ((chain,) if chain else ())


def _members(order: Order, legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Return who would be in a chain: all in it get the layers that any of them lacks."""
    fast = tuple(leg for leg in legs if leg.way.fabric)
    among = legs if order.via == "chain" or not fast else fast
    enough = {"star": len(legs) + 1, "chain": 2, "auto": CHAIN_FROM if fast else 2}[order.via]
    if len(among) < enough:
        return ()
    first = min(leg.lowest for leg in among)
    return tuple(leg for leg in among if fits(order, sized(order, leg, first)))


def _together(
    cluster: Cluster, order: Order, chain: tuple[Leg, ...], streams: int
) -> Iterator[Leg]:
    """Yield the legs of one stream: with the same layers, in the same form.

    `streams` is how many share this machine's end.
    """
    lowest, link = min(leg.lowest for leg in chain), _link(cluster, chain, 1)
    wanted = order.compress == "zstd" or (order.compress == "auto" and 0 < (link or 0) <= SLOW)
    packed = wanted and all(leg.there.zstd for leg in chain)
    rate = _link(cluster, chain, streams)
    for before, leg in zip((None, *chain), chain, strict=False):
        its = sized(order, replace(leg, compress=packed), lowest)
        notes = (NO_ZSTD,) if wanted and not leg.there.zstd else ()
        yield replace(
            its,
            source=before.way.node if before else "",
            seconds=_seconds(order, its, rate),
            notes=(*leg.notes, *notes),
        )


def _link(cluster: Cluster, chain: tuple[Leg, ...], streams: int) -> int | None:
    """Return the speed of the slowest link of a chain, in Mb/s, as far as it is known."""
    addresses = {node.name: str(node.host_ip) for node in cluster.nodes}
    ours, theirs = chain[0].ends
    onward = (leg.there.speed(addresses[leg.way.node]) for leg in chain[1:])
    return min(filter(None, ((ours or 0) // streams, theirs, *onward)), default=None)


def _seconds(order: Order, leg: Leg, link: int | None) -> float:
    if order.layers is None:
        return estimate.seconds_of_save(order.size, leg.size, link, compress=leg.compress)
    return estimate.seconds(order.layers, leg.lowest, link, compress=leg.compress)
