"""The program that reads layers from an engine's storage: the original bytes, or a reason.

The storages here are folders as Docker lays them out; a live test has real ones.
"""

import gzip
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from cluster.ship.archive import CONFIG, MANIFEST, TAR, digest
from tests.image_stores import (
    PLATFORM,
    add_blob,
    archive,
    overlay2,
    split,
    write,
    write_entries,
)

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
BLOBS = "containerd/daemon/io.containerd.content.v1.content/blobs"


def read(image: str, *roots: Path, line: str = "0\n") -> tuple[int, bytes, str]:
    """Run the program; return its exit code, its output, and its errors."""
    command = (sys.executable, str(PROGRAM), image, "-", *map(str, roots))
    done = subprocess.run(command, input=line.encode(), capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def descriptions(*files: bytes, media_type: str = TAR) -> list[dict[str, Any]]:
    """Return the descriptions of uncompressed layers."""
    return [
        {
            "diff_id": digest(file),
            "digest": digest(file),
            "size": len(file),
            "media_type": media_type,
        }
        for file in files
    ]


@pytest.mark.parametrize("line, first", [("0\n", 0), ("1\n", 1), ("2\n", 2), ("", 2)])
def test_layers(tmp_path: Path, line: str, first: int) -> None:
    """It describes all layers, and sends those that are requested."""
    image = overlay2(tmp_path, FILES, ABOVE)
    layers = (archive(FILES), archive(ABOVE))
    code, output, error = read(image, tmp_path / "nothing", tmp_path, line=line)
    head, _, sent = output.partition(b"\n")
    description = json.loads(head)

    assert (0, "") == (code, error)
    assert image == digest(description["config"].encode())
    assert descriptions(*layers) == description["layers"]
    assert b"".join(layers[first:]) == sent


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A name that is not UTF-8 finds its file."""
    image = overlay2(tmp_path, ABOVE)
    (record,) = tmp_path.glob("image/overlay2/layerdb/sha256/*/tar-split.json.gz")
    entries = split(archive(ABOVE))
    folder = tmp_path / "overlay2/cache0/diff/etc"
    (folder / "one").rename(folder / os.fsdecode(b"\xff"))
    entries[1] |= {"name": "etc/\ufffd", "name_raw": b64encode(b"etc/\xff").decode()}
    write_entries(record, entries)

    assert archive(ABOVE) == read(image, tmp_path)[1].partition(b"\n")[2]


def test_index_of_containerd(tmp_path: Path) -> None:
    """From an index, the one complete image is sent, its files unchanged."""
    store, layer = tmp_path / BLOBS, gzip.compress(archive(FILES))
    config = {**PLATFORM, "rootfs": {"type": "layers", "diff_ids": [digest(archive(FILES))]}}
    packed = f"{TAR}+gzip"
    manifest = {
        "config": {"mediaType": CONFIG, "digest": add_blob(store, json.dumps(config).encode())},
        "layers": [{"mediaType": packed, "digest": add_blob(store, layer), "size": len(layer)}],
    }
    entry = {"mediaType": MANIFEST, "digest": add_blob(store, json.dumps(manifest).encode())}
    attested = entry | {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    absent = {"mediaType": MANIFEST, "digest": digest(b"for another platform")}
    lacking = manifest | {"layers": [{"digest": digest(b"not pulled")}]}
    incomplete = {"mediaType": MANIFEST, "digest": add_blob(store, json.dumps(lacking).encode())}
    index = {"manifests": [absent, incomplete, entry, attested]}
    code, output, error = read(add_blob(store, json.dumps(index).encode()), tmp_path)
    head, _, sent = output.partition(b"\n")
    (layer_description,) = json.loads(head)["layers"]

    assert (0, "") == (code, error)
    assert [digest(layer), len(layer), packed] == [
        layer_description["digest"],
        layer_description["size"],
        layer_description["media_type"],
    ]
    assert (digest(archive(FILES)), layer) == (layer_description["diff_id"], sent)


def test_two_platforms(tmp_path: Path) -> None:
    """An index with two complete images is refused as ambiguous."""
    store = tmp_path / BLOBS
    manifests = [
        {"digest": add_blob(store, text)} for text in (b'{"layers":[]}', b'{"layers": []}')
    ]
    image = add_blob(store, json.dumps({"manifests": manifests}).encode())

    assert (1, b"", f"{image} has 2 complete images, expected 1\n") == read(image, tmp_path)


def test_no_store(tmp_path: Path) -> None:
    """If no storage has the image, it prints the reason and no output."""
    image = digest(b"")
    sentence = f"no readable store in {tmp_path} or /nowhere has {image}\n"

    assert (1, b"", sentence) == read(image, tmp_path, Path("/nowhere"))


def test_a_missing_file(tmp_path: Path) -> None:
    """Without the entries of tar-split there is no output."""
    image = overlay2(tmp_path, ABOVE)
    (record,) = tmp_path.glob("image/overlay2/layerdb/sha256/*/tar-split.json.gz")
    record.unlink()

    assert (1, b"", f"[Errno 2] No such file or directory: '{record}'\n") == read(image, tmp_path)


def test_a_damaged_configuration(tmp_path: Path) -> None:
    """A configuration that does not match its digest is refused."""
    image = overlay2(tmp_path, ABOVE)
    path = tmp_path / "image/overlay2/imagedb/content" / image.replace(":", "/")
    path.write_bytes(b"{}")

    assert (1, b"", f"{path} is damaged\n") == read(image, tmp_path)


def test_a_file_is_too_short(tmp_path: Path) -> None:
    """A file that has shrunk is an error with its name."""
    image = overlay2(tmp_path, FILES)
    path = tmp_path / "overlay2/cache0/diff/etc/two"
    path.write_bytes(b"2")
    code, _, error = read(image, tmp_path)

    assert (1, f"{path} is too short\n") == (code, error)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """A link in a layer, to a file or a folder, opens nothing outside of the layer."""
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
    assert [b"", b""] == [result[1].partition(b"\n")[2] for result in (file, parent)]


def test_no_reader(tmp_path: Path) -> None:
    """A FIFO without a reader ends it at once."""
    image, fifo = overlay2(tmp_path, ABOVE), tmp_path / "fifo"
    os.mkfifo(fifo)
    command = (sys.executable, str(PROGRAM), image, str(fifo), str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert (1, f"[Errno 6] No such device or address: '{fifo}'\n") == (done.returncode, done.stderr)


def test_the_reader_closes(tmp_path: Path) -> None:
    """If the reader closes its end, it ends without errors."""
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
        errors = process.stderr.read()

    assert (1, b"") == (process.returncode, errors)
