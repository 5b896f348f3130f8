"""The report of a measurement: tables for people, JSON for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from cluster.bandwidth.nccl_log import ChannelRoute
from cluster.bandwidth.rank_answer import Measurement, RankAnswer
from cluster.bandwidth.ranks import Rank, readable_size
from cluster.bandwidth.verdict import Verdict
from cluster.settings import passthrough
from cluster.text import aligned

RANKS = ("rank", "node", "device", "backend", "transport", "channels")
MEASUREMENTS = ("operation", "size", "rounds", "time", "algorithm", "bus")
REFERENCE_SIZE = 16 << 30
"""The size that NVIDIA's pass mark is measured with."""


def text(verdict: Verdict) -> str:
    """Return tables of the ranks and the measurements, then limits, problems and the verdict."""
    rows = [row for rank in verdict.ranks for row in _rank_rows(rank, verdict)]
    parts = [aligned((RANKS, *rows))]
    if verdict.measurements:
        parts.append(aligned((MEASUREMENTS, *map(_measurement_row, verdict.measurements))))
    problems = (*verdict.failures, *verdict.slow)
    variables = _variable_lines(verdict) if problems else ()
    parts.append("\n".join((*_limits(verdict), *variables, *map(str, problems), verdict.summary)))
    return "\n\n".join(parts) + "\n"


def as_json(verdict: Verdict) -> str:
    """Return everything as JSON; bandwidths are in GB/s."""
    report = {
        "cluster": verdict.cluster,
        "ranks": [_rank_fields(rank, verdict) for rank in verdict.ranks],
        "measurements": [asdict(row) for row in verdict.measurements],
        "link": verdict.link,
        "mark": verdict.reference,
        "enough": verdict.required or None,
        "all_gather": verdict.gathered or None,
        "failures": [problem.fields for problem in verdict.failures],
        "slow": [problem.fields for problem in verdict.slow],
        "verdict": verdict.summary,
        "exit_code": verdict.exit_code,
    }
    return f"{json.dumps(report, indent=2)}\n"


def _rank_rows(rank: Rank, verdict: Verdict) -> Iterator[tuple[str, ...]]:
    """Yield a row for each route of a rank's channels; the rank's own columns only once."""
    columns = [str(rank.number), rank.node.name]
    answer = verdict.answers.get(rank)
    if answer is None:
        yield (*columns, "", "no answer", "unknown", "")
        return
    columns += [answer.device, f"{answer.backend} {answer.nccl}".strip()]
    if not answer.log.routes:  # gloo has no log, and one transport only
        yield (*columns, "TCP" if answer.backend == "gloo" else "unknown", "")
    for route in answer.log.routes:
        suffix = " (GPUDirect)" if route.gpu_direct else ""
        transport = f"{route.transport} {route.device}".strip() + suffix
        yield (*columns, transport, str(route.channels))
        columns = [""] * len(columns)


def _measurement_row(row: Measurement) -> tuple[str, ...]:
    size, time = readable_size(row.size), f"{row.seconds * 1000:.2f} ms"
    speeds = (f"{row.algorithm:.2f} GB/s", f"{row.bus:.2f} GB/s")
    return (row.operation, size, str(row.rounds), time, *speeds)


def _limits(verdict: Verdict) -> Iterator[str]:
    """Yield what the link can carry, and NVIDIA's reference value."""
    if verdict.measurements and verdict.link is not None:
        share = f"{verdict.gathered / verdict.link:.0%}"
        yield f"link: {verdict.link:.1f} GB/s in each direction; all_gather uses {share}"
    if verdict.reference is not None:
        largest = readable_size(max(row.size for row in verdict.measurements))
        required = f"at least {verdict.required:.1f} GB/s" if verdict.required else "no reference"
        source = f"NVIDIA's, for {readable_size(REFERENCE_SIZE)}"
        reference = f"{verdict.reference:g} GB/s for all_gather ({source})"
        yield f"reference: {reference}; for {largest}: {required}"


def _variable_lines(verdict: Verdict) -> Iterator[str]:
    """Yield the variables of each node whose log has any; all ranks of a node share them."""
    nodes: dict[str, dict[str, str]] = {}
    for rank, answer in verdict.answers.items():
        nodes.setdefault(rank.node.name, {}).update(_variables(answer))
    for name, variables in nodes.items():
        if variables:
            words = " ".join(f"{key}={value}" for key, value in variables.items())
            yield f"variables of {name}: {words}"


def _variables(answer: RankAnswer) -> dict[str, str]:
    """Return what NCCL read in its environment, secrets masked."""
    return {name: str(passthrough.value(name, text, "")) for name, text in answer.log.variables}


def _rank_fields(rank: Rank, verdict: Verdict) -> dict[str, object]:
    identity = {"rank": rank.number, "node": rank.node.name, "gpu": rank.gpu}
    answer = verdict.answers.get(rank)
    if answer is None:
        return identity
    return {
        **identity,
        "device": answer.device,
        "backend": answer.backend,
        "nccl": answer.nccl,
        "torch": answer.torch,
        "network": answer.log.network,
        "by_rdma": answer.log.uses_rdma,
        "ways": list(map(_route_fields, answer.log.routes)),
        "variables": _variables(answer),
        "warnings": answer.log.warnings,
        "rdma": [asdict(device) for device in answer.rdma],
    }


def _route_fields(route: ChannelRoute) -> dict[str, object]:
    return {
        "by": route.transport,
        "device": route.device,
        "network": route.leaves_node,
        "direct": route.gpu_direct,
        "channels": route.channels,
    }
