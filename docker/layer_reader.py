"""A program of its own that writes an image's layers from the files of a Docker engine's storage.

    layer_reader.py IMAGE_ID OUTPUT ROOT...

`docker save` would copy the layers to its disk before the first byte. The program runs here, or in
a container of the image that it reads: any Python from 3.9 on, the standard library alone.

It writes a line of JSON, {"config": TEXT, "layers": [{"diff_id", "digest", "size", "media_type"},
...]}, the lowest layer first. Then it reads a line, the index of the first layer to send, and
writes the bytes of that one and all above it, one after the other. No such line: it ends.
OUTPUT is a FIFO that somebody reads, or `-`. ROOT is an engine's or containerd's data root.
What it cannot read it says in a sentence, before it writes anything.
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
"""As much as a pipe holds; most files of a layer are small, so several are written at once."""
LARGE = 1 << 16
CONTENT = "io.containerd.content.v1.content/blobs"
STORES = (CONTENT, f"containerd/daemon/{CONTENT}")
"""Below containerd's root, and below the engine's that runs its own containerd."""
RAW = b'{"type":2,"payload":"'
"""How a line of raw bytes begins (tar-split, entry.go); parsing the JSON of them all takes 3 times
as long."""
ATTESTATION = "vnd.docker.reference.type"
TAR = "application/vnd.oci.image.layer.v1.tar"


class Large(NamedTuple):
    """An open file, instead of its bytes."""

    path: str | Path
    file: int
    size: int


class Unpacked:
    """A layer that overlay2 keeps as a folder of files, and the rest of its archive (tar-split)."""

    def __init__(self, root: Path, diff_id: str, chain: str) -> None:
        """Look for the layer, and learn its size."""
        known = root / "image/overlay2/layerdb/sha256" / chain
        its = (known / "cache-id").read_text(encoding="ascii")
        self._folder = os.path.realpath(root / "overlay2" / its / "diff")
        self._split = known / "tar-split.json.gz"
        size = sum(its + _length(payload) for payload, _, its in self._entries())
        own = {"diff_id": diff_id, "digest": diff_id, "size": size, "media_type": TAR}
        self.described: dict[str, Any] = own

    def pieces(self) -> Iterator[bytes | Large]:
        """Yield the archive of the layer."""
        where, parent = "", self._folder
        for payload, path, size in self._entries():
            yield a2b_base64(payload)
            if size:
                folder, _, name = path.rpartition("/")
                if folder != where:
                    where, parent = folder, self._below(folder)
                yield from _file(f"{parent}/{name}", size)

    def _entries(self) -> Iterator[tuple[bytes, str, int]]:
        """Yield what the archive consists of: raw bytes as base64; files by name with a size."""
        with gzip.open(self._split) as packed:
            for line in io.BufferedReader(packed, CHUNK):
                if line.startswith(RAW):
                    yield line[len(RAW) : line.index(b'"', len(RAW))], "", 0
                elif b'"size"' in line:
                    said = json.loads(line.decode())  # bytes would be looked at for their encoding
                    yield b"", _name(said), said["size"]

    def _below(self, name: str) -> str:
        """Return a folder of the layer; a link in it could lead to a file of this machine."""
        found = os.path.realpath(f"{self._folder}/{name}")
        if os.path.commonpath((found, self._folder)) != self._folder:
            raise ValueError(f"{name} is outside of {self._folder}")
        return found


class Blob:
    """A layer that containerd's content store keeps as it came."""

    def __init__(self, store: Path, diff_id: str, its: dict[str, Any]) -> None:
        """Look for the layer."""
        self._path = _path(store, its["digest"])
        own = {"diff_id": diff_id, "digest": its["digest"], "media_type": its["mediaType"]}
        self.described: dict[str, Any] = {**own, "size": self._path.stat().st_size}

    def pieces(self) -> Iterator[bytes | Large]:
        """Yield the file of the layer."""
        return _file(self._path, self.described["size"])


