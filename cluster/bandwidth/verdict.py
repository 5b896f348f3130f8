"""The verdict on a measurement: its reference value, what is wrong or slow, and the exit code."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cluster.bandwidth import rank_problems
from cluster.bandwidth.rank_answer import Measurement, RankAnswer
from cluster.bandwidth.rank_problems import Answers, RankResult
from cluster.bandwidth.ranks import Rank, ranks
from cluster.errors import NodeError, Problem
from cluster.node import Cluster

SLOW = 1
"""The exit code of a cluster that works, but not well; `inv doctor` has the same."""
GATHER = "all_gather"
DIRECT = 21.875
"""GB/s at which NVIDIA passes two or more Sparks on a cable or a switch, for all_gather over 16 GB
(dgx-spark-playbooks, spark_cluster_setup.py)."""
RING = 10.0
"""The same for three in a ring."""
SPARK = "NVIDIA GB10"
SHARES = ((1 << 30, 1.0), (256 << 20, 0.85))
"""The share of the reference that a largest buffer must reach; smaller ones need not reach it.
Others have measured 161.6 Gb/s with 256 MiB and 186.9 Gb/s with 1 GiB on the same cable."""
LEAST_IN_RING = 3
"""Nodes; two have one cable, and a second one between the same two changes nothing."""
RING_VARIABLES = {"NCCL_IB_SUBNET_AWARE_ROUTING": "1", "NCCL_IB_MERGE_NICS": "0"}
"""NVIDIA sets both for a ring, and the first of them for a switch as well (dgx-spark-playbooks,
spark_cluster_setup.py); `inv probe` writes both."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A measurement by all ranks, and its problems."""

    cluster: str
    ranks: tuple[Rank, ...]
    answers: Answers
    """Of the ranks that answered."""
    measurements: tuple[Measurement, ...] = ()
    link: float | None = None
    """GB/s that the link can carry, by its slowest end; None if that is unknown."""
    reference: float | None = None
    """NVIDIA's pass mark for all_gather on the bus, in GB/s; None where it does not apply."""
    required: float = 0.0
    """GB/s that buffers of this size must reach; 0 without a reference value."""
    failures: tuple[Problem, ...] = ()
    slow: tuple[Problem, ...] = ()

    @property
    def gathered(self) -> float:
        """GB/s on the bus of all_gather at the largest size; 0 if it was not measured."""
        rows = [row for row in self.measurements if row.operation == GATHER]
        return max(rows, key=lambda row: row.size).bus if rows else 0.0

    @property
    def exit_code(self) -> int:
        """4 with a failure, else 1 if it is slow, else 0."""
        return NodeError.exit_code if self.failures else SLOW if self.slow else 0

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        if not self.measurements:
            return "no measurement"
        speed = f"all_gather {self.gathered:.1f} GB/s on the bus"
        if self.failures:
            return f"failed: {speed}"
        if not self.required:
            return f"{speed}; no reference value"
        return f"{'slow' if self.slow else 'passed'}: {speed}"


def verdict(cluster: Cluster, results: Sequence[RankResult]) -> Verdict:
    """Judge the results of all ranks, in their order."""
    by_rank = dict(zip(ranks(cluster), results, strict=True))
    answers = {rank: result.answer for rank, result in by_rank.items() if result.answer}
    judged = Verdict(cluster=cluster.name, ranks=tuple(by_rank), answers=answers)
    if failures := tuple(rank_problems.failures(by_rank)):
        return replace(judged, failures=failures)
    rows = slowest(answers.values())
    reference = reference_value(answers)
    judged = replace(
        judged,
        measurements=rows,
        link=_link(answers),
        reference=reference,
        required=_required(reference or 0.0, max((row.size for row in rows), default=0)),
        failures=(*rank_problems.wrong_data(answers), *rank_problems.sockets(answers)),
    )
    return replace(judged, slow=tuple(_slow(cluster, judged)))


def slowest(answers: Iterable[RankAnswer]) -> tuple[Measurement, ...]:
    """Return each operation at each size as its slowest rank measured it; right if all agree."""
    return tuple(
        replace(max(rows, key=lambda row: row.seconds), right=all(row.right for row in rows))
        for rows in zip(*(answer.measurements for answer in answers), strict=False)
    )


def _link(answers: Answers) -> float | None:
    """Return the capacity of the slowest end; None if that of any end is unknown."""
    capacities = [answer.capacity for answer in answers.values()]
    numbers = [capacity for capacity in capacities if capacity is not None]
    return min(numbers) if len(numbers) == len(capacities) else None


def _required(reference: float, largest: int) -> float:
    """Return the GB/s that a largest buffer of this size must reach; 0 if it is too small."""
    return reference * next((share for size, share in SHARES if largest >= size), 0.0)


def reference_value(answers: Answers) -> float | None:
    """Return NVIDIA's pass mark in GB/s; None if it does not apply."""
    if not all(SPARK in row.device and row.log.uses_rdma for row in answers.values()):
        return None
    # The settings of every node tell whether it is a ring; ports in use do not.
    is_ring = all(
        len(rank.cluster.nodes) >= LEAST_IN_RING
        and (_has_ring_variables(rank) or _ring_by_interface(rank, answer))
        for rank, answer in answers.items()
    )
    return RING if is_ring else DIRECT


def _has_ring_variables(rank: Rank) -> bool:
    variables = (*rank.cluster.variables, *rank.node.variables)
    return RING_VARIABLES.items() <= dict(variables).items()


def _ring_by_interface(rank: Rank, answer: RankAnswer) -> bool:
    """Whether two ports have a cable, and neither has the address that all nodes reach.

    No network of a ring's cables has all nodes in it, so ETH_IF is a different interface (NVIDIA
    dgx-spark-playbooks, connect-three-sparks).
    """
    interfaces = {name for device in answer.rdma for name in device.interfaces}
    cabled = {device.port for device in answer.rdma if device.active}
    return bool(interfaces) and rank.node.eth_if not in interfaces and len(cabled) > 1


def _slow(cluster: Cluster, judged: Verdict) -> Iterator[Problem]:
    """Yield that the reference is missed, then the nodes that leave a twin idle."""
    if judged.gathered >= judged.required:
        return
    twins = tuple(rank_problems.idle_twins(judged.answers))
    place = ", ".join(dict.fromkeys(rank.node.name for rank in judged.ranks))
    speeds = f"{judged.gathered:.1f} GB/s, expected at least {judged.required:.1f} GB/s"
    remedy = "use the idle twin of the port first" if twins else cluster.inv("doctor")
    yield Problem(place, f"all_gather reaches {speeds}", remedy)
    yield from twins
