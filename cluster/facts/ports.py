"""A machine's ports, and their twins: RDMA devices, each with the interface that it has."""

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
        """What both twins of a port share.

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
    """A socket for a cable; its twins by PCI address."""

    twins: tuple[Twin, ...]

    @property
    def name(self) -> str:
        """The name of its first interface, as people know the port."""
        return self.twins[0].interface.name

    @property
    def alive(self) -> bool:
        """Whether a cable is in it."""
        return any(twin.alive for twin in self.twins)


def ports(facts: Facts) -> tuple[Port, ...]:
    """Return the ports by PCI address, whatever their interfaces and devices are called."""
    found: dict[str, list[Twin]] = {}
    for twin in twins(facts):
        found.setdefault(twin.port, []).append(twin)
    return tuple(Port(twins=tuple(its)) for its in found.values())


def twins(facts: Facts) -> tuple[Twin, ...]:
    """Return all RDMA devices that have an interface, in the order of their PCI addresses."""
    pairs = ((device, _interface(facts, device)) for device in facts.rdma.devices)
    found = (Twin(interface=interface, device=device) for device, interface in pairs if interface)
    return tuple(sorted(found, key=lambda twin: (twin.device.pci, twin.interface.name)))


def _interface(facts: Facts, device: Device) -> Interface | None:
    """Return a device's interface: by the kernel's word, else by its PCI function."""
    functions = (one for one in facts.links.interfaces if device.pci and one.pci == device.pci)
    return facts.links.named(device.netdev) or next(functions, None)
