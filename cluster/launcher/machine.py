"""What a machine has for a node: interface, address, RDMA devices, memory, and no Ray yet."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.commands import ray
from cluster.errors import Problem
from cluster.facts.links import Interface, Links
from cluster.launcher.launcher import ETH_IF, HOST_IP, IB_IF, PORT, PROGRAM, problem
from cluster.node import Cluster, Node
from cluster.text import nearest

SHOW_INTERFACES = ("ip", "-json", "address")
PATIENCE = "Ray tries for about two minutes"
HOST_NETWORK = "start the container with --net=host"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What was found on this machine, as a container sees it."""

    links: Links
    """Its interfaces, loopback as well."""
    rdma: tuple[str, ...]
    """The RDMA devices that the kernel has."""
    verbs: bool
    """Whether programs here reach RDMA devices: `/dev/infiniband` is there."""
    pinned: int | None
    """Bytes that a program may lock in memory; None without a limit."""
    shared: int
    """Bytes that are free in `/dev/shm`."""
    ray: bool
    """Whether Ray runs here."""
    taken: bool
    """Whether another program listens where a head's control store is to be."""
    head_answers: bool
    """Whether a worker's head is there."""


def problems(cluster: Cluster, node: Node, machine: Machine) -> tuple[Problem, ...]:
    """Return why this machine cannot be the node."""
    return (
        *_ray(cluster, node, machine),
        *_interface(node, machine),
        *_rdma(node, machine),
    )


def warnings(cluster: Cluster, node: Node, machine: Machine) -> Iterator[str]:
    """Yield what works, but not well, or not yet."""
    link = machine.links.named(node.eth_if)
    if link and not link.alive:
        yield f"{node.eth_if} is down, no other node can be reached (look at the cable)"
    if node.role == "worker" and not machine.head_answers:
        yield f"nothing answers at {ray.address(cluster)} yet (start the head: {PATIENCE})"
    if machine.shared < (store := cluster.object_store_memory):
        message = f"{_mib(machine.shared)} of shared memory are free, Ray's object store wants"
        yield f"{message} {_mib(store)} (start the container with --ipc=host or --shm-size=16g)"
    if node.ib_if and machine.pinned is not None:
        message = f"only {_mib(machine.pinned)} of memory can be locked, RDMA needs more"
        yield f"{message} (start the container with --ulimit memlock=-1)"


def _mib(count: int) -> str:
    return f"{round(count / 2**20, 1):g} MiB"


def _ray(cluster: Cluster, node: Node, machine: Machine) -> Iterator[Problem]:
    if machine.ray:
        yield Problem(place=PROGRAM, message="Ray runs here already", remedy="end it: `ray stop`")
    elif node.role == "head" and machine.taken:
        message = f"something listens at {ray.address(cluster)} already"
        yield problem(PORT, message, "end it: Ray of another container on this host?")


def _interface(node: Node, machine: Machine) -> Iterator[Problem]:
    """Yield what is wrong with the interface, or else with the address."""
    own, link = node.host_ip, machine.links.named(node.eth_if)
    holder = machine.links.holder(own)
    if link is None:
        yield _no_interface(node, machine, holder)
    elif holder and holder != link:
        message = f"{own} is on {holder.name}, not on {link.name}"
        yield problem(ETH_IF, message, f"write {holder.name}")
    elif not holder:
        its = ", ".join(str(one.ip) for one in link.addresses)
        has = f"has {its}" if its else "has no IPv4 address"
        remedy = f"on the host: ip address add {own}/24 dev {link.name}"
        yield problem(HOST_IP, f"{own} is not on this machine; {link.name} {has}", remedy)


def _no_interface(node: Node, machine: Machine, holder: Interface | None) -> Problem:
    names = tuple(its.name for its in machine.links.interfaces if its.name != "lo")
    near = holder.name if holder else nearest(node.eth_if, names)
    remedy = f"did you mean {near}?" if near else HOST_NETWORK
    here = f"here: {', '.join(names)}" if names else "there is none but lo"
    return problem(ETH_IF, f"there is no interface {node.eth_if}; {here}", remedy)


def _rdma(node: Node, machine: Machine) -> Iterator[Problem]:
    strange = tuple(name for name in node.ib_if if name not in machine.rdma)
    if not machine.rdma and node.ib_if:
        message = f"no RDMA device is here: {', '.join(node.ib_if)}"
        remedy = 'look on the host with `ibdev2netdev`, or write --ib-if "" for sockets only'
        yield problem(IB_IF, message, remedy)
        return
    for name in strange:
        message = f"there is no RDMA device {name}; here: {', '.join(machine.rdma)}"
        near = nearest(name, machine.rdma)
        pairs = "`ibdev2netdev` pairs them with interfaces"
        yield problem(IB_IF, message, f"did you mean {near}?" if near else pairs)
    if node.ib_if and not strange and not machine.verbs:
        message = "this container has no /dev/infiniband"
        yield problem(
            IB_IF, message, "start it with --device=/dev/infiniband, or with --privileged"
        )
