"""Whether Docker answers, has the same image on every node, and has room and ports for it."""

from collections.abc import Iterator

from cluster.checks.check import Check, Look, Patient, each
from cluster.checks.gpus import GPUS
from cluster.checks.room import ROOM
from cluster.errors import Problem
from cluster.host import Host, host_problem
from cluster.preflight import sameimage


def boxed(look: Look) -> Look:
    """Turn a look at nodes into one at those that have containers and whose Docker answers."""
    return lambda patients: look(tuple(its for its in patients if _answers(its)))


def _answers(patient: Patient) -> bool:
    return patient.cluster.runtime == "docker" and not patient.facts.docker.error


def _docker(patient: Patient) -> Iterator[Problem]:
    error = patient.facts.docker.error
    if patient.cluster.runtime == "docker" and error:
        host = "" if patient.is_local else patient.node.ssh_host
        yield host_problem(Host(name=patient.node.name, ssh_host=host), error)


def _image(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    without = {its.node.name for its in patients if not its.facts.docker.image}
    return (found for found in _images(patients) if found.place in without)


def _same_image(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    yield from _images(tuple(its for its in patients if its.facts.docker.image))


def _images(patients: tuple[Patient, ...]) -> tuple[Problem, ...]:
    """Return what `inv up` would say of the images."""
    images = {its.node.name: its.facts.docker.image for its in patients}
    return tuple(found for its in patients[:1] for found in sameimage.problems(its.cluster, images))


CONTAINERS: tuple[Check, ...] = (
    Check(
        name="docker",
        severity="blocks",
        title="Docker answers, and this user may use it",
        looks_at="`docker info`",
        why="Ray and vLLM run in a container on every node.",
        remedy="Start the engine, or add the user to the group `docker` and log in again.",
        source="Docker's guide, post-installation steps for Linux",
        look=each(_docker),
    ),
    *GPUS,
    Check(
        name="image",
        severity="blocks",
        title="Every node has the cluster's image",
        looks_at="`docker image inspect IMAGE`",
        why="Nodes fetch no image by themselves: this one is in no registry.",
        remedy="`inv build` makes it on this machine, `inv ship` copies it to the nodes.",
        source="vLLM's guide to multi-node serving: one environment on all nodes",
        look=boxed(_image),
    ),
    Check(
        name="same-image",
        severity="blocks",
        title="All nodes have the same image",
        looks_at="`docker image inspect IMAGE`: architecture, layers, and what containers get",
        why="Ray refuses nodes with another version of Ray or Python, and ranks with another vLLM "
        "hang or end when they first talk to each other. IDs tell nothing: stores of Docker make "
        "different ones of one image.",
        remedy="`inv ship` copies this machine's image to the nodes that have another.",
        source="vLLM issue 33445; moby/moby issue 48401",
        look=boxed(_same_image),
    ),
    *ROOM,
)
