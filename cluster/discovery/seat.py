"""What a host brings into a cluster: an address, an interface and RDMA devices."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.discovery.wiring import Spot
from cluster.facts.halves import Half, Port


@dataclass(frozen=True, kw_only=True)
class Seat:
    """The place of a host in the cluster."""

    spot: Spot
    """Its HOST_IP and ETH_IF."""
    ports: tuple[Port, ...] = ()
    """Those of its IB_IF: one, or both in a ring; none without RDMA."""
    peers: tuple[Spot, ...] = ()
    """What answered it."""

    @property
    def halves(self) -> tuple[Half, ...]:
        """The halves whose RDMA devices work; all of them when none does."""
        found = tuple(half for port in self.ports for half in port.halves)
        return tuple(half for half in found if half.device.active) or found


Seats = Mapping[str, Seat]
"""By host, in order."""
