"""The ranks of a measurement, one per GPU: their commands, and the sizes of their buffers."""

from dataclasses import dataclass

from cluster.errors import Problem, RefusedError
from cluster.node import Cluster
from cluster.node_context import NodeContext
from cluster.settings.values import option, size

PORTS = range(29520, 29530)
"""Where rank 0 may listen on the head; PyTorch's own default is 29500, vLLM's 29501."""
JOIN_SECONDS = 60
"""For all ranks to connect: importing PyTorch alone takes some seconds."""
SECONDS = 180
"""For the whole measurement, by each rank's own clock."""
LIMIT_SECONDS = SECONDS + 20
"""After these a rank is ended from outside."""
MIB = 1 << 20
SMALLEST = 8 * MIB
"""Smaller buffers measure how long a message takes to start, not what the link carries."""
FACTOR = 8
"""Between one size and the next."""
LARGEST = 1 << 30
"""NVIDIA's own test of 16 GB takes 32 GB a node: that has frozen machines (dgx-spark-playbooks,
issue 102)."""
LEAST = 1 << 10
"""Every rank needs a part of the buffer (docker/nccl.py)."""


@dataclass(frozen=True, kw_only=True)
class Rank(NodeContext):
    """One process of the measurement on its node, and its GPU."""

    number: int
    gpu: int
    """Number of the GPU on the node."""


def ranks(cluster: Cluster) -> tuple[Rank, ...]:
    """Return the ranks, the head's first: the others connect to it."""
    places = [(node, gpu) for node in cluster.nodes for gpu in range(node.gpus)]
    return tuple(
        Rank(cluster=cluster, node=node, number=number, gpu=gpu)
        for number, (node, gpu) in enumerate(places)
    )


def title(rank: Rank) -> str:
    """Return what a rank does in a measurement."""
    return f"Measure as rank {rank.number} of {rank.cluster.gpus}, all at the same time"


def arguments(rank: Rank, sizes: tuple[int, ...], port: int) -> tuple[str, ...]:
    """Return the arguments of docker/nccl.py; rank 0 listens at `port` on the head."""
    return (
        *("--rank", str(rank.number), "--world", str(rank.cluster.gpus)),
        *("--master", f"{rank.cluster.head.host_ip}:{port}", "--gpu", str(rank.gpu)),
        *("--sizes", ",".join(map(str, sizes))),
        *("--join", str(JOIN_SECONDS), "--deadline", str(SECONDS)),
    )


def buffer_sizes(largest: str) -> tuple[int, ...]:
    """Return the sizes in bytes up to `largest` (`256m`); raise RefusedError if it is wrong."""
    last = option("--largest", size(LEAST), largest)
    if last > LARGEST:
        message = "is too large: buffers above 1g have frozen Sparks"
        raise RefusedError(Problem("--largest", message, "use at most 1g"))
    sizes = [SMALLEST]
    while sizes[-1] < last:
        sizes.append(sizes[-1] * FACTOR)
    return (*sizes[:-1], last)


def readable_size(count: int) -> str:
    """Return a number of bytes in the largest unit that fits: `256 MiB`."""
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{round(count / unit, 1):g} {name}"
    return f"{count} B"
