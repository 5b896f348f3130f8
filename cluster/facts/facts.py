"""Everything that a machine said, typed."""

from dataclasses import dataclass, field

from cluster.facts.docker import Docker
from cluster.facts.gpu import Gpus
from cluster.facts.links import Links
from cluster.facts.machine import Machine
from cluster.facts.rdma import Rdma
from cluster.facts.reach import Reach
from cluster.facts.surroundings import Surroundings


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One machine at one moment."""

    machine: Machine
    links: Links = field(default_factory=Links)
    rdma: Rdma = field(default_factory=Rdma)
    gpus: Gpus = field(default_factory=Gpus)
    docker: Docker = field(default_factory=Docker)
    surroundings: Surroundings = field(default_factory=Surroundings)
    reach: Reach = field(default_factory=Reach)
    unreadable: tuple[str, ...] = ()
    """Parts of its answer that have another shape than any that is known."""
    lead: float | None = None
    """Seconds that its clock was ahead of the asker's when the answer came; None if unknown."""
