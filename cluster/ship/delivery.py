"""Sends an image to the nodes that lack it: reads it once, loads it, verifies it, and names it."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from cluster.errors import NodeError, Problem
from cluster.facts.images import image, inspections
from cluster.host import host_problem
from cluster.machine import clock, hosts, parallel
from cluster.machine.processes import Completed
from cluster.machine.streams import STALL_SECONDS, Chunk, PartStream
from cluster.machine.terminal import Report
from cluster.ship import archive, chain, node_images, problems, report
from cluster.ship.archive import ImageContent, digest, part_ends
from cluster.ship.report import TransferResult
from cluster.ship.source import ImageSource
from cluster.ship.transfers import ShipRequest, Transfer, chains

LOADED = re.compile(r"^Loaded image(?: ID)?: (\S+)$", re.MULTILINE)
NOT_UNPACKED = "Error unpacking image"
"""Printed by a load into containerd's store that ends with 0 though the image cannot be used."""
PROGRESS_SECONDS = 10.0
"""How often a copy reports its progress where there is no live view."""


@dataclass(kw_only=True)
class NodeLoad:
    """The loads of a node so far."""

    image: str = ""
    """The ID of the image that was loaded last."""
    parts: tuple[str, ...] = ()
    """The IDs of the parts that were loaded before it, and are of no use once it is complete."""
    problem: Problem | None = None
    was_cut_off: bool = False
    """It failed because the node before it in the chain did."""


class Delivery:
    """The transfers of one stream, to a node or a chain of nodes."""

    def __init__(
        self, request: ShipRequest, source: ImageSource, transfers: tuple[Transfer, ...]
    ) -> None:
        """Create the stream; nothing runs yet."""
        self.request = request
        self.source = source
        self.transfers = transfers
        self.first, compress = transfers[0].first, transfers[0].compress
        self.routes = tuple(transfer.route for transfer in transfers)
        self.loads = {route.node: NodeLoad() for route in self.routes}
        argv = chain.load(self.routes, compress=compress)
        self.stream = PartStream(argv, compress=compress, goes_on=self._record)
        self.begin = clock.monotonic()

    def run(self, terminal: Report) -> tuple[TransferResult, ...]:
        """Run the stream to its end, show its progress, then verify the image on each node."""
        routes = " > ".join(route.text for route in self.routes)
        title = f"Ship {self.request.name} ({routes})"
        size, done = self.transfers[0].size, 0
        with suppress(NodeError), terminal.step(", ".join(self.loads), title) as step:
            for count in self.stream.run():
                done = min(done + count, size)
                if done == size:
                    step.update("the engine is unpacking")
                else:
                    seconds = clock.monotonic() - self.begin
                    step.update(report.progress(done, size, seconds), interval=PROGRESS_SECONDS)
            if self.stream.failure:
                self._record_failure()
            if failed := tuple(filter(None, (load.problem for load in self.loads.values()))):
                raise NodeError(*failed)  # marks the step as failed; the results show the problems
        return tuple(parallel.side_by_side(self._result, self.transfers))

    def _record(self, completed: Completed) -> bool:
        """Record the loads of a part; return whether any node can take the next part."""
        reports = chain.reports(f"{completed.output}\n{completed.error}", self.routes)
        for number, route in enumerate(self.routes):
            load, result = self.loads[route.node], reports[route.node]
            if result.code == 0 and NOT_UNPACKED not in result.output:
                load.parts = (*load.parts, *filter(None, (load.image,)))
                load.image = (LOADED.findall(result.output) or [""])[-1]
            elif load.problem is None:
                load.problem = problems.load_failed(
                    self.request.cluster, route, self.request.name, result.code, result.output
                )
                load.was_cut_off = number > 0 and result.code == chain.LOST
        return any(load.problem is None for load in self.loads.values())

    def _record_failure(self) -> None:
        """Record why this side has broken off the stream."""
        for route in self.routes:
            load = self.loads[route.node]
            load.was_cut_off = self.stream.stalled and len(self.routes) > 1
            load.problem = (
                problems.stalled(route, STALL_SECONDS)
                if self.stream.stalled
                else problems.incomplete(self.request.cluster, route, self.stream.failure)
            )

    def _result(self, transfer: Transfer) -> TransferResult:
        problem = self.loads[transfer.node].problem or self._name(transfer)
        return TransferResult(
            node=transfer.node,
            route=transfer.route.text,
            result="failed" if problem else "shipped",
            sent=self.stream.sent,
            size=transfer.size,
            whole=sum(layer.size for layer in self.request.layers or ()),
            seconds=clock.monotonic() - self.begin,
            problem=problem,
        )

    def _name(self, transfer: Transfer) -> Problem | None:
        """Verify that a node has the image, and name it; until now the old one has the name."""
        load, content = self.loads[transfer.node], self.source.content
        layers, name = self.request.image.layers, self.request.name
        different = problems.different(self.request.cluster, transfer.route, name)
        if content and load.image not in {content.config_digest, digest(content.manifest)}:
            return different
        earlier = node_images.parts(transfer.node_facts.docker, layers)
        parts = tuple(dict.fromkeys((*earlier, *load.parts)))
        script = node_images.naming_script(name, load.image, layers, parts)
        completed = hosts.run(transfer.route.host, script)
        if completed.code == node_images.DIFFERENT:
            return different
        if completed.code:
            return host_problem(transfer.route.host, completed.error)
        loaded = tuple(map(image, inspections(completed.output)))
        return None if loaded == (self.request.image,) else different


