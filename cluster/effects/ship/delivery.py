"""Delivers an image to the nodes that lack it: pours, proves, and gives it its name."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.effects import processes
from cluster.effects.report import Report
from cluster.effects.ship import asking
from cluster.effects.ship.carrying import Carriage, Freight
from cluster.effects.ship.pouring import Stream, pour
from cluster.effects.ship.source import Source
from cluster.errors import Problem
from cluster.node import Cluster
from cluster.nodes import engine
from cluster.ship import unshipped
from cluster.ship.chain import Hop
from cluster.ship.content import PART, digest
from cluster.ship.leg import Leg, Order
from cluster.ship.outcome import Row
from cluster.ship.plan import chains
from cluster.ship.route import Way
from cluster.ship.survey import Facts


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An image, and the nodes to which it goes."""

    cluster: Cluster
    report: Report
    order: Order
    source: Source
    hops: Mapping[str, Hop]
    """How a node is reached from the one before it in a chain."""

    def deliver(self, legs: tuple[Leg, ...]) -> tuple[tuple[Row, ...], frozenset[str]]:
        """Ship to these nodes; return their rows, and those that failed for another's failure."""
        carriages = tuple(self._carriage(group) for group in chains(legs))
        streams = tuple(Stream(lane=its.lane, lowest=its.freight.lowest) for its in carriages)
        with ThreadPoolExecutor(max_workers=len(carriages)) as pool:
            try:
                rows = [pool.submit(self._follow, its) for its in carriages]
                pour(self.source, streams, self._present(legs))
                found = tuple(row for each in rows for row in each.result())
            finally:
                for carriage in carriages:
                    carriage.lane.abandon()
        innocent = {node for its in carriages for node in its.innocent}
        return found, frozenset(innocent)

    def _carriage(self, group: tuple[Leg, ...]) -> Carriage:
        freight = Freight(
            name=self.order.name,
            ways=tuple(leg.way for leg in group),
            hops=tuple(self.hops[leg.way.node] for leg in group[1:]),
            lowest=group[0].lowest,
            size=group[0].size,
            packed=group[0].compress,
        )
        return Carriage(cluster=self.cluster, freight=freight)

    def _present(self, legs: tuple[Leg, ...]) -> frozenset[str]:
        """Return the layers that all have: what `docker save` writes need not be sent."""
        lowest = min(leg.lowest for leg in legs if leg.state == "ship")
        return frozenset(self.order.image.layers[:lowest])

    def _follow(self, carriage: Carriage) -> tuple[Row, ...]:
        """Follow a stream to its end; then prove each node, and return what became of it."""
        carriage.follow(self.report)
        ways = carriage.freight.ways
        with ThreadPoolExecutor(max_workers=len(ways)) as pool:
            return tuple(pool.map(lambda way: self._row(carriage, way), ways))

    def _row(self, carriage: Carriage, way: Way) -> Row:
        arrived, layers = carriage.arrived[way.node], self.order.layers or ()
        problem = arrived.problem or self._settle(way, arrived.image)
        return Row(
            node=way.node,
            route=way.text,
            result="failed" if problem else "shipped",
            sent=carriage.lane.sent,
            size=carriage.freight.size,
            whole=sum(layer.size for layer in layers),
            seconds=time.monotonic() - carriage.began,
            problem=problem,
        )

    def _settle(self, way: Way, loaded: str) -> Problem | None:
        """Prove that the node has the image, and give it the name; until now its old one had it."""
        facts = asking.ask((way.engine,))[way.node]
        if isinstance(facts, Problem):
            return facts
        held, content = facts.named(loaded), self.source.content
        proven = not content or loaded in {content.config_digest, digest(content.manifest)}
        if not held or held.image != self.order.image or not proven:
            return unshipped.different(self.cluster, way, self.order.name)
        named = processes.run(way.engine.docker("tag", loaded, self.order.name))
        if named.code:
            return engine.problem(way.engine, named.error)
        if parts := _parts(facts, self.order.image.layers):
            # One that is in use, or gone already, does no harm.
            processes.run(way.engine.docker("image", "rm", *parts))
        return None


def _parts(facts: Facts, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the images that kept lower layers of this one, which keeps them itself now."""
    return tuple(
        held.id
        for held in facts.images
        if PART in held.labels and held.layers == layers[: len(held.layers)]
    )
