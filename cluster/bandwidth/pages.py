"""A measurement for people and for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from cluster.bandwidth.answer import Answer, Row
from cluster.bandwidth.seat import Seat
from cluster.bandwidth.sizes import shown
from cluster.bandwidth.verdict import Result
from cluster.settings import passthrough
from cluster.text import aligned

RANKS = ("rank", "node", "device", "backend", "way", "channels")
ROWS = ("operation", "size", "rounds", "time", "algorithm", "bus")
MARK_SIZE = 16 << 30
"""What NVIDIA's pass mark is measured with."""


def text(found: Result) -> str:
    """Return tables of the ranks and of what they measured, then what is to be said of it."""
    ranks = (RANKS, *(row for seat in found.seats for row in _ranks(found, seat)))
    rows = (ROWS, *(_row(row) for row in found.rows))
    tables = (aligned(ranks), *((aligned(rows),) if found.rows else ()))
    wrong = (*found.failures, *found.slow)
    causes = _environments(found) if wrong else ()
    notes = (*_limits(found), *causes, *map(str, wrong), verdict(found))
    return "\n\n".join((*tables, "\n".join(notes))) + "\n"


def verdict(found: Result) -> str:
    """Return the whole in one line."""
    if not found.rows:
        return "nothing was measured"
    speed = f"all_gather {found.gathered:.1f} GB/s on the bus"
    if found.failures:
        return f"failed: {speed}"
    if not found.enough:
        return f"{speed}; there is no mark for it"
    return f"{'slow' if found.slow else 'passed'}: {speed}"


def as_json(found: Result) -> str:
    """Return everything, for programs; bandwidths are in GB/s."""
    whole = {
        "cluster": found.cluster,
        "ranks": [_fields(found, seat) for seat in found.seats],
        "measurements": [asdict(row) for row in found.rows],
        "link": found.link,
        "mark": found.mark,
        "enough": found.enough or None,
        "all_gather": found.gathered or None,
        "failures": [problem.fields for problem in found.failures],
        "slow": [problem.fields for problem in found.slow],
        "verdict": verdict(found),
        "exit_code": found.exit_code,
    }
    return f"{json.dumps(whole, indent=2)}\n"


def _ranks(found: Result, seat: Seat) -> Iterator[tuple[str, ...]]:
    """Yield a line for each way that a rank's channels take, its own columns only once."""
    its = found.answers.get(seat.rank)
    front: tuple[str, ...] = (
        str(seat.rank),
        seat.node.name,
        its.device if its else "",
        _backend(its),
    )
    ways = its.transport.ways if its else ()
    if not ways:
        yield (*front, _elsewise(its), "")
    for way in ways:
        name = f"{way.by} {way.device}".strip() + (" (GPUDirect)" if way.direct else "")
        yield (*front, name, str(way.channels))
        front = ("",) * len(front)


def _elsewise(its: Answer | None) -> str:
    """Return the way where no log tells it: gloo has one only."""
    return "TCP" if its and its.backend == "gloo" else "unknown"


def _backend(its: Answer | None) -> str:
    """Return what moves the data, with its version where it has one of its own."""
    return f"{its.backend} {its.nccl}".strip() if its else "no answer"


def _row(row: Row) -> tuple[str, ...]:
    size, time = shown(row.size), f"{row.seconds * 1000:.2f} ms"
    speeds = (f"{row.algorithm:.2f} GB/s", f"{row.bus:.2f} GB/s")
    return (row.operation, size, str(row.rounds), time, *speeds)


def _limits(found: Result) -> Iterator[str]:
    """Yield what the link can do, and what NVIDIA asks of it."""
    if found.rows and found.link is not None:
        share = f"{found.gathered / found.link:.0%}"
        yield f"link: {found.link:.1f} GB/s in each direction; all_gather uses {share}"
    if found.mark is not None:
        largest = shown(max(row.size for row in found.rows))
        here = f"{found.enough:.1f} GB/s are enough" if found.enough else "it says nothing"
        of = f"NVIDIA's, for {shown(MARK_SIZE)}"
        yield f"mark: {found.mark:g} GB/s for all_gather ({of}); with {largest} {here}"


def _environments(found: Result) -> Iterator[str]:
    """Yield the variables of each node whose log has any; it has one environment for all ranks."""
    nodes: dict[str, dict[str, str]] = {}
    for seat in found.seats:
        its = found.answers.get(seat.rank)
        nodes.setdefault(seat.node.name, {}).update(_variables(its) if its else {})
    for name, variables in nodes.items():
        if variables:
            words = " ".join(f"{key}={value}" for key, value in variables.items())
            yield f"variables of {name}: {words}"


def _variables(its: Answer) -> dict[str, str]:
    """Return what NCCL found in its environment, secrets masked."""
    return {name: str(passthrough.value(name, text, "")) for name, text in its.transport.variables}


def _fields(found: Result, seat: Seat) -> dict[str, object]:
    its = found.answers.get(seat.rank)
    place = {"rank": seat.rank, "node": seat.node.name, "gpu": seat.gpu}
    if its is None:
        return place
    network = {
        "network": its.transport.network,
        "by_rdma": its.transport.by_rdma,
        "ways": [asdict(way) for way in its.transport.ways],
        "variables": _variables(its),
        "warnings": its.transport.warnings,
        "rdma": [asdict(device) for device in its.rdma],
    }
    software = {"device": its.device, "backend": its.backend, "nccl": its.nccl, "torch": its.torch}
    return {**place, **software, **network}
