"""Whether a node has room on its disks, the model, and the ports that the head listens on."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cluster.checks.alike import names
from cluster.checks.check import Check, Look, Patient, each
from cluster.checks.spark import runs
from cluster.commands import ray
from cluster.errors import Problem
from cluster.facts.surroundings import Disk, Listener

DISK = 2_000_000_000
"""Free bytes for logs and compile caches; the image is there already."""
NEARLY_FULL = 20
"""A disk is nearly full when no more than one part in so many is free."""
EVERYWHERE = ("0.0.0.0", "*", "[::]", "::")  # noqa: S104 (as `ss` prints it)
LOOPBACK = ("127.0.0.1", "[::ffff:127.0.0.1]")


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port that the head listens on by its settings."""

    number: int
    whose: str
    without: str
    """What to write to do without it."""
    clashes: Callable[[str], bool]
    """Whether somebody on an address keeps the head from listening."""


def _ports(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Look at the head alone: a worker listens on no port that a setting names."""
    for its in patients:
        if its.node.role == "head" and not runs(its):
            yield from (found for port in _wanted(its) for found in _taken(its, port))


def _wanted(patient: Patient) -> Iterator[Port]:
    cluster = patient.cluster
    yield Port(
        number=cluster.head_port,
        whose="HEAD_PORT",
        without="write another HEAD_PORT",
        clashes=_anywhere,
    )
    # Only the image for GPUs has the dashboard.
    if cluster.dashboard and cluster.accelerator != "none":
        yield Port(
            number=ray.DASHBOARD_PORT,
            whose="Ray's dashboard",
            without="write DASHBOARD=false",
            clashes=lambda address: address in (*EVERYWHERE, *LOOPBACK),
        )


def _anywhere(address: str) -> bool:
    """Ray's control store listens on all IPv4 addresses, so one that is taken is enough."""
    return ":" not in address or address in (*EVERYWHERE, *LOOPBACK)


def _taken(patient: Patient, port: Port) -> Iterator[Problem]:
    mine = (its for its in patient.facts.surroundings.listeners if its.port == port.number)
    who = tuple(_who(its) for its in mine if port.clashes(its.address.partition("%")[0]))
    if who:
        show = f"{patient.on(f'sudo ss -ltnp sport = :{port.number}')} shows who does"
        there = ", ".join(dict.fromkeys(who))
        message = f"cannot listen on port {port.number} ({port.whose}): {there} does"
        yield patient.problem(message, f"{show}; or {port.without} in {patient.cluster_file}")


def _who(listener: Listener) -> str:
    return f"{listener.process or 'somebody'} on {listener.address}"


def _disk(patient: Patient) -> Iterator[Problem]:
    disk = patient.facts.surroundings.engine_disk
    if disk and _full(disk):
        has = f"Docker has {disk.free / 1e9:.1f} GB of free disk space"
        remedy = f"{patient.on('docker system prune')} removes what no container uses"
        yield patient.problem(f"{has}, {DISK / 1e9:g} GB needed", remedy)


def _full(disk: Disk) -> bool:
    return disk.free < DISK


def _model_disk(patient: Patient) -> Iterator[Problem]:
    """Find a disk that models may fill, unless it is Docker's, and full already."""
    its = patient.facts.surroundings
    disk, other = its.model_disk, its.engine_disk
    if not disk or disk.free * NEARLY_FULL > disk.total:
        return
    if not (other and _full(other) and other.total == disk.total):
        message = f"HF_CACHE has {disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB left"
        show = f"du -sh {shlex.quote(disk.path)}/hub/*"
        remedy = f"{patient.on(show)} shows what models take"
        yield patient.problem(
            message, f"{remedy}; or write another HF_CACHE in {patient.cluster_file}"
        )


def _models(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Find who lacks the model that others have; a folder's name is none in the cache."""
    have = tuple(its for its in patients if _size(its))
    for its in patients:
        if have and not _size(its):
            message = f"lacks {its.cluster.model} ({_size(have[0]) / 1e9:.1f} GB), which is on"
            yield its.problem(f"{message} {names(have)}", _fetch(have[0], its))


def _size(patient: Patient) -> int:
    """Return the bytes of MODEL in a node's cache; none where it is not."""
    models = patient.facts.surroundings.models
    return next((its.size for its in models if its.name == patient.cluster.model), 0)


def _fetch(giver: Patient, taker: Patient) -> str:
    """Return how the model comes to a node: by itself, or from another over the fast link."""
    itself = "`inv serve` lets it fetch it"
    one, other = giver.facts.surroundings.model_disk, taker.facts.surroundings.model_disk
    if not one or not other:
        return itself
    model = f"{one.path}/hub/models--{giver.cluster.model.replace('/', '--')}"
    target = f"{taker.facts.machine.user}@{taker.node.host_ip}:{other.path}/hub"
    copy = shlex.join(("rsync", "--archive", "--mkpath", model, target))
    return f"{itself}; {giver.on(copy)} copies it over the link"


def _boxes(look: Look) -> Look:
    """Turn a look at nodes into one at those that have containers."""
    return lambda patients: look(tuple(its for its in patients if its.cluster.runtime == "docker"))


ROOM: tuple[Check, ...] = (
    Check(
        name="disk",
        severity="blocks",
        title="Docker has 2 GB of free disk space",
        looks_at="`df` of Docker's folder and, with that store, of containerd's",
        why="Logs and what Triton, FlashInfer and vLLM compile are kept there; on a full disk "
        "containers do not start, or end with strange words.",
        remedy="Remove what no container uses: `docker system prune`.",
        source="docker-system-prune(1)",
        look=_boxes(each(_disk)),
    ),
    Check(
        name="model-disk",
        severity="note",
        title="There is room for models",
        looks_at="`df` of HF_CACHE",
        why="Each node fetches the whole model for itself, and stops where the disk is full.",
        remedy="Remove models that nobody serves, or write another HF_CACHE.",
        source="vLLM's guide to multi-node serving: models at the same path on every node",
        look=_boxes(each(_model_disk)),
    ),
    Check(
        name="models",
        severity="note",
        title="MODEL is on all nodes, or on none",
        looks_at="the folders of HF_CACHE/hub",
        why="A node that lacks the model fetches it first, and the others wait for it.",
        remedy="Copy it from a node that has it, over the fast link.",
        source="vLLM's guide to multi-node serving: models at the same path on every node",
        look=_boxes(_models),
    ),
    Check(
        name="ports",
        severity="blocks",
        title="The ports that the head listens on are free",
        looks_at="`ss -ltn`",
        why="Ray's head does not start when another program, a Redis or another Ray, has its port.",
        remedy="End what listens there, or write another HEAD_PORT or DASHBOARD=false.",
        source="Ray's documentation, configuring Ray, ports",
        look=_boxes(_ports),
    ),
)
