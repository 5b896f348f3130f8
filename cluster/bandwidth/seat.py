"""Who measures: one rank for each GPU of each node, and the command that it is."""

from dataclasses import dataclass

from cluster.node import Cluster, Node

PORTS = range(29520, 29530)
"""Where the ranks may meet on the head; PyTorch's own habit is 29500, vLLM's 29501."""
JOIN_SECONDS = 60
"""For all ranks to come: PyTorch alone takes some seconds to load."""
SECONDS = 180
"""For everything, by the ranks' own clocks."""
LATE_SECONDS = SECONDS + 20
"""Then a rank is ended from outside."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A rank, and the GPU that is its own."""

    rank: int
    node: Node
    gpu: int
    """Its number on the node."""


def seats(cluster: Cluster) -> tuple[Seat, ...]:
    """Return the ranks, the head's first, as it is where the others come to."""
    places = [(node, gpu) for node in cluster.nodes for gpu in range(node.gpus)]
    return tuple(Seat(rank=rank, node=node, gpu=gpu) for rank, (node, gpu) in enumerate(places))


def title(seat: Seat, world: int) -> str:
    """Return what a rank is there for; each waits for the others."""
    return f"Measure as rank {seat.rank} of {world}, all at the same time"


def arguments(cluster: Cluster, seat: Seat, sizes: tuple[int, ...], port: int) -> tuple[str, ...]:
    """Return what docker/nccl.py is told."""
    return (
        *("--rank", str(seat.rank), "--world", str(cluster.gpus)),
        *("--master", f"{cluster.head.host_ip}:{port}", "--gpu", str(seat.gpu)),
        *("--sizes", ",".join(map(str, sizes))),
        *("--join", str(JOIN_SECONDS), "--deadline", str(SECONDS)),
    )
