"""What is wrong with a node's RDMA as a whole, whoever notices: the doctor, Docker, a container."""

from collections.abc import Iterable

from cluster.errors import Problem
from cluster.node_context import NodeContext

DEVICE_FILES = "/dev/infiniband"


def none(site: NodeContext) -> Problem:
    """Say that there is no RDMA device at all."""
    message = f"has no RDMA device, and IB_IF is {','.join(site.node.ib_if)}"
    return site.problem(message, f"{site.command('sudo modprobe mlx5_ib')}, {_sockets(site)}")


def no_files(site: NodeContext, where: str = "") -> Problem:
    """Say that programs cannot reach the RDMA devices that there are."""
    message = f"has no {DEVICE_FILES}/uverbs*{where}"
    return site.problem(message, f"{site.command('sudo modprobe ib_uverbs')}, {_sockets(site)}")


def reachable(device_files: Iterable[str]) -> bool:
    """Tell whether a program can reach RDMA devices by these files of `DEVICE_FILES`."""
    return any(name.startswith("uverbs") for name in device_files)


def _sockets(site: NodeContext) -> str:
    return f"or write IB_IF= in {site.node_file}, for sockets only"
