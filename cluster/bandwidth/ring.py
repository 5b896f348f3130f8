"""Whether the nodes are a ring: what says so are the settings, never how many ports are in use."""

from collections.abc import Mapping

from cluster.bandwidth.answer import Answer
from cluster.bandwidth.seat import Seat, seats
from cluster.node import Cluster

LEAST = 3
"""Nodes; two have one cable, and a second one between the same two changes nothing."""
VARIABLES = {"NCCL_IB_SUBNET_AWARE_ROUTING": "1", "NCCL_IB_MERGE_NICS": "0"}
"""NVIDIA sets both for a ring, and the first of them for a switch as well (dgx-spark-playbooks,
spark_cluster_setup.py); `inv probe` writes both."""


def ring(cluster: Cluster, answers: Mapping[int, Answer]) -> bool:
    """Tell whether each node says that it is one of a ring."""
    return len(cluster.nodes) >= LEAST and all(
        _by_variables(cluster, seat) or _by_interface(seat, answers[seat.rank])
        for seat in seats(cluster)
    )


def _by_variables(cluster: Cluster, seat: Seat) -> bool:
    own = dict((*cluster.variables, *seat.node.variables))
    return all(own.get(name) == value for name, value in VARIABLES.items())


def _by_interface(seat: Seat, its: Answer) -> bool:
    """Tell whether two ports have a cable, and neither holds the address that all nodes reach.

    No network of a ring's cables has all nodes in it, so ETH_IF is another interface (NVIDIA
    dgx-spark-playbooks, connect-three-sparks).
    """
    known = {name for one in its.rdma for name in one.interfaces}
    cabled = {one.port for one in its.rdma if one.active}
    return bool(known) and seat.node.eth_if not in known and len(cabled) > 1
