"""The program that reads layers from an engine's storage: byte by byte what they were, or a word.

The storages are folders as Docker lays them out; a live test has real ones.
"""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster.ship.content import CONFIG, MANIFEST, TAR, digest

PROGRAM = Path(__file__).parent.parent / "docker" / "layer_reader.py"
FILES = {
    "etc/": b"",
    "etc/one": b"1" * 1000,
    "etc/two": b"2" * 3_000_000,
    "empty": b"",
    "usr/lib/" + "long" * 60: b"3" * 512,
    "etc/four": b"4",
}
ABOVE = {"etc/one": b"another"}
PLATFORM = {"architecture": "arm64", "os": "linux"}
BLOBS = "containerd/daemon/io.containerd.content.v1.content/blobs"


def read(image: str, *roots: Path, line: str = "0\n") -> tuple[int, bytes, str]:
    """Run the program; return its exit code, what it wrote, and what it said."""
    command = (sys.executable, str(PROGRAM), image, "-", *map(str, roots))
    done = subprocess.run(command, input=line.encode(), capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


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
    """Return what tar-split notes of an archive: what lies between the files, and their names."""
    entries: list[dict[str, Any]] = []
    at = 0
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        files = tar.getmembers()
    for info in files:
        between = b64encode(layer[at : info.offset_data]).decode()
        size = {"size": info.size} if info.size else {}
        entries.append({"type": 2, "payload": between})
        entries.append({"type": 1, "name": info.name, **size, "payload": "AAAAAAAAAAA="})
        at = info.offset_data + info.size
    entries.append({"type": 2, "payload": b64encode(layer[at:]).decode()})
    return [{**entry, "position": number} for number, entry in enumerate(entries)]


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def note(path: Path, entries: list[dict[str, Any]]) -> None:
    """Write what tar-split notes, as Go writes JSON."""
    lines = (json.dumps(entry, separators=(",", ":")) for entry in entries)
    write(path, gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def overlay2(root: Path, *layers: Mapping[str, bytes]) -> str:
    """Keep an image as overlay2 does; return its ID."""
    its = [digest(archive(files)) for files in layers]
    chain = ""
    for number, (files, diff_id) in enumerate(zip(layers, its, strict=True)):
        chain = digest(f"{chain} {diff_id}".encode()) if chain else diff_id
        known = root / "image/overlay2/layerdb/sha256" / chain.removeprefix("sha256:")
        write(known / "cache-id", f"cache{number}".encode())
        note(known / "tar-split.json.gz", split(archive(files)))
        for name, text in files.items():
            if not name.endswith("/"):
                write(root / f"overlay2/cache{number}/diff" / name, text)
    config = json.dumps({**PLATFORM, "rootfs": {"type": "layers", "diff_ids": its}}).encode()
    return keep(root / "image/overlay2/imagedb/content", config)


def keep(store: Path, content: bytes) -> str:
    """Write a file under its digest; return that."""
    write(store / digest(content).replace(":", "/"), content)
    return digest(content)


def described(*files: bytes, media_type: str = TAR) -> list[dict[str, Any]]:
    """Return what the program tells about uncompressed layers."""
    return [
        {
            "diff_id": digest(file),
            "digest": digest(file),
            "size": len(file),
            "media_type": media_type,
        }
        for file in files
    ]


@pytest.mark.parametrize("line, lowest", [("0\n", 0), ("1\n", 1), ("2\n", 2), ("", 2)])
def test_layers(tmp_path: Path, line: str, lowest: int) -> None:
    """It tells of all layers, and sends those that it is asked for."""
    image = overlay2(tmp_path, FILES, ABOVE)
    layers = (archive(FILES), archive(ABOVE))
    code, output, said = read(image, tmp_path / "nothing", tmp_path, line=line)
    head, _, sent = output.partition(b"\n")
    told = json.loads(head)

    assert (0, "") == (code, said)
    assert image == digest(told["config"].encode())
    assert described(*layers) == told["layers"]
    assert b"".join(layers[lowest:]) == sent


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 leads to its file."""
    image = overlay2(tmp_path, ABOVE)
    (known,) = tmp_path.glob("image/overlay2/layerdb/sha256/*/tar-split.json.gz")
    entries = split(archive(ABOVE))
    folder = tmp_path / "overlay2/cache0/diff/etc"
    (folder / "one").rename(folder / os.fsdecode(b"\xff"))
    entries[1] |= {"name": "etc/\ufffd", "name_raw": b64encode(b"etc/\xff").decode()}
    note(known, entries)

    assert archive(ABOVE) == read(image, tmp_path)[1].partition(b"\n")[2]


def test_index_of_containerd(tmp_path: Path) -> None:
    """Of an index, the one image that is there is sent as its files are."""
    store, layer = tmp_path / BLOBS, gzip.compress(archive(FILES))
    config = {**PLATFORM, "rootfs": {"type": "layers", "diff_ids": [digest(archive(FILES))]}}
    packed = f"{TAR}+gzip"
    manifest = {
        "config": {"mediaType": CONFIG, "digest": keep(store, json.dumps(config).encode())},
        "layers": [{"mediaType": packed, "digest": keep(store, layer), "size": len(layer)}],
    }
    its = {"mediaType": MANIFEST, "digest": keep(store, json.dumps(manifest).encode())}
    attested = its | {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    absent = {"mediaType": MANIFEST, "digest": digest(b"for another platform")}
    lacking = manifest | {"layers": [{"digest": digest(b"not pulled")}]}
    half = {"mediaType": MANIFEST, "digest": keep(store, json.dumps(lacking).encode())}
    index = {"manifests": [absent, half, its, attested]}
    code, output, said = read(keep(store, json.dumps(index).encode()), tmp_path)
    head, _, sent = output.partition(b"\n")
    (told,) = json.loads(head)["layers"]

    assert (0, "") == (code, said)
    assert [digest(layer), len(layer), packed] == [
        told["digest"],
        told["size"],
        told["media_type"],
    ]
    assert (digest(archive(FILES)), layer) == (told["diff_id"], sent)


def test_two_platforms(tmp_path: Path) -> None:
    """Of an index with two whole images it is not clear which one is meant."""
    store = tmp_path / BLOBS
    manifests = [{"digest": keep(store, text)} for text in (b'{"layers":[]}', b'{"layers": []}')]
    image = keep(store, json.dumps({"manifests": manifests}).encode())

    assert (1, b"", f"{image} has 2 complete images, and not one\n") == read(image, tmp_path)


def test_no_store(tmp_path: Path) -> None:
    """Where no storage has the image, it says so and writes nothing."""
    image = digest(b"")
    sentence = f"no readable store in {tmp_path} or /nowhere has {image}\n"

    assert (1, b"", sentence) == read(image, tmp_path, Path("/nowhere"))


def test_a_file_is_not_there(tmp_path: Path) -> None:
    """Without the notes of tar-split nothing is written."""
    image = overlay2(tmp_path, ABOVE)
    (known,) = tmp_path.glob("image/overlay2/layerdb/sha256/*/tar-split.json.gz")
    known.unlink()

    assert (1, b"", f"[Errno 2] No such file or directory: '{known}'\n") == read(image, tmp_path)


def test_a_damaged_configuration(tmp_path: Path) -> None:
    """What is not what its digest says is no image."""
    image = overlay2(tmp_path, ABOVE)
    path = tmp_path / "image/overlay2/imagedb/content" / image.replace(":", "/")
    path.write_bytes(b"{}")

    assert (1, b"", f"{path} is damaged\n") == read(image, tmp_path)


def test_a_file_is_too_short(tmp_path: Path) -> None:
    """A file that has shrunk ends the layer with its name."""
    image = overlay2(tmp_path, FILES)
    path = tmp_path / "overlay2/cache0/diff/etc/two"
    path.write_bytes(b"2")
    code, _, said = read(image, tmp_path)

    assert (1, f"{path} is too short\n") == (code, said)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """A link in a layer, to a file or a folder, opens nothing outside of it."""
    image, secret = overlay2(tmp_path, ABOVE), tmp_path / "secret"
    write(secret / "one", ABOVE["etc/one"])
    folder = tmp_path / "overlay2/cache0/diff/etc"
    (folder / "one").unlink()
    (folder / "one").symlink_to(secret / "one")
    file = read(image, tmp_path)
    (folder / "one").unlink()
    folder.rmdir()
    folder.symlink_to(secret)
    parent = read(image, tmp_path)

    assert (1, f"[Errno 40] Too many levels of symbolic links: '{folder / 'one'}'\n") == file[::2]
    assert (1, f"etc is outside of {folder.parent}\n") == parent[::2]
    assert [b"", b""] == [said[1].partition(b"\n")[2] for said in (file, parent)]


def test_nobody_reads(tmp_path: Path) -> None:
    """A FIFO that nobody reads any more ends it at once."""
    image, fifo = overlay2(tmp_path, ABOVE), tmp_path / "fifo"
    os.mkfifo(fifo)
    command = (sys.executable, str(PROGRAM), image, str(fifo), str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert (1, f"[Errno 6] No such device or address: '{fifo}'\n") == (done.returncode, done.stderr)


def test_the_reader_goes_away(tmp_path: Path) -> None:
    """When nobody takes the rest, it ends without a word."""
    image = overlay2(tmp_path, FILES)
    command = (sys.executable, str(PROGRAM), image, "-", str(tmp_path))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b"0\n")
        process.stdin.close()
        said = process.stderr.read()

    assert (1, b"") == (process.returncode, said)
