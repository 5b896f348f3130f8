"""What a host brings into a cluster: an address, an interface and RDMA devices."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.discovery.wiring import Spot
from cluster.facts.ports import Port, Twin


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
    def twins(self) -> tuple[Twin, ...]:
        """The twins whose RDMA devices work; all of them when none does."""
        found = tuple(twin for port in self.ports for twin in port.twins)
        return tuple(twin for twin in found if twin.device.active) or found


Seats = Mapping[str, Seat]
"""By host, in order."""
