"""Images, as `docker image inspect` and the API describe them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BLOBS = "spark-vllm-cluster.blobs"
"""The annotation with the digests of an image's files in containerd's store, of an image that was
shipped: the store shows the digests of unpacked layers only, and a layer that was built or pulled
there is another, compressed file."""
DECODER = json.JSONDecoder()
LIST = re.compile(r"^\[", re.MULTILINE)
# What a container gets from its image (OCI image-spec, config.md); builders and stores differ in
# the rest, as in the image's ID (moby issue 48401).
CONFIGURATION = (
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """What makes two images the same, whichever stores of whichever engines keep them."""

    architecture: str
    """As Docker writes it: `arm64`, `amd64`."""
    layers: tuple[str, ...]
    """Digests of the unpacked layers, the lowest first."""
    configuration: str = field(repr=False)
    """What a container gets from the image, as JSON; its variables may be secret."""


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image in the store of an engine."""

    id: str
    tags: tuple[str, ...]
    image: Image
    size: int
    """Bytes, as the engine counts them."""
    labels: tuple[str, ...] = ()
    """The names of its labels."""
    blobs: tuple[str, ...] = ()
    """Digests of its files in containerd's store, if the image came by ship."""
    dangling: bool = False
    """Whether no name leads to it."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Digests of the unpacked layers, the lowest first."""
        return self.image.layers


def image(inspected: Mapping[str, Any]) -> Image:
    """Parse what Docker says about one image."""
    config = inspected.get("Config") or {}
    kept = {key: config[key] for key in CONFIGURATION if config.get(key)}
    return Image(
        architecture=inspected["Architecture"],
        layers=tuple(inspected["RootFS"].get("Layers") or ()),
        configuration=json.dumps(kept, sort_keys=True),
    )


def stored_image(inspected: Mapping[str, Any]) -> StoredImage:
    """Parse what Docker says about one image and its place in the store."""
    tags = tuple(inspected.get("RepoTags") or ())
    annotations = (inspected.get("Descriptor") or {}).get("annotations") or {}
    return StoredImage(
        id=inspected["Id"],
        tags=tags,
        image=image(inspected),
        size=inspected["Size"],
        labels=tuple((inspected.get("Config") or {}).get("Labels") or ()),
        blobs=tuple(filter(None, annotations.get(BLOBS, "").split(","))),
        dangling=not tags and not inspected.get("RepoDigests"),
    )


def inspections(text: str) -> tuple[Mapping[str, Any], ...]:
    """Return the JSON objects that `docker image inspect` printed, one for each image.

    The client's warnings, or the output of a login shell, may stand before and after them.
    """
    start = LIST.search(text)
    return tuple(DECODER.raw_decode(text, start.start())[0]) if start else ()
