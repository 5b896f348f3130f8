"""A machine's ports, and their halves: RDMA devices, each with the interface that it has."""

from dataclasses import dataclass

from cluster.facts.facts import Facts
from cluster.facts.links import Interface
from cluster.facts.rdma import Device


@dataclass(frozen=True, kw_only=True)
class Half:
    """An RDMA device and its interface: half of a port, or all of one that is no Spark's."""

    interface: Interface
    device: Device

    @property
    def port(self) -> str:
        """What both halves of a port share.

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
    """A socket for a cable; its halves by PCI address."""

    halves: tuple[Half, ...]

    @property
    def name(self) -> str:
        """The name of its first interface, as people know the port."""
        return self.halves[0].interface.name

    @property
    def alive(self) -> bool:
        """Whether a cable is in it."""
        return any(half.alive for half in self.halves)


def ports(facts: Facts) -> tuple[Port, ...]:
    """Return the ports by PCI address, whatever their interfaces and devices are called."""
    found: dict[str, list[Half]] = {}
    for half in halves(facts):
        found.setdefault(half.port, []).append(half)
    return tuple(Port(halves=tuple(its)) for its in found.values())


def halves(facts: Facts) -> tuple[Half, ...]:
    """Return all RDMA devices that have an interface, in the order of their PCI addresses."""
    pairs = ((device, _interface(facts, device)) for device in facts.rdma.devices)
    found = (Half(interface=interface, device=device) for device, interface in pairs if interface)
    return tuple(sorted(found, key=lambda half: (half.device.pci, half.interface.name)))


def _interface(facts: Facts, device: Device) -> Interface | None:
    """Return a device's interface: by the kernel's word, else by its PCI function."""
    functions = (one for one in facts.links.interfaces if device.pci and one.pci == device.pci)
    return facts.links.named(device.netdev) or next(functions, None)
