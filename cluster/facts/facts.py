"""Everything that a machine said, typed."""

from dataclasses import dataclass

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
    links: Links = Links()
    rdma: Rdma = Rdma()
    gpus: Gpus = Gpus()
    docker: Docker = Docker()
    surroundings: Surroundings = Surroundings()
    reach: Reach = Reach()
    lead: float | None = None
    """Seconds that its clock was ahead of the asker's when the answer came; None if unknown."""
