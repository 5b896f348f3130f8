"""Carries one stream: follows its loads, and knows which of its nodes have what was sent."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cluster.errors import NodeError, Problem
from cluster.machine.terminal import Report
from cluster.node import Cluster
from cluster.ship import chain, outcome, unshipped
from cluster.ship.chain import Hop
from cluster.ship.lane import STALL_SECONDS, Ended, Lane
from cluster.ship.route import Way
from cluster.ship.survey import Facts

LOADED = re.compile(r"^Loaded image(?: ID)?: (\S+)$", re.MULTILINE)
NOT_UNPACKED = "Error unpacking image"
"""What a load into containerd's store says when it ends with 0 and the image cannot be used."""
TELL_SECONDS = 10.0
"""How often a copy says how far it is where nobody watches live."""


@dataclass(frozen=True, kw_only=True)
class Freight:
    """What goes to which nodes in one stream."""

    name: str
    """Of the image, with its tag."""
    ways: tuple[Way, ...]
    """To each node; the stream goes to the first, and from each to the next."""
    hops: tuple[Hop, ...]
    """How each but the last reaches the next."""
    lowest: int
    """The index of the first layer to send."""
    size: int
    """Bytes of these layers."""
    packed: bool


@dataclass(kw_only=True)
class Arrived:
    """What became of a node's loads."""

    image: str = ""
    """The ID of what it has loaded last."""
    parts: tuple[str, ...] = ()
    """Of what it has loaded before: they are of no use then."""
    problem: Problem | None = None
    innocent: bool = False
    """It failed because the node before it in the chain did."""


@dataclass(kw_only=True)
class Carriage:
    """A freight on its way."""

    cluster: Cluster
    freight: Freight
    before: Mapping[str, Facts]
    """What the nodes had, by name."""
    arrived: dict[str, Arrived] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the lane; nothing has started."""
        its = self.freight
        argv = chain.load(its.ways, its.hops, compress=its.packed)
        self.arrived = {way.node: Arrived() for way in its.ways}
        self.lane = Lane(argv, packed=its.packed, goes_on=self._heard)
        self.began = time.monotonic()

    @property
    def innocent(self) -> frozenset[str]:
        """The nodes that failed because the one before them in the chain did."""
        return frozenset(node for node, its in self.arrived.items() if its.problem and its.innocent)

    def follow(self, report: Report) -> None:
        """Follow the stream to its end, and tell how far it is."""
        its = self.freight
        place, routes = ", ".join(self.arrived), " > ".join(way.text for way in its.ways)
        with (
            suppress(NodeError),
            report.step(place, f"Ship {its.name} ({routes})") as progress,
        ):
            done = 0
            for more in self.lane.flow():
                done = min(done + more, its.size)
                if done == its.size:
                    progress.tell("the engine unpacks it")
                else:
                    progress.tell(self._pace(done), every=TELL_SECONDS)
            self._broken()
            if problems := tuple(filter(None, (it.problem for it in self.arrived.values()))):
                raise NodeError(*problems)  # the step has failed, and says so; the rest goes on

    def _pace(self, done: int) -> str:
        return outcome.pace(done, self.freight.size, time.monotonic() - self.began)

    def _heard(self, ended: Ended) -> bool:
        """Take the reports of a part's loads; tell whether the next part makes sense for any."""
        said = chain.reports(f"{ended.output}\n{ended.error}", self.freight.ways)
        for number, way in enumerate(self.freight.ways):
            its, report = self.arrived[way.node], said[way.node]
            if report.code == 0 and NOT_UNPACKED not in report.said:
                its.parts = (*its.parts, *filter(None, (its.image,)))
                its.image = (LOADED.findall(report.said) or [""])[-1]
            elif its.problem is None:
                its.problem = unshipped.unloaded(
                    self.cluster, way, self.freight.name, report.code, report.said
                )
                its.innocent = number > 0 and report.code == chain.LOST
        return any(its.problem is None for its in self.arrived.values())

    def _broken(self) -> None:
        """Say what this side has to say for a stream that it gave up."""
        if not self.lane.broken:
            return
        for way in self.freight.ways:
            its = self.arrived[way.node]
            its.innocent = self.lane.stalled and len(self.freight.ways) > 1
            its.problem = (
                unshipped.stalled(way, STALL_SECONDS)
                if self.lane.stalled
                else unshipped.cut_short(self.cluster, way, self.lane.broken)
            )
