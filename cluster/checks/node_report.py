"""A node as checks see it: its settings, the facts of its machine, and what belongs together there.

`ETH_IF` names an interface and `IB_IF` RDMA devices; the twins of a port have one of each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.facts.facts import Facts
from cluster.facts.links import DOCKERS, Interface
from cluster.facts.ports import Twin, ports, twins
from cluster.node_context import NodeContext

RING = 3
"""Nodes of the smallest ring."""
SPARK = "GB10"
"""Part of the GPU's name (`NVIDIA GB10`)."""


@dataclass(frozen=True, kw_only=True)
class NodeReport(NodeContext):
    """A node in its cluster, and the facts of its machine."""

    facts: Facts = field(repr=False)

    @property
    def is_spark(self) -> bool:
        """Whether the node's first GPU is that of a Spark."""
        return any(SPARK in gpu.name for gpu in self.facts.gpus.gpus[:1])

    @property
    def has_unified_memory(self) -> bool:
        """Whether the GPU takes its memory from the machine's."""
        return uses_gpus(self) and any(gpu.unified for gpu in self.facts.gpus.gpus)

    @property
    def driver(self) -> str:
        """The version of the GPU driver; empty if unknown."""
        return next((gpu.driver for gpu in self.facts.gpus.gpus), "")

    @property
    def is_running(self) -> bool:
        """Whether the cluster's own container runs: what it takes, it may have."""
        return self.facts.docker.container == "running"

    @property
    def interface(self) -> Interface | None:
        """The interface that ETH_IF names."""
        return self.facts.links.named(self.node.eth_if)

    @property
    def holder(self) -> Interface | None:
        """The interface that has HOST_IP."""
        return self.facts.links.holder(self.node.host_ip)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """All interfaces that Docker has not made."""
        links = self.facts.links
        return tuple(link for link in links.interfaces if not link.name.startswith(DOCKERS))

    @property
    def twins(self) -> tuple[Twin, ...]:
        """All RDMA devices that have an interface."""
        return twins(self.facts)

    @property
    def port(self) -> tuple[Twin, ...]:
        """The twins of ETH_IF's port, ETH_IF's own first; none if ETH_IF has no RDMA device."""
        eth_if = self.node.eth_if
        sockets = (port.twins for port in ports(self.facts))
        pairs = (pair for pair in sockets if eth_if in (twin.interface.name for twin in pair))
        return tuple(sorted(next(pairs, ()), key=lambda twin: twin.interface.name != eth_if))

    @property
    def chosen(self) -> tuple[Twin, ...]:
        """The twins whose devices IB_IF names."""
        return tuple(twin for twin in self.twins if twin.device.name in self.node.ib_if)

    @property
    def used(self) -> tuple[Twin, ...]:
        """The twins that carry the cluster's data: those of IB_IF, and that of ETH_IF."""
        names = {self.node.eth_if, *(twin.interface.name for twin in self.chosen)}
        return tuple(twin for twin in self.twins if twin.interface.name in names)

    @property
    def missing_devices(self) -> tuple[str, ...]:
        """The names in IB_IF that no RDMA device of the node has."""
        return tuple(name for name in self.node.ib_if if not self.facts.rdma.named(name))

    @property
    def is_in_ring(self) -> bool:
        """Whether the node's ports lead to different neighbours.

        No address of a ConnectX port reaches all nodes then, so ETH_IF is another interface (NVIDIA
        dgx-spark-playbooks, connect-three-sparks).
        """
        if self.port:
            return False
        chosen = {twin.port for twin in self.chosen}
        active = {twin.port for twin in self.twins if twin.device.active}
        return len(chosen) > 1 or (len(active) > 1 and len(self.cluster.nodes) >= RING)

    @property
    def stray_twins(self) -> tuple[Twin, ...]:
        """The twins of IB_IF that belong to another port than ETH_IF, if ETH_IF is on a port."""
        return tuple(twin for twin in self.chosen if self.port and twin.port != self.port[0].port)

    @property
    def has_working_device(self) -> bool:
        """Whether NCCL keeps at least one device that works: it leaves out inactive ones.

        On a Spark only the devices of ETH_IF's port lead where ETH_IF does. In a ring each port
        leads to another neighbour; a cluster of two has no others, and a virtual ETH_IF, which may
        be on a port, is no sign of a ring.
        """
        has_virtual_interface = self.interface and self.interface.kind
        if self.is_in_ring and len(self.cluster.nodes) >= RING and not has_virtual_interface:
            return False
        strays = device_names(self.stray_twins) if len(self.port) > 1 else set()
        names = {*self.node.ib_if} - strays
        return any(device.active for device in self.facts.rdma.devices if device.name in names)

    @property
    def wrong_twins(self) -> tuple[Twin, ...]:
        """The twins of IB_IF that are of a wrong port, while ETH_IF is right.

        A second port beside ETH_IF's is not wrong, whether it has a link or not; nor are the ports
        of cards other than a Spark's.
        """
        interface, strays = self.interface, self.stray_twins
        is_right = interface and interface.alive and interface == self.holder
        all_astray = len(strays) == len(self.chosen)
        return strays if is_right and all_astray and not self.has_working_device else ()

    def counterpart(self, twin: Twin) -> Twin | None:
        """Return the other twin of a port."""
        pairs = (port.twins for port in ports(self.facts) if twin in port.twins)
        return next((candidate for candidate in next(pairs, ()) if candidate != twin), None)


def is_machine(report: NodeReport) -> bool:
    """Whether the node is a machine, with hardware and a container, and not a namespace of one."""
    # `run-cluster-node`, which has no runtime, starts sooner without them.
    from cluster.runtimes import is_virtual

    return not is_virtual(report.cluster)


def is_linked(report: NodeReport) -> bool:
    """Whether the node is a machine that needs a link to other nodes."""
    return is_machine(report) and bool(report.cluster.workers)


def uses_gpus(report: NodeReport) -> bool:
    """Whether the node is to compute on GPUs; namespaces compute on the CPU."""
    return is_machine(report) and report.cluster.accelerator != "none"


def device_names(chosen: Iterable[Twin]) -> set[str]:
    """Return the names of the twins' RDMA devices."""
    return {twin.device.name for twin in chosen}


def node_names(reports: Iterable[NodeReport]) -> str:
    """Return the names of the nodes, as a place or in a sentence."""
    return ", ".join(report.node.name for report in reports)
