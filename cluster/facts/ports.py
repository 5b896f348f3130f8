"""The ports of a machine and their twins: RDMA devices, each with its interface."""

from dataclasses import dataclass

from cluster.facts.facts import Facts
from cluster.facts.links import Interface
from cluster.facts.rdma import Device


@dataclass(frozen=True, kw_only=True)
class Twin:
    """An RDMA device and its interface: one function of a Spark's port, all of another card's."""

    interface: Interface
    device: Device

    @property
    def port(self) -> str:
        """The part of the PCI address that both twins of a port share.

        A Spark's ConnectX-7 hangs on two PCI domains, and a port is the same function of both
        (NVIDIA dgx-spark-playbooks, connect-two-sparks): 0000:01:00.1 and 0002:01:00.1. Only the
        device's own address counts: other cards have such addresses too, the RJ45 port's for one,
        and a software device on them (rdma_rxe) is a port by itself.
        """
        return self.device.pci.partition(":")[2] or self.device.name

    @property
    def alive(self) -> bool:
        """Whether its interface has a link."""
        return self.interface.alive


@dataclass(frozen=True, kw_only=True)
class Port:
    """A socket for a cable; its twins in the order of their PCI addresses."""

    twins: tuple[Twin, ...]

    @property
    def name(self) -> str:
        """The name of its first interface, by which people know the port."""
        return self.twins[0].interface.name

    @property
    def alive(self) -> bool:
        """Whether a cable is plugged in."""
        return any(twin.alive for twin in self.twins)


def ports(facts: Facts) -> tuple[Port, ...]:
    """Return the ports by PCI address, whatever the names of their interfaces and devices."""
    by_address: dict[str, list[Twin]] = {}
    for twin in twins(facts):
        by_address.setdefault(twin.port, []).append(twin)
    return tuple(Port(twins=tuple(group)) for group in by_address.values())


def twins(facts: Facts) -> tuple[Twin, ...]:
    """Return all RDMA devices that have an interface, in the order of their PCI addresses."""
    pairs = ((device, _interface(facts, device)) for device in facts.rdma.devices)
    joined = (Twin(interface=interface, device=device) for device, interface in pairs if interface)
    return tuple(sorted(joined, key=lambda twin: (twin.device.pci, twin.interface.name)))


def _interface(facts: Facts, device: Device) -> Interface | None:
    """Return a device's interface: the one that the kernel names, or that of its PCI function."""
    same_function = (
        interface
        for interface in facts.links.interfaces
        if device.pci and interface.pci == device.pci
    )
    return facts.links.named(device.netdev) or next(same_function, None)
