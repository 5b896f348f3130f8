"""What an image consists of: its configuration and its layers, the lowest first."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

TAR = "application/vnd.oci.image.layer.v1.tar"
"""The media type of a layer that is not compressed (OCI image-spec, layer.md)."""
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PART = "spark-vllm-cluster.part"
"""The label of an image that has only the lower layers, until the others have arrived; its value is
the digest of the whole image's configuration."""
PART_BYTES = 256_000_000
"""The minimum size of a part: the node unpacks one while the next is on its way, and keeps it when
the others do not arrive; each costs a `docker load` and a connection."""


@dataclass(frozen=True, kw_only=True)
class ImageLayer:
    """One layer, as a file of an archive."""

    diff_id: str
    """The digest of the unpacked layer, which is the same in all stores."""
    digest: str
    """The digest of the file; equal to `diff_id` if it is not compressed."""
    size: int
    """Bytes of the file."""
    media_type: str = TAR


@dataclass(frozen=True, kw_only=True)
class ImageContent:
    """The complete content of an image."""

    config: bytes
    """The JSON text of its configuration, to the byte: its digest identifies the image."""
    layers: tuple[ImageLayer, ...]

    @cached_property
    def config_digest(self) -> str:
        """The image's ID in an engine that unpacks layers at once (overlay2)."""
        return digest(self.config)

    @cached_property
    def manifest(self) -> bytes:
        """The OCI manifest; its digest is the image's ID in containerd's store (moby 48401)."""
        config = {"mediaType": CONFIG, "digest": self.config_digest, "size": len(self.config)}
        layers = [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
            for layer in self.layers
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        return _compact(manifest)

    @property
    def platform(self) -> dict[str, str]:
        """Architecture and operating system, as a manifest's descriptor has them."""
        config = json.loads(self.config)
        return {key: config[key] for key in ("architecture", "os", "variant") if config.get(key)}

    def part(self, end: int) -> "ImageContent":
        """Return an image of the layers before `end`; the image itself if that is all of them.

        A part keeps the layers on a node until the others have arrived: an engine drops a layer
        that no image has.
        """
        if end == len(self.layers):
            return self
        layers = self.layers[:end]
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        label = {"Labels": {PART: self.config_digest}}
        config = _compact({**self.platform, "config": label, "rootfs": rootfs})
        return ImageContent(config=config, layers=layers)


def part_ends(layers: tuple[ImageLayer, ...]) -> tuple[int, ...]:
    """Return the indexes of layers at which the parts of an image end; the last is their number.

    They depend on the image alone, so that each run and each node has the same parts.
    """
    sums = tuple(accumulate(layer.size for layer in layers))
    ends: list[int] = []
    for end, total in enumerate(sums[:-1], 1):
        begin = sums[ends[-1] - 1] if ends else 0
        if total - begin >= PART_BYTES and sums[-1] - total >= PART_BYTES:
            ends.append(end)
    return (*ends, len(layers))


def part_sizes(layers: tuple[ImageLayer, ...], first: int) -> tuple[int, ...]:
    """Return the bytes of each part of an image, without the layers below `first`."""
    return tuple(
        sum(layer.size for layer in layers[max(begin, first) : end])
        for begin, end in pairwise((0, *part_ends(layers)))
    )


def digest(content: bytes) -> str:
    """Return the digest of some bytes as registries and engines write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
