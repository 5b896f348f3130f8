"""The plan of `inv ship`: a transfer for each node, with its route, its layers and its chain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import pairwise, takewhile
from typing import Literal

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.images import Image
from cluster.node import Cluster
from cluster.ship import estimate, problems
from cluster.ship.archive import ImageLayer, part_sizes
from cluster.ship.routes import ShipRoute
from cluster.ship.ship_options import Compress, Via

State = Literal["here", "equal", "ship", "failed"]
Answers = Mapping[str, Facts | Problem]
"""The facts of each node's engine, or why there are none, by node."""
CHAIN_FROM = 4
"""The number of nodes on the fast link from which on each passes the bytes on to the next."""
SLOW = 10_000
"""Mb/s up to which a link is slower than the output of zstd."""
NO_ZSTD = "`zstd` is not installed, nothing is compressed (there: `sudo apt-get install zstd`)"


@dataclass(frozen=True, kw_only=True)
class ShipRequest:
    """The image to ship, to which cluster, and how."""

    cluster: Cluster
    name: str
    """With its tag."""
    image: Image
    size: int
    """Bytes, as this machine's engine counts them."""
    layers: tuple[ImageLayer, ...] | None
    """None while their sizes are unknown: `docker save` writes them before anyone can tell."""
    source: Facts
    """The facts of this machine and its engine."""
    via: Via = "auto"
    compress: Compress = "auto"


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """The copy of an image to one node."""

    route: ShipRoute
    facts: Facts | None
    """None if the node gave no answer."""
    state: State
    first: int = 0
    """The index of the first layer to send."""
    size: int = 0
    """Bytes of the layers to send."""
    exact: bool = True
    """False if `size` is only an upper bound."""
    compress: bool = False
    chain: int = -1
    """The number of its chain; a node alone is a chain too."""
    previous: str = ""
    """The node before it in the chain; empty if this machine sends the image."""
    speeds: tuple[int | None, int | None] = (None, None)
    """The speed at this machine's end of the route and at the node's, in Mb/s, if known."""
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def node(self) -> str:
        """The node's name."""
        return self.route.node

    @property
    def link(self) -> int | None:
        """The speed of the slower end, in Mb/s, as far as it is known."""
        return min(filter(None, self.speeds), default=None)

    @property
    def node_facts(self) -> Facts:
        """The facts of a node that has answered."""
        assert self.facts  # noqa: S101 (see above; the types cannot know)
        return self.facts

    @property
    def free(self) -> int | None:
        """Bytes of free disk space for the node's engine; None if unknown."""
        disk = self.facts.engine_disk if self.facts else None
        return disk.free if disk else None

    @property
    def route_text(self) -> str:
        """The route as tables show it."""
        if self.route.is_local:
            return "this machine"
        return f"from {self.previous}" if self.previous else self.route.text


def plan(
    request: ShipRequest,
    routes: tuple[ShipRoute, ...],
    answers: Answers,
    unreachable: Mapping[str, str],
) -> tuple[Transfer, ...]:
    """Return the transfer to each node, in the order of `routes`.

    `unreachable` has, by the name of a node, why the one before it in a chain does not reach it.
    Plan with an empty one, try the `hops`, and plan again if any fails.
    """
    transfers = tuple(_transfer(request, route, answers) for route in routes)
    waiting = tuple(transfer for transfer in transfers if transfer.state == "ship")
    groups = tuple(_groups(request, waiting, unreachable))
    planned = {
        transfer.node: replace(transfer, chain=number)
        for number, group in enumerate(groups)
        for transfer in _stream(request, group, len(groups))
    }
    return tuple(planned.get(transfer.node, transfer) for transfer in transfers)


def has_work(transfers: tuple[Transfer, ...]) -> bool:
    """Whether any node lacks the image."""
    return any(transfer.state in {"ship", "failed"} for transfer in transfers)


def chains(transfers: tuple[Transfer, ...]) -> tuple[tuple[Transfer, ...], ...]:
    """Return the transfers to make, chain by chain."""
    numbers = sorted({transfer.chain for transfer in transfers if transfer.state == "ship"})
    return tuple(
        tuple(transfer for transfer in transfers if transfer.chain == number) for number in numbers
    )


