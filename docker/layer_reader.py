"""Writes the layers of an image from the files of a Docker engine's storage.

    layer_reader.py IMAGE_ID OUTPUT ROOT...

`docker save` would copy the layers to its disk before the first byte. The program runs on the
machine that ships the image, or in a container of that image: any Python from 3.9 on, the standard
library alone.

It writes a line of JSON, {"config": TEXT, "layers": [{"diff_id", "digest", "size", "media_type"},
...]}, the lowest layer first. Then it reads a line with the index of the first layer to send, and
writes the bytes of that layer and all above it, one after the other. Without that line it ends.
OUTPUT is a FIFO with a reader, or `-`. ROOT is the data root of an engine or of containerd.
If it cannot read the image, it prints the reason as one line of errors, before any output.
"""

from __future__ import annotations  # Python 3.9 does not know `X | Y`

import gzip
import hashlib
import io
import json
import os
import sys
from binascii import a2b_base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20
"""As much as a pipe holds; most files of a layer are small, and are written several at once."""
LARGE = 1 << 16
CONTENT = "io.containerd.content.v1.content/blobs"
STORES = (CONTENT, f"containerd/daemon/{CONTENT}")
"""Below the root of containerd, and below that of an engine that runs its own containerd."""
RAW = b'{"type":2,"payload":"'
"""How a line of raw bytes begins (tar-split, entry.go); parsing the JSON of all these lines takes
three times as long."""
ATTESTATION = "vnd.docker.reference.type"
TAR = "application/vnd.oci.image.layer.v1.tar"


class Large(NamedTuple):
    """An open file in place of its bytes."""

    path: str | Path
    file: int
    size: int


class UnpackedLayer:
    """A layer that overlay2 keeps as files in a folder; the other bytes are tar-split's."""

    def __init__(self, root: Path, diff_id: str, chain: str) -> None:
        """Find the layer, and compute its size."""
        record = root / "image/overlay2/layerdb/sha256" / chain
        cache_id = (record / "cache-id").read_text(encoding="ascii")
        self._folder = os.path.realpath(root / "overlay2" / cache_id / "diff")
        self._split = record / "tar-split.json.gz"
        size = sum(file_size + _length(payload) for payload, _, file_size in self._entries())
        layer = {"diff_id": diff_id, "digest": diff_id, "size": size, "media_type": TAR}
        self.description: dict[str, Any] = layer

    def pieces(self) -> Iterator[bytes | Large]:
        """Yield the archive of the layer."""
        current, parent = "", self._folder
        for payload, path, size in self._entries():
            yield a2b_base64(payload)
            if size:
                folder, _, name = path.rpartition("/")
                if folder != current:
                    current, parent = folder, self._below(folder)
                yield from _file(f"{parent}/{name}", size)

    def _entries(self) -> Iterator[tuple[bytes, str, int]]:
        """Yield the parts of the archive: raw bytes as base64, or the name and size of a file."""
        with gzip.open(self._split) as packed:
            for line in io.BufferedReader(packed, CHUNK):
                if line.startswith(RAW):
                    yield line[len(RAW) : line.index(b'"', len(RAW))], "", 0
                elif b'"size"' in line:
                    entry = json.loads(line.decode())  # the encoding of bytes would be guessed
                    yield b"", _name(entry), entry["size"]

    def _below(self, name: str) -> str:
        """Return a folder of the layer; a link in it could lead to a file of this machine."""
        path = os.path.realpath(f"{self._folder}/{name}")
        if os.path.commonpath((path, self._folder)) != self._folder:
            raise ValueError(f"{name} is outside of {self._folder}")
        return path


class StoredLayer:
    """A layer that containerd's content store keeps as one file."""

    def __init__(self, store: Path, diff_id: str, entry: dict[str, Any]) -> None:
        """Find the layer of an entry in a manifest."""
        self._path = _path(store, entry["digest"])
        layer = {"diff_id": diff_id, "digest": entry["digest"], "media_type": entry["mediaType"]}
        self.description: dict[str, Any] = {**layer, "size": self._path.stat().st_size}

    def pieces(self) -> Iterator[bytes | Large]:
        """Yield the file of the layer."""
        return _file(self._path, self.description["size"])


def find(image: str, roots: list[str]) -> tuple[str, list[UnpackedLayer | StoredLayer]]:
    """Return the configuration and the layers of an image from the first root that has it."""
    for root in map(Path, roots):
        overlay2 = root / "image/overlay2/imagedb/content"
        if _has(overlay2, image):
            return _unpacked_layers(root, _verified(overlay2, image))
        for store in (root / name for name in STORES):
            if _has(store, image):
                return _stored_layers(store, image)
    raise FileNotFoundError(f"no readable store in {' or '.join(roots)} has {image}")


