"""The ports of a machine's fast card, each of them two halves, and its other interfaces."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.facts.facts import Facts
from cluster.facts.links import RJ45, Interface
from cluster.facts.rdma import Device

DOCKERS = ("br-", "docker", "veth")
"""How the names of the interfaces begin that Docker makes."""
TUNNELS = frozenset({"tun", "wireguard"})
"""Networks over other networks: no place for a cluster."""


@dataclass(frozen=True, kw_only=True)
class Half:
    """An interface and its RDMA device: a Spark shows a port as two, one for each PCIe link."""

    interface: Interface
    device: Device

    @property
    def alive(self) -> bool:
        """Whether a cable is in it."""
        return self.interface.enabled and self.interface.carrier


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
    """Return the ports by PCI address, whatever their interfaces and devices are called.

    The halves of a port are the same function of the card, seen from two PCI domains:
    `0000:01:00.1` and `0002:01:00.1` (NVIDIA dgx-spark-playbooks, connect-three-sparks).
    """
    found: dict[str, list[Half]] = {}
    for half in sorted(_halves(facts), key=lambda half: (_pci(half), half.interface.name)):
        found.setdefault(_socket(half), []).append(half)
    return tuple(Port(halves=tuple(halves)) for halves in found.values())


def plain(facts: Facts) -> tuple[Interface, ...]:
    """Return the living interfaces with an address and without RDMA, the likeliest first."""
    fast = {half.interface.name for half in _halves(facts)}
    others = (one for one in facts.links.interfaces if one.name not in fast)
    return tuple(sorted(filter(_serves, others), key=_likelihood))


def _halves(facts: Facts) -> Iterator[Half]:
    for device in facts.rdma.devices:
        for interface in facts.links.interfaces:
            if device.netdev == interface.name or (
                not device.netdev and device.pci and device.pci == interface.pci
            ):
                yield Half(interface=interface, device=device)


def _pci(half: Half) -> str:
    return half.device.pci or half.interface.pci


def _socket(half: Half) -> str:
    """Return what the halves of a port have in common: their PCI address but for the domain."""
    return _pci(half).partition(":")[2] or half.interface.name


def _serves(one: Interface) -> bool:
    ours = not one.name.startswith(DOCKERS) and one.kind not in TUNNELS
    return ours and one.enabled and one.carrier and bool(one.addresses)


def _likelihood(one: Interface) -> tuple[bool, int, bool, str]:
    return (bool(one.kind), -(one.speed or 0), one.name == RJ45, one.name)
