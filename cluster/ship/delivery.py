"""Delivers an image to the nodes that lack it: pours, proves, and gives it its name."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.host import host_problem
from cluster.machine import ssh
from cluster.machine.terminal import Report
from cluster.node import Cluster
from cluster.ship import naming, unshipped
from cluster.ship.carrying import Arrived, Carriage, Freight
from cluster.ship.chain import Hop
from cluster.ship.content import digest
from cluster.ship.leg import Leg, Order
from cluster.ship.outcome import Row
from cluster.ship.plan import chains
from cluster.ship.pouring import Stream, pour
from cluster.ship.route import Way
from cluster.ship.source import Source
from cluster.ship.survey import Facts, inspected


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
        before = {leg.way.node: leg.there for leg in group}
        return Carriage(cluster=self.cluster, freight=freight, before=before)

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
        problem = arrived.problem or self._settle(way, arrived, carriage.before[way.node])
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

    def _settle(self, way: Way, arrived: Arrived, before: Facts) -> Problem | None:
        """Prove that the node has the image, and give it the name; until now its old one had it."""
        content, layers = self.source.content, self.order.image.layers
        different = unshipped.different(self.cluster, way, self.order.name)
        image = arrived.image
        if content and image not in {content.config_digest, digest(content.manifest)}:
            return different
        parts = dict.fromkeys((*naming.parts(before, layers), *arrived.parts))
        done = ssh.tell(way.engine, naming.script(self.order.name, image, layers, tuple(parts)))
        if done.code == naming.OTHER:
            return different
        if done.code:
            return host_problem(way.engine, done.error)
        return None if inspected(done.output) == self.order.image else different
