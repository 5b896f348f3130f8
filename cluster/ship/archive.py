"""The content of an image, and its archives: for `docker load`, and of `docker save` made smaller.

The archive for `docker load` is an OCI layout with Docker's manifest, written layer by layer.
Engines from 25 on save it like that; overlay2 follows `manifest.json`, also that of older engines,
and containerd's store follows `index.json`. Both take it without the layers that they have.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from tarfile import BLOCKSIZE, GNU_FORMAT, TarInfo
from typing import Any

from cluster.facts.images import BLOBS

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
LAYOUT = ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
INDEX = "application/vnd.oci.image.index.v1+json"
END = bytes(2 * BLOCKSIZE)
ABOUT_NEXT_FILE = b"LKx"
"""Types of headers with a long name, a long link or records for the file after them (tar(5))."""
WITHOUT_CONTENT = b"123456"
"""Types of links, devices, folders and FIFOs: Go's archive/tar reads nothing after them."""
SIZE = re.compile(rb"\d+ size=(\d+)\n")
"""A record; Go's archive/tar writes a size there that eleven octal digits cannot hold."""


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


def start() -> bytes:
    """Return the archive's bytes before the layers."""
    return _file(*LAYOUT)


def layer_file(layer: ImageLayer, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the archive's bytes of a layer, whose own bytes are `chunks`."""
    yield _header(_path(layer.digest), layer.size)
    yield from chunks
    if padding := bytes(-layer.size % BLOCKSIZE):
        yield padding


def tail(content: ImageContent) -> bytes:
    """Return the archive's bytes after the layers; an engine takes nothing without them."""
    files = (
        (_path(content.config_digest), content.config),
        (_path(digest(content.manifest)), content.manifest),
        ("manifest.json", _docker_manifest(content)),
        ("index.json", _index(content)),
    )
    return b"".join(_file(name, text) for name, text in files) + END


def _docker_manifest(content: ImageContent) -> bytes:
    layers = [_path(layer.digest) for layer in content.layers]
    image = {"Config": _path(content.config_digest), "RepoTags": None, "Layers": layers}
    return json.dumps([image]).encode()


def _index(content: ImageContent) -> bytes:
    manifest = {
        "mediaType": MANIFEST,
        "digest": digest(content.manifest),
        "size": len(content.manifest),
        "annotations": {BLOBS: ",".join(layer.digest for layer in content.layers)},
        "platform": content.platform,
    }
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}).encode()


def _path(blob: str) -> str:
    return f"blobs/{blob.replace(':', '/')}"


def _file(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    """Return a tar header in GNU's format, which holds sizes of more than 8 GiB (tar(5))."""
    info = TarInfo(name)
    info.size = size
    return info.tobuf(GNU_FORMAT)


class LayerFilter:
    """An archive on its way from `docker save` to `docker load`, without some of its layers.

    Engines from 25 on name a layer's file after its digest. Older ones tell only at the end which
    layer a file is: their archives are passed on whole. Files that name the layers are passed on as
    well: the engine that loads the archive has the omitted layers, or reports which one it lacks.
    """

    def __init__(self, omit: frozenset[str]) -> None:
        """`omit` holds the digests of the layers to leave out."""
        self._omit = {_path(layer).encode() for layer in omit}
        self._pending = bytearray()
        """The header that is being read, after those that describe the same file."""
        self._position = 0
        """Where in `_pending` that header begins."""
        self._remaining = 0
        """Bytes of the file that are still to come, with the padding of its last block."""
        self._kept = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes of the archive, and yield those to pass on now.

        Anything but an archive is a ValueError.
        """
        unread = memoryview(chunk)
        while unread:
            if self._remaining:
                passed, unread = unread[: self._remaining], unread[self._remaining :]
                self._remaining -= len(passed)
            else:
                missing = self._position + BLOCKSIZE - len(self._pending)
                self._pending += unread[:missing]
                passed, unread = self._headers(), unread[missing:]
            if self._kept and passed:
                yield bytes(passed)

    def _headers(self) -> memoryview:
        """Return the headers of a file, once the last of them is complete."""
        current = self._pending[self._position :]
        if len(current) < BLOCKSIZE:
            return memoryview(b"")
        if current[156] in ABOUT_NEXT_FILE:
            self._position += BLOCKSIZE + _padded(_number(current[124:136]))
            return memoryview(b"")
        record = SIZE.search(self._pending[: self._position])
        size = int(record[1]) if record else _number(current[124:136])
        self._remaining = 0 if current[156] in WITHOUT_CONTENT else _padded(size)
        self._kept = bytes(current[:100].rstrip(b"\0")) not in self._omit
        headers = memoryview(bytes(self._pending))
        self._pending, self._position = bytearray(), 0
        return headers


def _padded(size: int) -> int:
    return size + -size % BLOCKSIZE


def _number(field: bytearray) -> int:
    """Read a number: octal digits, or GNU's bytes after a set bit (tar(5))."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b" \0") or b"0", 8)