def hops(transfers: tuple[Transfer, ...]) -> tuple[tuple[ShipRoute, ShipRoute], ...]:
    """Return the route to each node that passes the image on, with the route to the next one."""
    pairs = (pair for chain in chains(transfers) for pair in pairwise(chain))
    return tuple((sender.route, receiver.route) for sender, receiver in pairs)


def first_missing(layers: tuple[ImageLayer, ...], facts: Facts) -> int:
    """Return the index of the first layer that an engine lacks.

    An engine that unpacks at once finds a layer by those below it; containerd by its file.
    """
    if facts.docker.store == "containerd":
        blobs = {blob for image in facts.docker.images for blob in image.blobs}
        return sum(1 for _ in takewhile(lambda layer: layer.digest in blobs, layers))
    return _shared(layers, facts)


def _transfer(request: ShipRequest, route: ShipRoute, answers: Answers) -> Transfer:
    """Return the transfer to a node, as far as it does not depend on other nodes."""
    if route.is_local:
        return Transfer(route=route, facts=request.source, state="here")
    facts = answers[route.node]
    if isinstance(facts, Problem):
        return Transfer(route=route, facts=None, state="failed", problem=facts)
    transfer = Transfer(route=route, facts=facts, state="failed")
    present = facts.docker.named(request.name)
    if present and present.image == request.image:
        return replace(transfer, state="equal", first=len(present.layers))
    architecture = facts.docker.architecture
    if architecture != request.image.architecture:
        problem = problems.wrong_architecture(route, request.name, request.image, architecture)
        return replace(transfer, problem=problem)
    return _with_layers(request, transfer, facts)


def _with_layers(request: ShipRequest, transfer: Transfer, facts: Facts) -> Transfer:
    """Return the transfer to a node that can use the image, if it has the disk space."""
    transfer = _starting_at(request, transfer, first_missing(_layers(request, facts), facts))
    if not _fits(request, transfer):
        needed = _needed(request, transfer)
        problem = problems.no_room(transfer.route, request.name, facts, needed)
        return replace(transfer, problem=problem)
    speeds = _speeds(request, transfer.route, facts)
    notes = tuple(_notes(request, transfer, speeds[1]))
    return replace(transfer, state="ship", speeds=speeds, notes=notes)


def _layers(request: ShipRequest, facts: Facts) -> tuple[ImageLayer, ...]:
    """Return the image's layers; with their digests alone while their sizes are unknown.

    From a store of containerd `docker save` takes compressed files, which no node is known to have.
    """
    if request.layers is not None:
        return request.layers
    stores = {request.source.docker.store, facts.docker.store}
    plain = stores != {"containerd"}
    return tuple(
        ImageLayer(diff_id=layer, digest=layer if plain else "", size=0)
        for layer in request.image.layers
    )


def _starting_at(request: ShipRequest, transfer: Transfer, first: int) -> Transfer:
    """Return the transfer of the layers from `first` on."""
    exact = request.layers is not None or first in {0, len(request.image.layers)}
    return replace(transfer, first=first, size=sum(_part_sizes(request, first)), exact=exact)


def _part_sizes(request: ShipRequest, first: int) -> tuple[int, ...]:
    """Return the bytes of each part from the layer `first` on; one upper bound if unknown."""
    if request.layers is not None:
        return part_sizes(request.layers, first)
    return (request.size if first < len(request.image.layers) else 0,)


def _fits(request: ShipRequest, transfer: Transfer) -> bool:
    """Whether a node has the disk space, as far as that is known."""
    free = transfer.free
    return free is None or not transfer.exact or _needed(request, transfer) <= free


def _needed(request: ShipRequest, transfer: Transfer) -> int:
    """Return the bytes of disk space that a node needs; a minimum if sizes are unknown."""
    parts, store = _part_sizes(request, transfer.first), transfer.node_facts.docker.store
    if request.layers is None and store != "containerd":
        return transfer.size
    return estimate.room(parts, store)


def _speeds(request: ShipRequest, route: ShipRoute, facts: Facts) -> tuple[int | None, int | None]:
    """Return the speeds at this machine's end of a route and at the node's, in Mb/s."""
    source, node, machine = request.source.links, facts.links, facts.machine
    if not route.fast_address:
        return source.speed(machine.ssh_client), node.speed(machine.ssh_server)
    addresses = (address.ip for link in source.interfaces for address in link.addresses)
    fast = next((address for address in addresses if address in request.cluster.subnet), None)
    return source.speed(fast), node.speed(ip_address(route.fast_address))


