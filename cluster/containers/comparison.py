"""A container as it is, compared with the one that should be there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cluster.containers.container import OWNER, SETTINGS, SPEC, Container
from cluster.errors import Problem
from cluster.node import Cluster


@dataclass(frozen=True, kw_only=True)
class ContainerState:
    """What an engine says about a container."""

    id: str
    running: bool
    exit_code: int
    image_id: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    labels: dict[str, str]
    started: float
    """Last start, in seconds since 1970."""
    commands: tuple[str, ...]
    """IDs of the commands that were started inside, the oldest first."""

    @property
    def owner(self) -> str:
        """The cluster that it was made for; empty when this tool did not make it."""
        return self.labels.get(OWNER, "")

    @property
    def digest(self) -> str:
        """The digest of the spec that it was made from."""
        return self.labels.get(SPEC, "")


def container_state(description: Mapping[str, Any]) -> ContainerState:
    """Parse the engine's JSON description of a container."""
    state, config = description["State"], description["Config"]
    # The engine's time is RFC 3339 with nanoseconds, in UTC.
    started = datetime.fromisoformat(f"{state['StartedAt'][:19]}+00:00").timestamp()
    return ContainerState(
        id=description["Id"],
        running=bool(state["Running"]),
        exit_code=int(state["ExitCode"]),
        image_id=description["Image"],
        argv=tuple(config["Cmd"] or ()),
        environment=image_variables(description),
        labels=dict(config["Labels"] or {}),
        started=started,
        commands=tuple(description["ExecIDs"] or ()),
    )


def image_variables(description: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that an image, or a container, sets."""
    return dict(line.split("=", 1) for line in description["Config"]["Env"] or ())


@dataclass(frozen=True, kw_only=True)
class ImageState:
    """The images behind a comparison."""

    inherited: dict[str, str]
    """The variables of the image that the container was made from."""
    current_id: str
    """The ID of the image that has the name now; empty when there is none."""


def changes(
    container: Container, state: ContainerState, image: ImageState, variables: dict[str, str]
) -> tuple[str, ...]:
    """Return the settings and variables in which a container differs from the one that should be.

    `variables` are the values that it should have, secrets included.
    """
    actual = json.loads(state.labels.get(SETTINGS, "{}"))
    expected = {**image.inherited, **variables}
    settings = (key for key, value in container.settings.items() if actual.get(key) != value)
    names = dict.fromkeys((*variables, *state.environment, *expected))
    changed = (name for name in names if state.environment.get(name) != expected.get(name))
    command = ("the command line",) if _program(state.argv) != _program(container.argv) else ()
    rebuilt = ("IMAGE",) if image.current_id not in {"", state.image_id} else ()
    return tuple(dict.fromkeys((*settings, *command, *changed, *rebuilt)))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A container that has the name, compared with the one that should have it."""

    running: bool
    owner: str
    """The cluster that it was made for; empty when this tool did not make it."""
    changes: tuple[str, ...]


def obstacle(
    cluster: Cluster, node: str, comparison: Comparison | None, *, recreate: bool
) -> Problem | None:
    """Return why an existing container cannot be replaced; None if it can, or if there is none."""
    name = cluster.container
    if comparison and not comparison.owner:
        message = f"a container named {name} exists that this tool did not make"
        remedy = "remove it with `docker rm --force`, or set another CONTAINER"
        return Problem(place=node, message=message, remedy=remedy)
    if comparison and comparison.owner != cluster.name:
        owner = replace(cluster, name=comparison.owner)
        message = f"the container {name} belongs to cluster {comparison.owner}"
        remedy = f"{owner.inv('down')}, or set another CONTAINER"
        return Problem(place=node, message=message, remedy=remedy)
    if not (comparison and comparison.running and comparison.changes) or recreate:
        return None
    differences = ", ".join(comparison.changes)
    message = f"{name} is already running with different settings: {differences}"
    remedy = f"{cluster.inv('up', '--recreate')} replaces it, and ends what it serves"
    return Problem(place=node, message=message, remedy=remedy)


def _program(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the program of `run-service NAME DIGEST PROGRAM ...`, without the digest."""
    return argv[3:]
