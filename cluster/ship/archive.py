"""The archive that `docker load` reads: OCI layout and Docker's manifest in one, layer by layer.

Engines from 25 on save it so; overlay2 follows `manifest.json`, also that of older engines, and
containerd's store follows `index.json`. Neither needs the layers that it has.
"""

import json
from itertools import accumulate
from tarfile import BLOCKSIZE, GNU_FORMAT, TarInfo

from cluster.ship.content import BLOBS, MANIFEST, Content, Layer, digest

LAYOUT = ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
INDEX = "application/vnd.oci.image.index.v1+json"
END = bytes(2 * BLOCKSIZE)
PART_BYTES = 256_000_000
"""A part is at least so long: the node unpacks one while the next is on its way, and keeps it when
the rest does not come; each costs a `docker load` and a connection."""


def start() -> bytes:
    """Return what comes before the layers."""
    return _file(*LAYOUT)


def header(layer: Layer) -> bytes:
    """Return what comes before a layer's bytes."""
    return _header(_path(layer.digest), layer.size)


def padding(layer: Layer) -> bytes:
    """Return what comes after a layer's bytes."""
    return bytes(-layer.size % BLOCKSIZE)


def tail(content: Content) -> bytes:
    """Return what comes after the layers. Without it, an engine takes nothing of the archive."""
    files = (
        (_path(content.config_digest), content.config),
        (_path(digest(content.manifest)), content.manifest),
        ("manifest.json", _docker_manifest(content)),
        ("index.json", _index(content)),
    )
    return b"".join(_file(name, text) for name, text in files) + END


def ends(layers: tuple[Layer, ...]) -> tuple[int, ...]:
    """Return where the parts of an image end: indexes of layers, the last is their number.

    They depend on the image alone, so that each run and each node has the same parts.
    """
    sums = tuple(accumulate(layer.size for layer in layers))
    found: list[int] = []
    for end, total in enumerate(sums[:-1], 1):
        begun = sums[found[-1] - 1] if found else 0
        if total - begun >= PART_BYTES and sums[-1] - total >= PART_BYTES:
            found.append(end)
    return (*found, len(layers))


def _docker_manifest(content: Content) -> bytes:
    layers = [_path(layer.digest) for layer in content.layers]
    said = {"Config": _path(content.config_digest), "RepoTags": None, "Layers": layers}
    return json.dumps([said]).encode()


def _index(content: Content) -> bytes:
    has = {BLOBS: ",".join(layer.digest for layer in content.layers)}
    said = {
        "mediaType": MANIFEST,
        "digest": digest(content.manifest),
        "size": len(content.manifest),
        "annotations": has,
        "platform": content.platform,
    }
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [said]}).encode()


def _path(its: str) -> str:
    return f"blobs/{its.replace(':', '/')}"


def _file(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    """Return a tar header; GNU's, which holds more than 8 GiB (tar(5))."""
    info = TarInfo(name)
    info.size = size
    return info.tobuf(GNU_FORMAT)
