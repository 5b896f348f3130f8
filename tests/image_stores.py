"""Images in the storage of an engine: folders as Docker lays them out."""

import gzip
import io
import json
import tarfile
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.ship.archive import digest

PLATFORM = {"architecture": "arm64", "os": "linux"}


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a layer as an archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    return content.getvalue()


def split(layer: bytes) -> list[dict[str, Any]]:
    """Return the entries of tar-split for an archive: the bytes between files, and their names."""
    entries: list[dict[str, Any]] = []
    position = 0
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        files = tar.getmembers()
    for info in files:
        between = b64encode(layer[position : info.offset_data]).decode()
        size = {"size": info.size} if info.size else {}
        entries.append({"type": 2, "payload": between})
        entries.append({"type": 1, "name": info.name, **size, "payload": "AAAAAAAAAAA="})
        position = info.offset_data + info.size
    entries.append({"type": 2, "payload": b64encode(layer[position:]).decode()})
    return [{**entry, "position": number} for number, entry in enumerate(entries)]


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_entries(path: Path, entries: list[dict[str, Any]]) -> None:
    """Write the entries of tar-split, as Go writes JSON."""
    lines = (json.dumps(entry, separators=(",", ":")) for entry in entries)
    write(path, gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def overlay2(root: Path, *layers: Mapping[str, bytes]) -> str:
    """Store an image as overlay2 does; return its ID."""
    diff_ids = [digest(archive(files)) for files in layers]
    chain = ""
    for number, (files, diff_id) in enumerate(zip(layers, diff_ids, strict=True)):
        chain = digest(f"{chain} {diff_id}".encode()) if chain else diff_id
        record = root / "image/overlay2/layerdb/sha256" / chain.removeprefix("sha256:")
        write(record / "cache-id", f"cache{number}".encode())
        write_entries(record / "tar-split.json.gz", split(archive(files)))
        for name, text in files.items():
            if not name.endswith("/"):
                write(root / f"overlay2/cache{number}/diff" / name, text)
    config = json.dumps({**PLATFORM, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    return add_blob(root / "image/overlay2/imagedb/content", config)


def add_blob(store: Path, content: bytes) -> str:
    """Write a file named after its digest; return the digest."""
    write(store / digest(content).replace(":", "/"), content)
    return digest(content)
