"""The ports of a machine's fast card, each of them two halves, and its other interfaces."""

from dataclasses import dataclass

from cluster.facts.facts import Facts
from cluster.facts.halves import Half, halves
from cluster.facts.links import DOCKERS, RJ45, Interface

TUNNELS = frozenset({"tun", "wireguard"})
"""Networks over other networks: no place for a cluster."""


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


def plain(facts: Facts) -> tuple[Interface, ...]:
    """Return the living interfaces with an address and without RDMA, the likeliest first."""
    fast = {half.interface.name for half in halves(facts)}
    others = (one for one in facts.links.interfaces if one.name not in fast)
    return tuple(sorted(filter(_serves, others), key=_likelihood))


def _serves(one: Interface) -> bool:
    ours = not one.name.startswith(DOCKERS) and one.kind not in TUNNELS
    return ours and one.alive and bool(one.addresses)


def _likelihood(one: Interface) -> tuple[bool, int, bool, str]:
    return (bool(one.kind), -(one.speed or 0), one.name == RJ45, one.name)
