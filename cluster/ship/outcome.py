"""What became of an image on each node, and how far a copy is."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from cluster.errors import Problem
from cluster.text import aligned

Result = Literal["here", "equal", "shipped", "failed"]
TITLES = ("node", "route", "result", "sent", "seconds", "MB/s", "saved")
GIGA = 1e9
MEANS_SOMETHING = 1.0
"""Seconds after which a rate says something of those to come."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one node."""

    node: str
    route: str
    result: Result
    sent: int = 0
    """Bytes on the wire: compressed ones if they went so."""
    size: int = 0
    """Bytes of what was sent before it was compressed."""
    whole: int = 0
    """Bytes of all layers of the image; 0 when unknown."""
    seconds: float = 0.0
    """From the first step of the copy to the proof that the node has the image."""
    problem: Problem | None = None

    @property
    def saved(self) -> int:
        """Bytes of layers that a node had, which now has the image."""
        return max(0, self.whole - self.size) if self.result in {"equal", "shipped"} else 0


def table(rows: tuple[Row, ...]) -> str:
    """Return what became of the nodes as a person reads it."""
    return aligned((TITLES, *(_cells(row) for row in rows))) + "\n"


def as_json(name: str, rows: tuple[Row, ...]) -> str:
    """Return what became of the nodes as JSON."""
    complete = not any(row.problem for row in rows)
    nodes = [asdict(row) | _plain(row) for row in rows]
    return json.dumps({"image": name, "nodes": nodes, "complete": complete}, indent=2) + "\n"


def pace(done: int, total: int, seconds: float) -> str:
    """Return how far a copy is, how fast it has been since its first byte, and what is left.

    A `total` of 0 is one that nobody knows.
    """
    so_far = f"{amount(done)} of {amount(total)}" if total else amount(done)
    if seconds < MEANS_SOMETHING or not done:
        return so_far
    rate = done / seconds
    left = f", {max(0, total - done) / rate:.0f} s left" if total else ""
    return f"{so_far}, {rate / 1e6:.0f} MB/s{left}"


def amount(sent: int) -> str:
    """Return a number of bytes in decimal units, as networks and disks are sold."""
    return f"{sent / GIGA:.2f} GB" if sent >= GIGA / 10 else f"{sent / 1e6:.1f} MB"


def _plain(row: Row) -> dict[str, str | float]:
    problem = str(row.problem or "")
    return {"seconds": round(row.seconds, 3), "saved": row.saved, "problem": problem}


def _cells(row: Row) -> tuple[str, ...]:
    saved = amount(row.saved) if row.saved else ""
    if not row.sent:
        return (row.node, row.route, row.result, "", "", "", saved)
    rate = f"{row.sent / row.seconds / 1e6:.0f}"
    sent = amount(row.sent)
    return (row.node, row.route, row.result, sent, f"{row.seconds:.1f}", rate, saved)
