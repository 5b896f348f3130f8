"""What was moved, by all ranks together, and what the link could carry at best."""

from collections.abc import Iterable, Mapping

from cluster.bandwidth.answer import Answer, Device, Row
from cluster.bandwidth.ring import ring
from cluster.node import Cluster

BITS = 8
GATHER = "all_gather"
DIRECT = 21.875
"""GB/s by which NVIDIA passes two or more Sparks on a cable or a switch, for all_gather over 16 GB
(dgx-spark-playbooks, spark_cluster_setup.py)."""
RING = 10.0
"""The same for three in a ring."""
SPARK = "NVIDIA GB10"
SHARES = ((1 << 30, 1.0), (256 << 20, 0.85))
"""What part of the mark a largest buffer must reach; below the last of these it has no mark. Others
have measured 161.6 Gb/s with 256 MiB and 186.9 Gb/s with 1 GiB, on one and the same cable."""


def slowest(answers: Iterable[Answer]) -> tuple[Row, ...]:
    """Return each operation at each size as its slowest rank saw it; right when all say so."""
    return tuple(_slowest(rows) for rows in zip(*(its.rows for its in answers), strict=False))


def _slowest(rows: tuple[Row, ...]) -> Row:
    last = max(rows, key=lambda row: row.seconds)
    wrong = next((row for row in rows if not row.right), last)
    return last if wrong is last else Row(**(vars(last) | {"right": False}))


def gathered(rows: tuple[Row, ...]) -> float:
    """Return the GB/s of all_gather at the largest size, 0 when it was not measured."""
    found = [row for row in rows if row.operation == GATHER]
    return max(found, key=lambda row: row.size).bus if found else 0.0


def link(its: Answer) -> float | None:
    """Return the GB/s that what carries a rank's data can carry; None when nobody tells.

    A port of a Spark has two RDMA devices, each with the whole port's rate and half of its PCI
    Express; the devices of both ports share the two slots.
    """
    carriers = its.transport.carriers
    if its.transport.by_rdma:
        return _ports(tuple(one for one in its.rdma if one.name in carriers))
    rates = [its.interfaces.get(name, 0.0) for name in carriers]
    return sum(rates) / BITS if rates and all(rates) else None


def _ports(devices: tuple[Device, ...]) -> float | None:
    ports = {one.port: one.rate for one in devices}
    slots = {one.slot: one.slot_rate for one in devices}
    if not ports or not all(ports.values()):
        return None
    cables = sum(ports.values())
    return min(cables, sum(slots.values()) if all(slots.values()) else cables) / BITS


def enough(mark: float, largest: int) -> float:
    """Return the GB/s with which a buffer of this size passes a mark; 0 when it tells nothing."""
    return mark * next((share for size, share in SHARES if largest >= size), 0.0)


def mark(cluster: Cluster, answers: Mapping[int, Answer]) -> float | None:
    """Return NVIDIA's pass mark in GB/s; None where it does not apply."""
    if not all(SPARK in its.device and its.transport.by_rdma for its in answers.values()):
        return None
    return RING if ring(cluster, answers) else DIRECT
