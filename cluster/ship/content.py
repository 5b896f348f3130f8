"""What an image is made of: its configuration and its layers, the lowest first."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

TAR = "application/vnd.oci.image.layer.v1.tar"
"""The media type of a layer that is not compressed (OCI image-spec, layer.md)."""
CONFIG = "application/vnd.oci.image.config.v1+json"
BLOBS = "spark-vllm-cluster.blobs"
"""The annotation that tells which files containerd's store has of an image that came by ship: it
shows the digests of unpacked layers only, and a layer that was built or pulled there is another,
compressed file."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PART = "spark-vllm-cluster.part"
"""The label of an image that has the lower layers only, until the rest has come; its value is the
digest of the whole image's configuration."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer, as a file of an archive."""

    diff_id: str
    """The digest of the unpacked layer: what images of all stores have in common."""
    digest: str
    """The digest of the file; the same as `diff_id` when it is not compressed."""
    size: int
    """Bytes of the file."""
    media_type: str = TAR


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that an image is."""

    config: bytes
    """The JSON text of its configuration, to the byte: its digest identifies the image."""
    layers: tuple[Layer, ...]

    @cached_property
    def config_digest(self) -> str:
        """The image's ID in an engine that unpacks layers at once (overlay2)."""
        return digest(self.config)

    @cached_property
    def manifest(self) -> bytes:
        """The OCI manifest; its digest is the image's ID in containerd's store (moby 48401)."""
        own = {"mediaType": CONFIG, "digest": self.config_digest, "size": len(self.config)}
        layers = [
            {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
            for layer in self.layers
        ]
        said = {"schemaVersion": 2, "mediaType": MANIFEST, "config": own, "layers": layers}
        return json.dumps(said, separators=(",", ":")).encode()

    @property
    def platform(self) -> dict[str, str]:
        """Architecture and operating system, as a manifest's descriptor says them."""
        said = self._said
        return {key: said[key] for key in ("architecture", "os", "variant") if said.get(key)}

    def part(self, end: int) -> "Content":
        """Return an image of the layers before `end`; all of them are the image itself.

        A part keeps the layers on a node until the rest has come: without an image that has it, an
        engine drops a layer.
        """
        if end == len(self.layers):
            return self
        layers = self.layers[:end]
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        label = {"Labels": {PART: self.config_digest}}
        said = {**self.platform, "config": label, "rootfs": rootfs}
        return Content(config=json.dumps(said, separators=(",", ":")).encode(), layers=layers)

    @cached_property
    def _said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.config)
        return found


def digest(content: bytes) -> str:
    """Return the digest of some bytes as registries and engines write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