def _notes(request: ShipRequest, transfer: Transfer, speed: int | None) -> Iterator[str]:
    facts, address = transfer.node_facts, transfer.route.fast_address
    holder = facts.links.holder(ip_address(address)) if address else None
    if holder and speed and speed <= SLOW:
        name = holder.name
        yield f"{address} is on {name}, a link of {speed / 1000:g} Gb/s: is that the fast link?"
    present = _shared(_layers(request, facts), facts)
    if facts.docker.store == "containerd" and present > transfer.first:
        count = present - transfer.first
        yield (
            f"layers sent although the node has them: {count} "
            "(containerd keeps pulled and built layers compressed)"
        )


def _shared(layers: tuple[ImageLayer, ...], facts: Facts) -> int:
    """Return how many layers, from the lowest on, any image of an engine begins with."""
    digests = tuple(layer.diff_id for layer in layers)
    pairs = (zip(digests, image.layers, strict=False) for image in facts.docker.images)
    counts = (sum(takewhile(bool, (a == b for a, b in layer_pairs))) for layer_pairs in pairs)
    return max(counts, default=0)


def _groups(
    request: ShipRequest, transfers: tuple[Transfer, ...], unreachable: Mapping[str, str]
) -> Iterator[tuple[Transfer, ...]]:
    """Yield the transfers of each stream: one each, unless a chain is better."""
    members = _members(request, transfers)
    chain: tuple[Transfer, ...] = ()
    for transfer in members:
        reason = unreachable.get(transfer.node, "")
        if chain and reason:
            yield chain
            note = (
                f"gets its own copy from this machine: {chain[-1].node} cannot reach it ({reason})"
            )
            chain = (replace(transfer, notes=(*transfer.notes, note)),)
        else:
            chain = (*chain, transfer)
    yield from ((transfer,) for transfer in transfers if transfer not in members)
    yield from ((chain,) if chain else ())


def _members(request: ShipRequest, transfers: tuple[Transfer, ...]) -> tuple[Transfer, ...]:
    """Return the transfers of the chain: all its nodes get the layers that any of them lacks."""
    fast = tuple(transfer for transfer in transfers if transfer.route.fast_address)
    candidates = transfers if request.via == "chain" or not fast else fast
    minimum = {"star": len(transfers) + 1, "chain": 2, "auto": CHAIN_FROM if fast else 2}
    if len(candidates) < minimum[request.via]:
        return ()
    first = min(transfer.first for transfer in candidates)
    return tuple(
        transfer
        for transfer in candidates
        if _fits(request, _starting_at(request, transfer, first))
    )


def _stream(request: ShipRequest, chain: tuple[Transfer, ...], streams: int) -> Iterator[Transfer]:
    """Yield the transfers of one stream: the same layers, all compressed or none.

    `streams` is how many share this machine's end.
    """
    first, link = min(transfer.first for transfer in chain), _slowest(request.cluster, chain, 1)
    wants_zstd = request.compress == "zstd" or (
        request.compress == "auto" and link is not None and link <= SLOW
    )
    compress = wants_zstd and all(transfer.node_facts.machine.zstd for transfer in chain)
    seconds = estimate.seconds(
        _part_sizes(request, first),
        _slowest(request.cluster, chain, streams),
        compress=compress,
        saved=request.size if request.layers is None else 0,
    )
    for before, transfer in zip((None, *chain), chain, strict=False):
        notes = (NO_ZSTD,) if wants_zstd and not transfer.node_facts.machine.zstd else ()
        yield replace(
            _starting_at(request, transfer, first),
            compress=compress,
            previous=before.node if before else "",
            seconds=seconds,
            notes=(*transfer.notes, *notes),
        )


def _slowest(cluster: Cluster, chain: tuple[Transfer, ...], streams: int) -> int | None:
    """Return the speed of the slowest link of a chain, in Mb/s, as far as it is known."""
    addresses = {node.name: node.host_ip for node in cluster.nodes}
    source, receiver = chain[0].speeds
    onward = (transfer.node_facts.links.speed(addresses[transfer.node]) for transfer in chain[1:])
    return min(filter(None, ((source or 0) // streams, receiver, *onward)), default=None)
