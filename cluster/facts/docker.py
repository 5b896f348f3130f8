"""The Docker engine of a machine, the cluster's image, and its container."""

import json
import re
from dataclasses import dataclass, replace

from cluster.facts.part import Answers, Part, timeout
from cluster.ship import survey
from cluster.ship.survey import Image

DECODER = json.JSONDecoder()
LIST = re.compile(r"^\[", re.MULTILINE)
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
"""Of containers (moby, api/types/container)."""
NO_ENGINE = "`docker info` tells of no engine"
VERSION = re.compile(r"\bversion (\d[\w.~+-]*)")
"""In what `nvidia-ctk --version` says: `NVIDIA Container Toolkit CLI version 1.17.8`."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """What `docker info`, `docker image inspect` and `docker container inspect` say."""

    error: str = ""
    """What Docker said instead of an answer, as it was; empty when the engine answers."""
    version: str = ""
    store: str = ""
    """`containerd`, or the storage driver that unpacks layers: `overlay2`."""
    runtimes: tuple[str, ...] = ()
    """Names, like `runc` and `nvidia`."""
    cdi: tuple[str, ...] = ()
    """CDI devices, like `nvidia.com/gpu=all`, or the specification files if Docker tells none."""
    toolkit: str = ""
    """Version of the NVIDIA Container Toolkit; empty without it."""
    image: Image | None = None
    """The cluster's image; None when the engine has none of that name."""
    container: str = ""
    """State of the cluster's container: `running`, `exited`; empty when there is none."""


def _engine(text: str) -> Docker:
    """Read `docker info`, whose answer is about the client alone where no engine answers."""
    if said := timeout(text):
        return Docker(error=said)
    lines = text.splitlines()
    about = next((line for line in lines if line.startswith("{")), "{}")
    its = json.loads(about)
    if not its.get("ServerVersion"):
        words = its.get("ServerErrors") or [line for line in lines if line not in {"", about}]
        return Docker(error="\n".join(words) or NO_ENGINE)
    containerd = survey.CONTAINERD in (its.get("DriverStatus") or ())
    return Docker(
        version=its["ServerVersion"],
        store="containerd" if containerd else its["Driver"],
        runtimes=tuple(its.get("Runtimes") or ()),
        cdi=tuple(
            one["ID"] for one in its.get("DiscoveredDevices") or () if one["Source"] == "cdi"
        ),
    )


def _image(text: str) -> tuple[Image | None, str]:
    """Return the image, or why nobody knows of it; the client's warnings may stand around it."""
    if said := timeout(text):
        return None, said.replace("docker", "docker image inspect", 1)
    start = LIST.search(text)
    its = DECODER.raw_decode(text, start.start())[0] if start else ()
    return next(map(survey.image, its), None), ""


def _container(text: str) -> tuple[str, str]:
    """Return the container's state, or why nobody knows of it."""
    if said := timeout(text):
        return "", said.replace("docker", "docker container inspect", 1)
    return next((line for line in text.splitlines() if line in STATES), ""), ""


def _toolkit(text: str) -> str:
    found = VERSION.search(text)
    return found[1] if found else ""


def _cdi(text: str) -> tuple[str, ...]:
    """Return the paths; a pattern that fits none stays as it is."""
    return tuple(path for path in text.splitlines() if not path.endswith("*"))


ENGINE = Part(
    name="engine",
    parse=_engine,
    instead="docker: the answer of `docker info` cannot be read",
)
IMAGE = Part(
    name="image",
    parse=_image,
)
CONTAINER = Part(
    name="container",
    parse=_container,
)
TOOLKIT = Part(
    name="toolkit",
    parse=_toolkit,
)
CDI = Part(
    name="cdi",
    parse=_cdi,
)
PARTS = (ENGINE, IMAGE, CONTAINER, TOOLKIT, CDI)


def docker(said: Answers) -> Docker:
    """Read what Docker says of itself, the image and the container."""
    engine = ENGINE.value(said)
    image, image_error = IMAGE.value(said)
    container, container_error = CONTAINER.value(said)
    return replace(
        engine,
        error=engine.error or image_error or container_error,
        cdi=engine.cdi or CDI.value(said),
        toolkit=TOOLKIT.value(said),
        image=image,
        container=container,
    )
