"""The interfaces of a machine that may carry a cluster without RDMA."""

from cluster.facts.facts import Facts
from cluster.facts.links import DOCKERS, RJ45, Interface
from cluster.facts.ports import twins

TUNNELS = frozenset({"tun", "wireguard"})
"""Networks over other networks: no place for a cluster."""


def plain(facts: Facts) -> tuple[Interface, ...]:
    """Return the living interfaces with an address and without RDMA, the likeliest first."""
    fast = {twin.interface.name for twin in twins(facts)}
    others = (one for one in facts.links.interfaces if one.name not in fast)
    return tuple(sorted(filter(_serves, others), key=_likelihood))


def _serves(one: Interface) -> bool:
    ours = not one.name.startswith(DOCKERS) and one.kind not in TUNNELS
    return ours and one.alive and bool(one.addresses)


def _likelihood(one: Interface) -> tuple[bool, int, bool, str]:
    return (bool(one.kind), -(one.speed or 0), one.name == RJ45, one.name)
