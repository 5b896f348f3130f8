"""The Docker engine of a machine, the cluster's image, and its container."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cluster.facts.part import Answers, Part
from cluster.ship import survey
from cluster.ship.survey import Image

DECODER = json.JSONDecoder()
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
    root: str = ""
    """The engine's folder."""
    runtimes: tuple[str, ...] = ()
    """Names, like `runc` and `nvidia`."""
    cdi: tuple[str, ...] = ()
    """CDI devices, like `nvidia.com/gpu=all`, or the specification files if Docker tells none."""
    toolkit: str = ""
    """Version of the NVIDIA Container Toolkit; empty without it."""
    image: Image | None = None
    """The cluster's image; None when the engine has none of that name."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the image: ours begin with `spark-vllm-cluster.`."""
    container: str = ""
    """State of the cluster's container: `running`, `exited`; empty when there is none."""


def _engine(text: str) -> Docker:
    """Read `docker info`, whose answer is about the client alone where no engine answers."""
    start = text.find("{")
    its, end = DECODER.raw_decode(text, start) if start >= 0 else ({}, 0)
    if not its.get("ServerVersion"):
        words = its.get("ServerErrors") or (text[end:].strip() or NO_ENGINE,)
        return Docker(error="\n".join(words))
    containerd = survey.CONTAINERD in (its.get("DriverStatus") or ())
    return Docker(
        version=its["ServerVersion"],
        store="containerd" if containerd else its["Driver"],
        root=its["DockerRootDir"],
        runtimes=tuple(its.get("Runtimes") or ()),
        cdi=tuple(
            one["ID"] for one in its.get("DiscoveredDevices") or () if one["Source"] == "cdi"
        ),
    )


def _image(text: str) -> tuple[Image | None, Mapping[str, str]]:
    """Return the image and its labels."""
    its = next(iter(json.loads(text or "[]")), None)
    return (survey.image(its), (its.get("Config") or {}).get("Labels") or {}) if its else (None, {})


def _toolkit(text: str) -> str:
    found = VERSION.search(text)
    return found[1] if found else ""


def _cdi(text: str) -> tuple[str, ...]:
    """Return the paths; a pattern that fits none stays as it is."""
    return tuple(path for path in text.splitlines() if not path.endswith("*"))


ENGINE = Part(
    name="engine",
    question="  within 5 docker info --format '{{json .}}'\n",
    read=_engine,
)
IMAGE = Part(
    name="image",
    question='  timeout -k 1 5 docker image inspect -- "$image"\n',
    read=_image,
)
CONTAINER = Part(
    name="container",
    question="""\
  timeout -k 1 5 docker container inspect --format '{{.State.Status}}' -- "$container"
""",
    read=str,
)
TOOLKIT = Part(
    name="toolkit",
    question="  timeout -k 1 2 nvidia-ctk --version\n",
    read=_toolkit,
)
CDI = Part(
    name="cdi",
    question="  printf '%s\\n' /etc/cdi/* /var/run/cdi/*\n",
    read=_cdi,
)
PARTS = (ENGINE, IMAGE, CONTAINER, TOOLKIT, CDI)


def docker(said: Answers) -> Docker:
    """Read what Docker says of itself, the image and the container."""
    engine = ENGINE.of(said)
    image, labels = IMAGE.of(said)
    return replace(
        engine,
        cdi=engine.cdi or CDI.of(said),
        toolkit=TOOLKIT.of(said),
        image=image,
        labels=labels,
        container=CONTAINER.of(said),
    )