def deliver(
    report: Report, request: ShipRequest, source: ImageSource, transfers: tuple[Transfer, ...]
) -> tuple[tuple[TransferResult, ...], frozenset[str]]:
    """Ship to the nodes that lack the image.

    Return the results, and the nodes that failed because the one before them in a chain did.
    """
    deliveries = tuple(Delivery(request, source, group) for group in chains(transfers))
    with parallel.running(lambda delivery: delivery.run(report), deliveries) as results:
        try:
            _fan_out(source, deliveries, request)
            completed = tuple(result for group in results() for result in group)
        finally:
            for delivery in deliveries:
                delivery.stream.abandon()
    loads = (item for delivery in deliveries for item in delivery.loads.items())
    return completed, frozenset(node for node, load in loads if load.was_cut_off)


START = Chunk(content=archive.start(), starts_part=True)
Deliveries = tuple[Delivery, ...]
Step = tuple[Deliveries, Chunk]
"""A chunk, and the deliveries that need it."""


def _fan_out(source: ImageSource, deliveries: Deliveries, request: ShipRequest) -> None:
    """Put the image into all streams until its end, or until none takes any more.

    A stream that fails does not end the others. If the source fails, all streams break off the part
    under way, which must not pass for whole.
    """
    streams = tuple(delivery.stream for delivery in deliveries)
    try:
        content = source.content
        steps = (
            _parts(source, content, deliveries)
            if content
            else _archive(source, deliveries, request)
        )
        for receivers, chunk in steps:
            for receiver in receivers:
                receiver.stream.put(chunk)
            if all(stream.closed for stream in streams):
                return
        for stream in streams:
            stream.put(None)
    except NodeError as error:
        for stream in streams:
            stream.break_off(str(error))


def _parts(source: ImageSource, content: ImageContent, deliveries: Deliveries) -> Iterator[Step]:
    """Yield the archives of the parts: each stream gets the layers that its nodes lack."""
    # A node with all layers lacks the configuration alone, and does not wait for others.
    complete = tuple(delivery for delivery in deliveries if delivery.first == len(content.layers))
    yield complete, START
    yield complete, _tail(content, len(content.layers))
    ends = part_ends(content.layers)
    lowest = min(delivery.first for delivery in deliveries)
    for index, (layer, chunks) in enumerate(source.layers(lowest), lowest):
        receivers = tuple(delivery for delivery in deliveries if delivery.first <= index)
        starting = tuple(delivery for delivery in receivers if index in {delivery.first, *ends})
        yield starting, START
        for content_bytes in archive.layer_file(layer, chunks):
            yield receivers, Chunk(content=content_bytes)
        if index + 1 in ends:
            yield receivers, _tail(content, index + 1)


def _archive(source: ImageSource, deliveries: Deliveries, request: ShipRequest) -> Iterator[Step]:
    """Yield an archive of `docker save` without the layers that all nodes have.

    Its last bytes come only when `docker save` has succeeded.
    """
    lowest = min(delivery.first for delivery in deliveries)
    present = frozenset(request.image.layers[:lowest])
    yield deliveries, Chunk(content=b"", starts_part=True)
    last = b""
    for content in source.archive(present):
        if last:
            yield deliveries, Chunk(content=last)
        last = content
    yield deliveries, Chunk(content=last, ends_part=True)


def _tail(content: ImageContent, end: int) -> Chunk:
    return Chunk(content=archive.tail(content.part(end)), ends_part=True)
