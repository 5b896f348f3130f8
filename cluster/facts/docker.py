"""The Docker engine of a machine, its images, and the cluster's image and container."""

import json
import re
from dataclasses import dataclass, replace

from cluster.facts.images import Image, StoredImage, image, inspections, stored_image
from cluster.facts.part import Answers, Part, timeout

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The architectures of `docker info`, as images name them."""
CONTAINERD = ["driver-type", "io.containerd.snapshotter.v1"]
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
"""States of containers (moby, api/types/container)."""
NO_ENGINE = "`docker info` tells of no engine"
VERSION = re.compile(r"\bversion (\d[\w.~+-]*)")
"""In the output of `nvidia-ctk --version`: `NVIDIA Container Toolkit CLI version 1.17.8`."""


@dataclass(frozen=True, kw_only=True)
class Docker:
    """What `docker info`, `docker image inspect` and `docker container inspect` print."""

    error: str = ""
    """What Docker printed instead of an answer, unchanged; empty if the engine answers."""
    version: str = ""
    architecture: str = ""
    """As images name it: `arm64`, `amd64`."""
    store: str = ""
    """`containerd`, or the storage driver that unpacks layers: `overlay2`."""
    root: str = ""
    """The engine's folder (DockerRootDir)."""
    runtimes: tuple[str, ...] = ()
    """Names, like `runc` and `nvidia`."""
    cdi: tuple[str, ...] = ()
    """CDI devices, like `nvidia.com/gpu=all`, or the specification files if Docker lists none."""
    toolkit: str = ""
    """Version of the NVIDIA Container Toolkit; empty without it."""
    images: tuple[StoredImage, ...] = ()
    """All images of the engine."""
    image: Image | None = None
    """The cluster's image; None if the engine has none of that name."""
    container: str = ""
    """State of the cluster's container: `running`, `exited`; empty if there is none."""

    def named(self, name: str) -> StoredImage | None:
        """Return the image with a name, with its tag, or with an ID."""
        names = {name, name.removeprefix("docker.io/").removeprefix("library/")}
        return next((image for image in self.images if names & {*image.tags, image.id}), None)


def _engine(text: str) -> Docker:
    """Parse `docker info`, which describes the client alone where no engine answers."""
    if line := timeout(text):
        return Docker(error=line)
    lines = text.splitlines()
    described = next((line for line in lines if line.startswith("{")), "{}")
    info = json.loads(described)
    if not info.get("ServerVersion"):
        errors = info.get("ServerErrors") or [line for line in lines if line not in {"", described}]
        return Docker(error="\n".join(errors) or NO_ENGINE)
    architecture = info.get("Architecture", "")
    containerd = CONTAINERD in (info.get("DriverStatus") or ())
    return Docker(
        version=info["ServerVersion"],
        architecture=ARCHITECTURES.get(architecture, architecture),
        store="containerd" if containerd else info["Driver"],
        root=info.get("DockerRootDir", ""),
        runtimes=tuple(info.get("Runtimes") or ()),
        cdi=tuple(
            device["ID"]
            for device in info.get("DiscoveredDevices") or ()
            if device["Source"] == "cdi"
        ),
    )


def _images(text: str) -> tuple[tuple[StoredImage, ...], str]:
    """Return all images, or why the engine did not list them."""
    if text.startswith("docker"):
        return (), text
    return tuple(map(stored_image, inspections(text))), ""


def _image(text: str) -> tuple[Image | None, str]:
    """Return the image, or why the engine did not describe it."""
    if line := timeout(text):
        return None, line.replace("docker", "docker image inspect", 1)
    return next(map(image, inspections(text)), None), ""


def _container(text: str) -> tuple[str, str]:
    """Return the container's state, or why the engine did not tell it."""
    if line := timeout(text):
        return "", line.replace("docker", "docker container inspect", 1)
    return next((line for line in text.splitlines() if line in STATES), ""), ""


def _toolkit(text: str) -> str:
    match = VERSION.search(text)
    return match[1] if match else ""


def _cdi(text: str) -> tuple[str, ...]:
    """Return the paths; a pattern without a match stays as it is."""
    return tuple(path for path in text.splitlines() if not path.endswith("*"))


ENGINE = Part(
    name="engine",
    parse=_engine,
    instead="docker: the answer of `docker info` cannot be read",
)
IMAGES = Part(
    name="images",
    parse=_images,
    instead="docker: the answer of `docker image inspect` cannot be read",
)
IMAGE = Part(name="image", parse=_image)
CONTAINER = Part(name="container", parse=_container)
TOOLKIT = Part(name="toolkit", parse=_toolkit)
CDI = Part(name="cdi", parse=_cdi)
PARTS = (ENGINE, IMAGES, IMAGE, CONTAINER, TOOLKIT, CDI)


def docker(answers: Answers) -> Docker:
    """Parse the engine, its images, and the cluster's image and container."""
    engine = ENGINE.value(answers)
    images, images_error = IMAGES.value(answers)
    image, image_error = IMAGE.value(answers)
    container, container_error = CONTAINER.value(answers)
    return replace(
        engine,
        error=engine.error or images_error or image_error or container_error,
        cdi=engine.cdi or CDI.value(answers),
        toolkit=TOOLKIT.value(answers),
        images=images,
        image=image,
        container=container,
    )
