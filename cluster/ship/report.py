"""What `inv ship` prints: the plan, the results, and the progress of a copy."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from cluster.errors import Problem
from cluster.node import Cluster
from cluster.ship.routes import detour
from cluster.ship.transfers import ShipRequest, Transfer, chains, has_work
from cluster.text import aligned, data_size

PLAN_TITLES = ("node", "route", "store", "layers", "send", "free", "expected")
RESULT_TITLES = ("node", "route", "result", "sent", "seconds", "MB/s", "saved")
MEANINGFUL_SECONDS = 1.0
"""Seconds after which a rate says something about those to come."""


@dataclass(frozen=True, kw_only=True)
class TransferResult:
    """The result of one transfer."""

    node: str
    route: str
    result: Literal["here", "equal", "shipped", "failed"]
    sent: int = 0
    """Bytes on the wire, so after compression."""
    size: int = 0
    """The same bytes before compression."""
    whole: int = 0
    """Bytes of all layers of the image; 0 if unknown."""
    seconds: float = 0.0
    """From the start of the copy until the node was proved to have the image."""
    problem: Problem | None = None

    @property
    def saved(self) -> int:
        """Bytes of layers that a node already had; 0 if it has not got the image."""
        return max(0, self.whole - self.size) if self.result in {"equal", "shipped"} else 0


def plan_table(request: ShipRequest, transfers: tuple[Transfer, ...]) -> str:
    """Return the plan as a table with a row for each node, and the notes below it."""
    table = aligned((PLAN_TITLES, *(_plan_cells(request, transfer) for transfer in transfers)))
    return "".join(f"{line}\n" for line in (table, *notes(request.cluster, transfers)))


def notes(cluster: Cluster, transfers: tuple[Transfer, ...]) -> Iterator[str]:
    """Yield the notes about a plan: a detour around the fast link, and those about nodes."""
    first = (chain[0] for chain in chains(transfers))
    if links := [transfer.link for transfer in first if not transfer.route.fast_address]:
        yield detour(cluster, min(filter(None, links), default=None))
    for transfer in transfers:
        yield from (f"{transfer.node}: {note}" for note in transfer.notes)


def plan_json(request: ShipRequest, transfers: tuple[Transfer, ...]) -> str:
    """Return the plan as JSON."""
    nodes = [_plan_fields(request, transfer) for transfer in transfers]
    plan = {"image": request.name, "nodes": nodes, "work": has_work(transfers)}
    return json.dumps(plan, indent=2) + "\n"


def result_table(results: tuple[TransferResult, ...]) -> str:
    """Return the results as a table with a row for each node."""
    return aligned((RESULT_TITLES, *(_result_cells(result) for result in results))) + "\n"


def result_json(name: str, results: tuple[TransferResult, ...]) -> str:
    """Return the results for the image `name` as JSON."""
    complete = not any(result.problem for result in results)
    nodes = [
        asdict(result)
        | {"seconds": round(result.seconds, 3), "saved": result.saved}
        | {"problem": str(result.problem or "")}
        for result in results
    ]
    return json.dumps({"image": name, "nodes": nodes, "complete": complete}, indent=2) + "\n"


def progress(done: int, total: int, seconds: float) -> str:
    """Return how many bytes are copied, how fast since the first one, and the seconds left.

    A `total` of 0 is unknown.
    """
    copied = f"{data_size(done)} of {data_size(total)}" if total else data_size(done)
    if seconds < MEANINGFUL_SECONDS or not done:
        return copied
    rate = done / seconds
    left = f", {max(0, total - done) / rate:.0f} s left" if total else ""
    return f"{copied}, {rate / 1e6:.0f} MB/s{left}"


def _plan_cells(request: ShipRequest, transfer: Transfer) -> tuple[str, ...]:
    docker = transfer.facts.docker if transfer.facts else None
    store = f"{docker.store} {docker.version}" if docker else ""
    count = len(request.image.layers)
    layers = f"{transfer.first}/{count}" if transfer.state == "ship" else ""
    free = "" if transfer.free is None else data_size(transfer.free)
    seconds = transfer.seconds
    expected = f"about {max(1, round(seconds))} s" if seconds is not None else ""
    return (transfer.node, transfer.route_text, store, layers, _send(transfer), free, expected)


def _send(transfer: Transfer) -> str:
    """Return how much is sent to the node, or why nothing is."""
    if transfer.state != "ship":
        return {"here": "is here", "equal": "has it", "failed": "cannot"}[transfer.state]
    bound = "" if transfer.exact else "at most "
    return f"{bound}{data_size(transfer.size)}{', zstd' if transfer.compress else ''}"


def _plan_fields(request: ShipRequest, transfer: Transfer) -> dict[str, object]:
    docker = transfer.facts.docker if transfer.facts else None
    seconds = transfer.seconds
    return {
        "node": transfer.node,
        "route": transfer.route_text,
        "state": transfer.state,
        "store": docker.store if docker else "",
        "version": docker.version if docker else "",
        "present": transfer.first,
        "layers": len(request.image.layers),
        "send": transfer.size,
        "exact": transfer.exact,
        "free": transfer.free,
        "link": transfer.link,
        "zstd": transfer.compress,
        "chain": transfer.chain if transfer.state == "ship" else None,
        "seconds": None if seconds is None else round(seconds, 1),
        "notes": list(transfer.notes),
        "problem": str(transfer.problem or ""),
    }


def _result_cells(result: TransferResult) -> tuple[str, ...]:
    saved = data_size(result.saved) if result.saved else ""
    copied = ("", "", "")
    if result.sent:
        rate = f"{result.sent / result.seconds / 1e6:.0f}"
        copied = (data_size(result.sent), f"{result.seconds:.1f}", rate)
    return (result.node, result.route, result.result, *copied, saved)
