"""The facts of a machine: what to ask for, and everything it answered, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

from cluster import scripts
from cluster.facts import docker, firewall, gpu, links, machine, rdma, reach, storage
from cluster.facts.docker import Docker
from cluster.facts.firewall import Firewall, Listener
from cluster.facts.gpu import Gpus
from cluster.facts.links import Links
from cluster.facts.machine import MachineFacts
from cluster.facts.part import Answers, Part, Subject, alone, answers
from cluster.facts.rdma import Rdma
from cluster.facts.reach import Reach
from cluster.facts.storage import Disk, Model

SUBJECTS = (
    Subject(parts=links.PARTS, parse=links.links),
    Subject(parts=rdma.PARTS, parse=rdma.rdma),
    Subject(parts=machine.PARTS, parse=machine.machine),
    Subject(parts=gpu.PARTS, parse=gpu.gpus),
    Subject(parts=docker.PARTS, parse=docker.docker),
    alone(firewall.FIREWALL),
    alone(firewall.LISTENERS),
    alone(storage.ENGINE_DISK),
    alone(storage.MODEL_DISK),
    alone(storage.MODELS),
    alone(reach.REACH),
)
PARTS: tuple[Part[Any], ...] = tuple(part for subject in SUBJECTS for part in subject.parts)
EXAMINING = tuple(
    part for part in PARTS if part not in {docker.IMAGES, machine.CONNECTION, machine.PROGRAMS}
)
"""The parts that checks need."""
BLOCKING = tuple(part for part in EXAMINING if part.blocking)
"""The parts that a check which blocks needs."""
SHIPPING: tuple[Part[Any], ...] = (
    links.ADDRESSES,
    links.ADAPTERS,
    machine.CONNECTION,
    machine.PROGRAMS,
    docker.ENGINE,
    docker.IMAGES,
    storage.ENGINE_DISK,
)
"""The parts that show which layers an engine has, and how quickly others get there."""
JOINING: tuple[Part[Any], ...] = (
    links.ADDRESSES,
    links.ADAPTERS,
    *rdma.PARTS,
    machine.SYSTEM,
    gpu.GPUS,
)
"""The parts that show how machines are joined."""


@dataclass(frozen=True, kw_only=True)
class FactsRequest:
    """Which parts to ask a machine for, and about what."""

    parts: tuple[Part[Any], ...] = EXAMINING
    image: str = ""
    """The cluster's image."""
    container: str = ""
    """The cluster's container on the machine."""
    docker_seconds: int = 5
    """Time limit of each call of the Docker client."""
    hf_cache: str = "~/.cache/huggingface"
    pings: tuple[tuple[str, IPv4Address], ...] = ()
    """Interfaces of the machine, each with a peer to ping from it."""
    ports: tuple[tuple[IPv4Address, int], ...] = ()
    """Where to connect to."""
    routes_to: tuple[IPv4Address, ...] = ()
    """Peers whose routes to ask for."""

    @property
    def question(self) -> str:
        """The shell text for the machine."""
        variables = {
            "parts": " ".join(part.name for part in self.parts),
            "image": self.image,
            "container": self.container,
            "docker_seconds": str(self.docker_seconds),
            "cache": self.hf_cache,
            "pings": "\n".join(f"{interface} {address}" for interface, address in self.pings),
            "ports": "\n".join(f"{address} {port}" for address, port in self.ports),
            "routes_to": "\n".join(map(str, self.routes_to)),
        }
        return scripts.assignments(variables) + scripts.program(__package__, "question.sh")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One machine at one moment."""

    machine: MachineFacts
    links: Links = field(default_factory=Links)
    rdma: Rdma = field(default_factory=Rdma)
    gpus: Gpus = field(default_factory=Gpus)
    docker: Docker = field(default_factory=Docker)
    firewall: Firewall = field(default_factory=Firewall)
    listeners: tuple[Listener, ...] = ()
    engine_disk: Disk | None = None
    """The disk with the files of Docker."""
    model_disk: Disk | None = None
    """The disk with the model cache (HF_CACHE)."""
    models: tuple[Model, ...] = ()
    reach: Reach = field(default_factory=Reach)
    unreadable: tuple[str, ...] = ()
    """Parts of the answer that have an unknown shape."""
    lead: float | None = None
    """Seconds that its clock was ahead of the asker's when the answer came; None if unknown."""


def is_whole(text: str) -> bool:
    """Whether an answer is complete; a login shell may have printed something else instead."""
    return "\n== clock\n" in text and "\n== end\n" in text


def parse(text: str) -> Facts:
    """Parse an answer, without the parts of an unknown shape.

    Raises ValueError if the answer is not complete.
    """
    if not is_whole(text):
        message = "its answer is not whole"
        raise ValueError(message)
    given = answers(text)
    readable: dict[str, str] = {"clock": given["clock"]}
    for subject in SUBJECTS:
        readable |= subject.readable(given)
    return replace(_facts(readable), unreadable=_changed(given, readable))


def _changed(before: Answers, after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in after if after[name] != before[name])


def _facts(readable: Answers) -> Facts:
    return Facts(
        machine=machine.machine(readable),
        links=links.links(readable),
        rdma=rdma.rdma(readable),
        gpus=gpu.gpus(readable),
        docker=docker.docker(readable),
        firewall=firewall.FIREWALL.value(readable),
        listeners=firewall.LISTENERS.value(readable),
        engine_disk=storage.ENGINE_DISK.value(readable),
        model_disk=storage.MODEL_DISK.value(readable),
        models=storage.MODELS.value(readable),
        reach=reach.REACH.value(readable),
    )
