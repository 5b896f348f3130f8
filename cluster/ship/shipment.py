"""Ships one image: asks all engines, plans the transfers, makes them, and prints the results."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from cluster.errors import NodeError, Problem, RefusedError
from cluster.facts import asking
from cluster.facts.facts import SHIPPING, Facts, FactsRequest
from cluster.host import THIS_MACHINE, Host, host_problem
from cluster.machine import parallel, processes
from cluster.machine.terminal import Report, show
from cluster.node import Cluster
from cluster.ship import chain, node_images, problems, report, transfers
from cluster.ship.delivery import deliver
from cluster.ship.report import TransferResult
from cluster.ship.routes import ShipRoute
from cluster.ship.ship_options import Compress, ShipOptions, Via
from cluster.ship.source import ImageSource, opened
from cluster.ship.transfers import Answers, ShipRequest, Transfer

PROBE_SECONDS = 30.0
"""How long one node may take to reach another."""
ANSWER_SECONDS = 60.0
"""Time limit of a whole answer."""
DOCKER_SECONDS = 50
"""Time limit of each call of the Docker client: an engine with many images takes its time."""


Planned: TypeAlias = tuple[ShipRequest, tuple[Transfer, ...], ImageSource | None]
"""The request and its transfers; the source is None if no node lacks the image."""


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """One image for the nodes of a cluster."""

    cluster: Cluster
    terminal: Report
    name: str
    """Of the image, with its tag."""
    options: ShipOptions
    routes: tuple[ShipRoute, ...]

    def show(self) -> int:
        """Print the plan; return 1 if there is work."""
        text = report.plan_json if self.options.json else report.plan_table
        with self._planned(self._ask(), self.routes, self.options.via) as (request, planned, _):
            show(text(request, planned))
        _raise(transfer.problem for transfer in planned)
        return int(transfers.has_work(planned))

    def ship(self) -> None:
        """Ship to all nodes that lack the image, and print the result of each."""
        answers = self._ask()
        by_node = self._ship(answers, self.routes, self.options.via)
        if self.options.prune:
            self._prune(answers, by_node)
        results = tuple(by_node[route.node] for route in self.routes)
        table = report.result_table(results)
        show(report.result_json(self.name, results) if self.options.json else table)
        _raise(result.problem for result in results)

    def _ask(self) -> Answers:
        nodes = (route.host for route in self.routes if not route.is_local)
        hosts = {host.name: host for host in (THIS_MACHINE, *nodes)}
        question = FactsRequest(parts=SHIPPING, docker_seconds=DOCKER_SECONDS).question
        with self.terminal.step(self.name, "Check which nodes have it"):
            answers = asking.examine(hosts, dict.fromkeys(hosts, question), ANSWER_SECONDS)
        return {name: _with_engine(hosts[name], answer) for name, answer in answers.items()}

    def _ship(
        self, answers: Answers, routes: tuple[ShipRoute, ...], via: str
    ) -> dict[str, TransferResult]:
        """Ship once, and again to nodes that failed because another did, each by its own stream."""
        with self._planned(answers, routes, via) as (request, planned, source):
            results = {transfer.node: _unsent(request, transfer) for transfer in planned}
            if not source:
                return results
            for note in report.notes(self.cluster, planned):
                self.terminal.note(note)
            completed, cut_off = deliver(self.terminal, request, source, planned)
            results |= {result.node: result for result in completed}
        again = tuple(route for route in routes if route.node in cut_off)
        return results | (self._ship(self._ask(), again, "star") if again else {})

    @contextmanager
    def _planned(
        self, answers: Answers, routes: tuple[ShipRoute, ...], via: str
    ) -> Iterator[Planned]:
        """Plan for these nodes; open the source only if any of them lacks the image."""
        request, image_id = self._request(answers, via)
        planned = transfers.plan(request, routes, answers, {})
        if not any(transfer.state == "ship" for transfer in planned):
            yield request, planned, None
            return
        with opened(image_id, request.source.docker) as source:
            request = replace(request, layers=source.content.layers if source.content else None)
            planned = transfers.plan(request, routes, answers, {})
            if hops := transfers.hops(planned):
                unreachable = _unreachable(hops)
                planned = transfers.plan(request, routes, answers, unreachable)
            yield request, planned, source

    def _request(self, answers: Answers, via: str) -> tuple[ShipRequest, str]:
        """Return the request, without the sizes of layers, and the ID of the image."""
        facts = answers[THIS_MACHINE.name]
        if isinstance(facts, Problem):
            raise NodeError(facts)
        image = facts.docker.named(self.name)
        if not image:
            raise RefusedError(problems.no_image(self.name))
        request = ShipRequest(
            cluster=self.cluster,
            name=self.name,
            image=image.image,
            size=image.size,
            layers=None,
            source=facts,
            via=cast(Via, via),
            compress=cast(Compress, self.options.compress),
        )
        return request, image.id

    def _prune(self, before: Answers, results: Mapping[str, TransferResult]) -> None:
        """Remove old images from the nodes that have the new one."""
        after = self._ask()
        for route in self.routes:
            name = THIS_MACHINE.name if route.is_local else route.node
            old, new = before[name], after[name]
            if results[route.node].problem or isinstance(old, Problem) or isinstance(new, Problem):
                continue
            image = old.docker.named(self.name)
            if ids := node_images.old_images(new.docker, before=image.id if image else ""):
                done = processes.run(node_images.remove(route.host, ids))
                line = node_images.removal_result(route.host, ids, done.output, done.error)
                self.terminal.note(line)


def _with_engine(host: Host, answer: Facts | Problem) -> Facts | Problem:
    """Return the facts of a machine whose engine answers, otherwise the problem."""
    if isinstance(answer, Problem) or not answer.docker.error:
        return answer
    return host_problem(host, answer.docker.error)


def _unreachable(hops: tuple[tuple[ShipRoute, ShipRoute], ...]) -> dict[str, str]:
    """Try the hops; return why a node is not reached by the one before it, by its name."""

    def failure(hop: tuple[ShipRoute, ShipRoute]) -> str:
        completed = processes.run(chain.probe(*hop), seconds=PROBE_SECONDS)
        reason = completed.error.strip().splitlines() or [f"exit code {completed.code}"]
        return reason[-1] if completed.code else ""

    reasons = zip(hops, parallel.side_by_side(failure, hops), strict=True)
    return {receiver.node: reason for (_, receiver), reason in reasons if reason}


def _unsent(request: ShipRequest, transfer: Transfer) -> TransferResult:
    """Return the result for a node to which nothing is sent, or nothing yet."""
    return TransferResult(
        node=transfer.node,
        route=transfer.route_text,
        result="failed" if transfer.state == "ship" else transfer.state,
        whole=sum(layer.size for layer in request.layers or ()),
        problem=transfer.problem,
    )


def _raise(candidates: Iterable[Problem | None]) -> None:
    if problems_found := tuple(filter(None, candidates)):
        raise NodeError(*problems_found)
