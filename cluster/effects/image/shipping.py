"""Ships an image: asks all engines, and pours one `docker save` into those that lack the image."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

from cluster.effects import processes
from cluster.effects.containers.engines import Engines
from cluster.effects.image import fan
from cluster.effects.report import Progress, Report
from cluster.effects.session import Session, engines
from cluster.errors import NodeError, Problem, RefusedError
from cluster.image import ship, unshipped
from cluster.image.ship import Image, Row, Way
from cluster.node import Cluster, Node
from cluster.nodes import engine
from cluster.nodes.engine import Engine

HERE = Engine(node="this machine")
TELL_SECONDS = 10.0
"""How often a copy says how far it is where nobody watches live."""


def ship_image(run: Session, names: list[str], image: str, *, json: bool) -> None:
    """Copy an image to the nodes with these names, to all without any; print what became of each.

    It comes from this machine's engine, and nodes with this engine have it. A NodeError says which
    nodes lack it in the end.
    """
    cluster = run.cluster
    if cluster.runtime == "process":
        what = "its nodes are namespaces of this machine, there is nothing to ship"
        raise RefusedError(Problem(place=cluster.name, what=what))
    name = ship.tagged(image or cluster.image)
    nodes, its = run.chosen(names, cluster.nodes), engines(cluster)
    ways = tuple(_way(cluster, node, its[node.name]) for node in nodes if its[node.name].ssh_host)
    if run.dry:
        print(ship.script(name, nodes, ways), end="")
        return
    if detour := ship.detour(cluster, ways):
        run.report.note(detour)
    with run.alone(), Engines() as opened:
        rows = Shipping(cluster, run.report, opened, name).ship(nodes, ways)
    print(ship.as_json(name, rows) if json else ship.table(rows), end="")
    problems = tuple(row.problem for row in rows if row.problem)
    if problems:
        raise NodeError(*problems)


def _way(cluster: Cluster, node: Node, its: Engine) -> Way:
    """Return the way to a node; asks this machine alone."""
    asked = processes.run(("ssh", "-T", "-G", its.ssh_host))
    if asked.code:
        raise NodeError(engine.problem(its, asked.error))
    return ship.way(cluster, node, its, source=_source(node.host_ip), ssh=asked.output)


def _source(address: IPv4Address) -> str:
    """Return this machine's address on the way to another; a datagram's way, but none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


class Shipping:
    """One image on its way to the nodes of a cluster."""

    def __init__(self, cluster: Cluster, report: Report, engines: Engines, name: str) -> None:
        """Take who is asked, and who hears of it; `name` has its tag."""
        self._cluster = cluster
        self._report = report
        self._engines = engines
        self._name = name

    def ship(self, nodes: tuple[Node, ...], ways: tuple[Way, ...]) -> tuple[Row, ...]:
        """Ship over these ways to all that lack the image; return a row for each node."""
        if not (source := self._image(HERE)):
            raise RefusedError(unshipped.absent(self._name))
        with ThreadPoolExecutor(max_workers=max(1, len(ways))) as pool:
            looked = tuple(pool.map(lambda way: self._look(way, source), ways))
        rows = {row.node: row for row in looked if row}
        lacking = tuple(way for way in ways if way.node not in rows)
        rows |= {row.node: row for row in self._pour(lacking, source)}
        return tuple(
            rows.get(node.name) or Row(node=node.name, route="this machine", result="here")
            for node in nodes
        )

    def _look(self, way: Way, source: Image) -> Row | None:
        """Return the row of a node to which nothing is shipped, because it has it or cannot."""
        try:
            with self._report.step(way.node, f"Look for {self._name}"):
                if self._image(way.engine) == source:
                    return Row(node=way.node, route=way.text, result="equal")
                self._refuse(way, source)
        except NodeError as error:
            (problem,) = error.problems
            return Row(node=way.node, route=way.text, result="failed", problem=problem)
        return None

    def _refuse(self, way: Way, source: Image) -> None:
        """Raise if the node cannot run the image."""
        with self._engines.asking(way.engine) as api:
            runs = str(api.version()["Arch"])
        if runs != source.architecture:
            raise NodeError(unshipped.alien(way, self._name, source, runs))

    def _pour(self, ways: tuple[Way, ...], source: Image) -> tuple[Row, ...]:
        """Read the image once, and pour it into all nodes side by side."""
        if not ways:
            return ()
        sinks = tuple(fan.Sink(ship.load(way)) for way in ways)
        with ThreadPoolExecutor(max_workers=len(ways)) as pool:
            try:
                rows = [
                    pool.submit(self._carry, way, sink, source)
                    for way, sink in zip(ways, sinks, strict=True)
                ]
                fan.pour(ship.save(self._name), sinks)
                return tuple(row.result() for row in rows)
            finally:
                for sink in sinks:
                    sink.stop()

    def _carry(self, way: Way, sink: fan.Sink, source: Image) -> Row:
        """Follow one node until it has the image, or has failed."""
        began, failed = time.monotonic(), None
        try:
            with self._report.step(way.node, f"Ship {self._name} ({way.text})") as progress:
                _follow(sink, progress)
                self._prove(way, sink, source)
        except NodeError as error:
            (failed,) = error.problems
        return Row(
            node=way.node,
            route=way.text,
            result="failed" if failed else "shipped",
            sent=sink.taken,
            seconds=time.monotonic() - began,
            problem=failed,
        )

    def _prove(self, way: Way, sink: fan.Sink, source: Image) -> None:
        """Raise unless the load has gone well, and the node has the image of this machine now."""
        ended = sink.end()
        if sink.stalled:
            raise NodeError(unshipped.stalled(way, fan.STALL_SECONDS))
        if sink.starved:
            raise NodeError(unshipped.unsaved(way, sink.starved))
        if ended.code:
            raise NodeError(
                unshipped.unloaded(self._cluster, way, self._name, ended.code, ended.said)
            )
        if self._image(way.engine) != source:
            raise NodeError(unshipped.different(self._cluster, way, self._name))

    def _image(self, its: Engine) -> Image | None:
        """Return the image that an engine has under the name."""
        from docker.errors import ImageNotFound

        with self._engines.asking(its) as api:
            try:
                return ship.image(api.inspect_image(self._name))
            except ImageNotFound:
                return None


def _follow(sink: fan.Sink, progress: Progress) -> None:
    """Tell how far a copy is, from its first byte to its last."""
    progress.tell(ship.PREPARING)
    first = 0.0
    for taken in sink.flow():
        first = first or time.monotonic()
        progress.tell(ship.pace(taken, time.monotonic() - first), every=TELL_SECONDS)
    if sink.alive:
        progress.tell(ship.UNPACKING)
