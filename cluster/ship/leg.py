"""What one node needs of an image: which layers, how many bytes, and whether it has the room."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import takewhile
from typing import Literal

from cluster.errors import Problem
from cluster.node import Cluster
from cluster.ship import estimate, unshipped
from cluster.ship.content import Layer
from cluster.ship.route import Compress, Via, Way
from cluster.ship.survey import Facts, Image

State = Literal["here", "equal", "ship", "failed"]
SLOW = 10_000
"""Mb/s up to which a link is slower than what zstd gives."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be shipped, from where, and how."""

    name: str
    """With its tag."""
    image: Image
    size: int
    """Bytes, as this machine's engine counts them."""
    layers: tuple[Layer, ...] | None
    """None when their sizes are unknown: not yet, or not before `docker save` has written them."""
    here: Facts
    via: Via = "auto"
    compress: Compress = "auto"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """What is to be done for one node."""

    way: Way
    facts: Facts | None
    state: State
    lowest: int = 0
    """The index of the first layer to send."""
    layers: int = 0
    """How many the image has."""
    size: int = 0
    """Bytes of the layers to send."""
    exact: bool = True
    """It is not only the most that it can be."""
    compress: bool = False
    chain: int = -1
    """The chain that the node is in, in the order of its legs; one node alone is a chain too."""
    source: str = ""
    """The node of the chain that hands the image on to it; empty when this machine does."""
    ends: tuple[int | None, int | None] = (None, None)
    """The speeds of both ends of the way, this machine's first, in Mb/s, where they are known."""
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def link(self) -> int | None:
        """The speed of the slower end, in Mb/s, as far as it is known."""
        return min(filter(None, self.ends), default=None)

    @property
    def there(self) -> Facts:
        """What the node's engine said, of a node that has not failed before it could."""
        assert self.facts  # noqa: S101 (see above; the types cannot know)
        return self.facts

    @property
    def route(self) -> str:
        """The way as the table has it."""
        if not self.way.engine.ssh_host:
            return "this machine"
        return f"from {self.source}" if self.source else self.way.text


def lowest(layers: tuple[Layer, ...], facts: Facts) -> int:
    """Return the index of the first layer that an engine lacks.

    One that unpacks at once finds a layer by those below it; containerd finds each by its file.
    """
    if facts.store == "containerd":
        blobs = {blob for held in facts.images for blob in held.blobs}
        return sum(1 for _ in takewhile(lambda layer: layer.digest in blobs, layers))
    return _shared(layers, facts)


def considered(
    cluster: Cluster, order: Order, way: Way, asked: Mapping[str, Facts | Problem]
) -> Leg:
    """Return what one node needs, as far as that does not depend on the others."""
    count = len(order.image.layers)
    if not way.engine.ssh_host:
        return Leg(way=way, facts=order.here, state="here", layers=count)
    said = asked[way.node]
    if isinstance(said, Problem):
        return Leg(way=way, facts=None, state="failed", layers=count, problem=said)
    leg = Leg(way=way, facts=said, state="failed", layers=count)
    held = said.named(order.name)
    if held and held.image == order.image:
        return replace(leg, state="equal", lowest=count)
    if said.architecture != order.image.architecture:
        problem = unshipped.alien(way, order.name, order.image, said.architecture)
        return replace(leg, problem=problem)
    return _lacking(cluster, order, leg, said)


def _lacking(cluster: Cluster, order: Order, leg: Leg, facts: Facts) -> Leg:
    """Return the leg of a node that could use the image, if it has room for it."""
    leg = sized(order, leg, lowest(_layers(order, facts), facts))
    if not fits(order, leg):
        needed = _needed(order, leg)
        return replace(leg, problem=unshipped.full(leg.way, order.name, facts, needed))
    ends = _ends(cluster, order, leg.way, facts)
    return replace(leg, state="ship", ends=ends, notes=tuple(_notes(order, leg, ends[1])))


def _layers(order: Order, facts: Facts) -> tuple[Layer, ...]:
    """Return the image's layers; where they are unknown, what comes without them: digests.

    From a store of containerd `docker save` takes compressed files, which no node is known to have.
    """
    files = order.here.store != "containerd" or facts.store != "containerd"
    its = (Layer(diff_id=one, digest=one if files else "", size=0) for one in order.image.layers)
    return tuple(its) if order.layers is None else order.layers


def sized(order: Order, leg: Leg, first: int) -> Leg:
    """Return the leg with the layers from `first` on to be sent."""
    if order.layers is None:
        size = order.size if first < leg.layers else 0
        return replace(leg, lowest=first, size=size, exact=first in {0, leg.layers})
    return replace(leg, lowest=first, size=sum(layer.size for layer in order.layers[first:]))


def fits(order: Order, leg: Leg) -> bool:
    """Tell whether a node has the room, as far as that is known."""
    free = leg.there.free
    return free is None or not leg.exact or _needed(order, leg) <= free


def _needed(order: Order, leg: Leg) -> int:
    """Return the bytes of room that a node needs; at least that, where sizes are unknown."""
    if order.layers is None:
        return leg.size * (2 if leg.there.store == "containerd" else 1)
    return estimate.room(order.layers, leg.lowest, leg.there.store)


def _ends(cluster: Cluster, order: Order, way: Way, facts: Facts) -> tuple[int | None, int | None]:
    """Return the speeds of both ends of a way, this machine's first, in Mb/s."""
    if not way.fabric:
        return order.here.speed(facts.asker), facts.link
    own = (one for link in order.here.links for one in link.addresses)
    mine = next((one for one in own if ip_address(one) in cluster.subnet), "")
    return order.here.speed(mine), facts.speed(way.fabric)


def _notes(order: Order, leg: Leg, link: int | None) -> Iterator[str]:
    facts, address = leg.there, leg.way.fabric
    if address and link and link <= SLOW and (its := facts.at(address)):
        yield f"{address} is on {its.name}, a link of {link / 1000:g} Gb/s: is that the fast one?"
    present = _shared(_layers(order, facts), facts)
    if facts.store == "containerd" and present > leg.lowest:
        count = present - leg.lowest
        yield f"containerd keeps pulled and built layers compressed: sent all the same ({count})"


def _shared(layers: tuple[Layer, ...], facts: Facts) -> int:
    """Return how many layers, from the lowest on, some image of an engine begins with."""
    ours = tuple(layer.diff_id for layer in layers)
    pairs = (zip(ours, held.layers, strict=False) for held in facts.images)
    return max((sum(takewhile(bool, (a == b for a, b in its))) for its in pairs), default=0)
