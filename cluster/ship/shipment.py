"""One shipment: asks all engines, plans, delivers, and tells what became of each node."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import processes
from cluster.machine.terminal import Report, show
from cluster.node import Cluster
from cluster.ship import asking, chain, outcome, plan, planned, prune, unshipped
from cluster.ship.asking import HERE
from cluster.ship.delivery import Delivery
from cluster.ship.leg import Leg, Order
from cluster.ship.outcome import Row
from cluster.ship.route import Compress, Via, Way
from cluster.ship.shipping import Wishes
from cluster.ship.site import Site
from cluster.ship.source import Source, opened
from cluster.ship.survey import Facts

Asked = Mapping[str, Facts | Problem]
"""What the engines said, or what is wrong with them, by node."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What is to be shipped to whom; without a source when nobody lacks it."""

    order: Order
    legs: tuple[Leg, ...]
    source: Source | None = None


class Shipment:
    """One image for the nodes of a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        report: Report,
        name: str,
        wishes: Wishes,
        sites: tuple[Site, ...],
    ) -> None:
        """Take who is asked, and who hears of it; `name` has its tag."""
        self._cluster = cluster
        self._report = report
        self._name = name
        self._wishes = wishes
        self._ways = tuple(site.way for site in sites)
        self._hops = {site.way.node: site.hop for site in sites}

    def show(self) -> int:
        """Print what would be done; return 1 if there is work."""
        with self._planned(self._ask(), self._ways, self._wishes.via) as found:
            order, legs = found.order, found.legs
        if self._wishes.json:
            show(planned.as_json(order, legs))
        else:
            show(planned.table(self._cluster, legs))
        _raise(leg.problem for leg in legs)
        return int(plan.work(legs))

    def ship(self) -> None:
        """Ship to all that lack the image, and print what became of each node."""
        asked = self._ask()
        rows = self._round(asked, self._ways, self._wishes.via)
        if self._wishes.prune:
            self._prune(asked, rows)
        found = tuple(rows[way.node] for way in self._ways)
        form = outcome.as_json(self._name, found) if self._wishes.json else outcome.table(found)
        show(form)
        _raise(row.problem for row in found)

    def _ask(self) -> Asked:
        """Ask this machine and all nodes."""
        with self._report.step(self._name, "Look for it on all nodes"):
            far = (way.engine for way in self._ways if way.engine.ssh_host)
            return asking.ask((HERE, *far))

    def _round(self, asked: Asked, ways: tuple[Way, ...], via: str) -> dict[str, Row]:
        """Ship once; those that failed because another did get a stream of their own then."""
        with self._planned(asked, ways, via) as found:
            rows = {leg.way.node: _row(found.order, leg) for leg in found.legs}
            if not found.source:
                return rows
            for note in planned.notes(self._cluster, found.legs):
                self._report.note(note)
            done, innocent = Delivery(
                cluster=self._cluster,
                report=self._report,
                order=found.order,
                source=found.source,
                hops=self._hops,
            ).deliver(found.legs)
            rows |= {row.node: row for row in done}
        again = tuple(way for way in ways if way.node in innocent)
        return rows | (self._round(self._ask(), again, "star") if again else {})

    @contextmanager
    def _planned(self, asked: Asked, ways: tuple[Way, ...], via: str) -> Iterator[Planned]:
        """Plan for these nodes; open the source only if any of them lacks the image."""
        here = asked[HERE.name]
        if isinstance(here, Problem):
            raise NodeError(here)
        held = here.named(self._name)
        if not held:
            raise RefusedError(unshipped.absent(self._name))
        order = Order(
            name=self._name,
            image=held.image,
            size=held.size,
            layers=None,
            here=here,
            via=cast(Via, via),
            compress=cast(Compress, self._wishes.compress),
        )
        legs = plan.plan(self._cluster, order, ways, asked, {})
        if not any(leg.state == "ship" for leg in legs):
            yield Planned(order=order, legs=legs)
            return
        with opened(held.id, here) as source:
            order = replace(order, layers=source.content.layers if source.content else None)
            legs = plan.plan(self._cluster, order, ways, asked, {})
            if hops := plan.hops(legs):
                probes = {far.node: chain.probe(way, self._hops[far.node]) for way, far in hops}
                legs = plan.plan(self._cluster, order, ways, asked, asking.reach(probes))
            yield Planned(order=order, legs=legs, source=source)

    def _prune(self, before: Asked, rows: Mapping[str, Row]) -> None:
        """Remove old images from the nodes that have the new one."""
        now = self._ask()
        for way in self._ways:
            node = way.node if way.engine.ssh_host else HERE.name
            was, facts = before[node], now[node]
            if rows[way.node].problem or isinstance(was, Problem) or isinstance(facts, Problem):
                continue
            held = was.named(self._name)
            if old := prune.old(facts, before=held.id if held else ""):
                done = processes.run(prune.remove(way.engine, old))
                self._report.note(prune.outcome(way.engine, old, done.output, done.error))


def _row(order: Order, leg: Leg) -> Row:
    """Return what became of a node to which nothing is shipped, or nothing yet."""
    return Row(
        node=leg.way.node,
        route=leg.route,
        result="failed" if leg.state == "ship" else leg.state,
        whole=sum(layer.size for layer in order.layers or ()),
        problem=leg.problem,
    )


def _raise(problems: Iterable[Problem | None]) -> None:
    if found := tuple(problem for problem in problems if problem):
        raise NodeError(*found)