def found(image: str, roots: list[str]) -> tuple[str, list[Unpacked | Blob]]:
    """Return the configuration and the layers of an image from the first root that has it."""
    for root in map(Path, roots):
        unpacked = root / "image/overlay2/imagedb/content"
        if _has(unpacked, image):
            return _unpacked(root, _verified(unpacked, image))
        for store in (root / name for name in STORES):
            if _has(store, image):
                return _blobs(store, image)
    raise FileNotFoundError(f"no readable store in {' or '.join(roots)} has {image}")


def _unpacked(root: Path, config: str) -> tuple[str, list[Unpacked | Blob]]:
    layers: list[Unpacked | Blob] = []
    chain = ""
    for diff_id in json.loads(config)["rootfs"]["diff_ids"]:
        # OCI image-spec, config.md, "Layer ChainID".
        chain = _digest(f"{chain} {diff_id}".encode()) if chain else diff_id
        layers.append(Unpacked(root, diff_id, chain.partition(":")[2]))
    return config, layers


def _blobs(store: Path, image: str) -> tuple[str, list[Unpacked | Blob]]:
    said = json.loads(_verified(store, image))
    if "manifests" in said:
        complete = [its["digest"] for its in said["manifests"] if _complete(store, its)]
        if len(complete) != 1:
            raise ValueError(f"{image} has {len(complete)} complete images, and not one")
        said = json.loads(_verified(store, complete[0]))
    config = _verified(store, said["config"]["digest"])
    its = json.loads(config)["rootfs"]["diff_ids"]
    pairs = zip(its, said["layers"])  # noqa: B905 (Python 3.9 has no `strict`)
    return config, [Blob(store, diff_id, its) for diff_id, its in pairs]


def _complete(store: Path, its: dict[str, Any]) -> bool:
    """Tell whether this is the image for a platform that the engine has."""
    if ATTESTATION in its.get("annotations", {}) or not _has(store, its["digest"]):
        return False
    said = json.loads(_verified(store, its["digest"]))
    return all(_has(store, each["digest"]) for each in said["layers"])


def _length(payload: bytes) -> int:
    """Return how many bytes some base64 stands for."""
    return len(payload) // 4 * 3 - payload.count(b"=", -2)


def _name(entry: dict[str, Any]) -> str:
    """Return a file's name; one that is no UTF-8 has its bytes apart (tar-split, entry.go)."""
    raw = entry.get("name_raw")
    return os.fsdecode(a2b_base64(raw)) if raw else str(entry["name"])


def _file(path: str | Path, size: int) -> Iterator[bytes | Large]:
    """Yield a file that has to have so many bytes."""
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
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if not isinstance(piece, Large):
            waiting.append(piece)
            size += len(piece)
        if isinstance(piece, Large) or size >= CHUNK:
            _write(output, b"".join(waiting))
            waiting, size = [], 0
        if isinstance(piece, Large):
            _copy(output, piece)
    _write(output, b"".join(waiting))


def _copy(output: int, large: Large) -> None:
    """Write a file without reading it: a pipe takes its pages (sendfile(2))."""
    at = 0
    while at < large.size:
        taken = os.sendfile(output, large.file, at, min(large.size - at, CHUNK))
        if not taken:
            raise ValueError(f"{large.path} is too short")
        at += taken


def _write(output: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(output, left) :]


def _output(name: str) -> int:
    """Open the output; a FIFO that nobody reads any more is an error, and nothing to wait for."""
    if name == "-":
        return 1
    output = os.open(name, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(output, True)
    return output


def main(image: str, output: str, *roots: str) -> None:
    """Do what the module says."""
    try:
        config, layers = found(image, list(roots))
        to = _output(output)
        described = [layer.described for layer in layers]
        _write(to, json.dumps({"config": config, "layers": described}).encode() + b"\n")
        first = sys.stdin.readline()
        for layer in layers[int(first) :] if first else ():
            _send(to, layer.pieces())
    except BrokenPipeError:
        sys.exit(1)
    except (EOFError, KeyError, OSError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