def _unpacked_layers(root: Path, config: str) -> tuple[str, list[UnpackedLayer | StoredLayer]]:
    layers: list[UnpackedLayer | StoredLayer] = []
    chain = ""
    for diff_id in json.loads(config)["rootfs"]["diff_ids"]:
        # OCI image-spec, config.md, "Layer ChainID".
        chain = _digest(f"{chain} {diff_id}".encode()) if chain else diff_id
        layers.append(UnpackedLayer(root, diff_id, chain.partition(":")[2]))
    return config, layers


def _stored_layers(store: Path, image: str) -> tuple[str, list[UnpackedLayer | StoredLayer]]:
    manifest = json.loads(_verified(store, image))
    if "manifests" in manifest:
        entries = manifest["manifests"]
        complete = [entry["digest"] for entry in entries if _is_complete(store, entry)]
        if len(complete) != 1:
            raise ValueError(f"{image} has {len(complete)} complete images, expected 1")
        manifest = json.loads(_verified(store, complete[0]))
    config = _verified(store, manifest["config"]["digest"])
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    pairs = zip(diff_ids, manifest["layers"])  # noqa: B905 (Python 3.9 has no `strict`)
    return config, [StoredLayer(store, diff_id, entry) for diff_id, entry in pairs]


def _is_complete(store: Path, entry: dict[str, Any]) -> bool:
    """Whether an entry of an index is an image with all its layers in the store."""
    if ATTESTATION in entry.get("annotations", {}) or not _has(store, entry["digest"]):
        return False
    manifest = json.loads(_verified(store, entry["digest"]))
    return all(_has(store, layer["digest"]) for layer in manifest["layers"])


def _length(payload: bytes) -> int:
    """Return the number of bytes that some base64 encodes."""
    return len(payload) // 4 * 3 - payload.count(b"=", -2)


def _name(entry: dict[str, Any]) -> str:
    """Return a file's name; if it is not UTF-8, its bytes are a field too (tar-split, entry.go)."""
    raw = entry.get("name_raw")
    return os.fsdecode(a2b_base64(raw)) if raw else str(entry["name"])


def _file(path: str | Path, size: int) -> Iterator[bytes | Large]:
    """Yield a file that must have `size` bytes."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        content = os.read(file, size) if size < LARGE else Large(path, file, size)
        if isinstance(content, bytes) and len(content) < size:
            raise ValueError(f"{path} is too short")
        yield content
    finally:
        os.close(file)


def _has(store: Path, digest: str) -> bool:
    return os.access(_path(store, digest), os.R_OK)


def _verified(store: Path, digest: str) -> str:
    content = _path(store, digest).read_bytes()
    if _digest(content) != digest:
        raise ValueError(f"{_path(store, digest)} is damaged")
    return content.decode()


def _path(store: Path, digest: str) -> Path:
    return store / digest.replace(":", "/")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _send(output: int, pieces: Iterator[bytes | Large]) -> None:
    """Write pieces, small ones together."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if not isinstance(piece, Large):
            small.append(piece)
            size += len(piece)
        if isinstance(piece, Large) or size >= CHUNK:
            _write(output, b"".join(small))
            small, size = [], 0
        if isinstance(piece, Large):
            _copy(output, piece)
    _write(output, b"".join(small))


def _copy(output: int, large: Large) -> None:
    """Write a file without reading it: a pipe takes its pages (sendfile(2))."""
    position = 0
    while position < large.size:
        count = os.sendfile(output, large.file, position, min(large.size - position, CHUNK))
        if not count:
            raise ValueError(f"{large.path} is too short")
        position += count


def _write(output: int, content: bytes) -> None:
    unwritten = memoryview(content)
    while unwritten:
        unwritten = unwritten[os.write(output, unwritten) :]


def _output(name: str) -> int:
    """Open the output; a FIFO without a reader is an error, not something to wait for."""
    if name == "-":
        return 1
    output = os.open(name, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(output, True)
    return output


def main(image: str, output: str, *roots: str) -> None:
    """Write the description of the layers, then those that the input asks for."""
    try:
        config, layers = find(image, list(roots))
        stream = _output(output)
        descriptions = [layer.description for layer in layers]
        _write(stream, json.dumps({"config": config, "layers": descriptions}).encode() + b"\n")
        first = sys.stdin.readline()
        for layer in layers[int(first) :] if first else ():
            _send(stream, layer.pieces())
    except BrokenPipeError:
        sys.exit(1)
    except (EOFError, KeyError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
