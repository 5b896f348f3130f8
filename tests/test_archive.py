"""Archives of images: the one that engines load, and that of `docker save` made smaller."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.facts.images import BLOBS
from cluster.ship import archive
from cluster.ship.archive import (
    PART,
    PART_BYTES,
    ImageContent,
    ImageLayer,
    LayerFilter,
    digest,
    part_ends,
)

TEXTS = (b"one", b"two!" * 400, b"")
CONFIG = {
    "architecture": "arm64",
    "os": "linux",
    "config": {"Env": ["A=1"]},
    "rootfs": {"type": "layers", "diff_ids": [digest(text) for text in TEXTS]},
}


def layer(text: bytes) -> ImageLayer:
    """Return a layer with these bytes."""
    return ImageLayer(diff_id=digest(text), digest=digest(text), size=len(text))


IMAGE = ImageContent(config=json.dumps(CONFIG).encode(), layers=tuple(map(layer, TEXTS)))


def packed(content: ImageContent, lowest: int) -> dict[str, bytes]:
    """Return the files of an archive with the layers from `lowest` on."""
    middle = b"".join(
        b"".join(archive.layer_file(layer, [text]))
        for layer, text in zip(content.layers[lowest:], TEXTS[lowest:], strict=False)
    )
    whole = io.BytesIO(archive.start() + middle + archive.tail(content))
    with tarfile.open(fileobj=whole) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]


def test_every_file_is_named_by_its_digest() -> None:
    """Layers, configuration and manifest are content-addressed."""
    files = packed(IMAGE, 0)
    blobs = {name: text for name, text in files.items() if name.startswith("blobs/")}

    assert blobs == {f"blobs/{digest(text).replace(':', '/')}": text for text in blobs.values()}
    assert {*files} - {*blobs} == {"oci-layout", "manifest.json", "index.json"}
    assert 5 == len(blobs)


def test_layers_are_left_out() -> None:
    """Both manifests name all layers, even those that are not in the archive."""
    files = packed(IMAGE, 2)
    paths = [f"blobs/{digest(text).replace(':', '/')}" for text in TEXTS]
    manifest = json.loads(files[f"blobs/{digest(IMAGE.manifest).replace(':', '/')}"])
    (docker,) = json.loads(files["manifest.json"])
    (index,) = json.loads(files["index.json"])["manifests"]

    assert [False, False, True] == [path in files for path in paths]
    assert paths == docker["Layers"]
    assert [digest(text) for text in TEXTS] == [entry["digest"] for entry in manifest["layers"]]
    assert [3, 1600, 0] == [entry["size"] for entry in manifest["layers"]]
    assert {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(IMAGE.manifest),
        "size": len(IMAGE.manifest),
        "annotations": {BLOBS: ",".join(digest(text) for text in TEXTS)},
        "platform": {"architecture": "arm64", "os": "linux"},
    } == index


def test_a_part() -> None:
    """A part has the lower layers, and the image in its label; all layers are the image itself."""
    part = IMAGE.part(2)
    expected = {
        "architecture": "arm64",
        "os": "linux",
        "config": {"Labels": {PART: IMAGE.config_digest}},
        "rootfs": {"type": "layers", "diff_ids": [digest(text) for text in TEXTS[:2]]},
    }

    assert expected == json.loads(part.config)
    assert IMAGE.layers[:2] == part.layers
    assert IMAGE == IMAGE.part(3)


def test_part_ends() -> None:
    """No part is smaller than 256 MB, the last one included, unless it is the only one."""
    mega = 1_000_000

    def ends(*sizes: int) -> tuple[int, ...]:
        return part_ends(tuple(ImageLayer(diff_id="", digest="", size=n * mega) for n in sizes))

    assert (0,) == ends()
    assert (1,) == ends(9000)
    assert (3, 10) == ends(128, 63, 1571, 531, 0, 0, 0, 0, 1, 0)
    assert (2,) == ends(300, 255)
    assert (1, 2) == ends(300, 256)
    assert (2, 4, 6) == ends(1, 300, 1, 400, 500, 5)


@given(st.lists(st.integers(0, 10**9)))
def test_part_ends_of_any_sizes(sizes: list[int]) -> None:
    """Whatever the sizes, the parts are in order, and the last one ends with the image."""
    layers = tuple(ImageLayer(diff_id="", digest="", size=size) for size in sizes)
    ends = part_ends(layers)
    starts = (0, *ends[:-1])

    assert len(layers) == ends[-1]
    assert sorted(set(ends)) == list(ends)
    assert len(ends) == 1 or all(
        sum(sizes[start:end]) >= PART_BYTES for start, end in zip(starts, ends, strict=True)
    )


CAPTURES = Path(__file__).parent / "captures" / "ship"
SAVED_LAYERS = (
    "sha256:74e3d401da40b9d48c657feabff77a4810ab5544a901931a2e4be9c1321c37c1",
    "sha256:f0a1e54d020f31e9c49ca314f2cc895e782f0394bba797a521a2135a3a5d2da8",
    "sha256:7953f2c051aec88df55d7fafcd7ad8687b9be2a4eebf5b7526c0fb6890e32a55",
)
Style = Literal[0, 1, 2]
FORMATS: tuple[Style, ...] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
END = bytes(2 * tarfile.BLOCKSIZE)
CONTENTS = st.lists(st.binary(max_size=1100), max_size=6, unique=True)


def filtered(tar: bytes, omit: frozenset[str], size: int = 7777) -> bytes:
    """Feed an archive in pieces of a size; return what is passed on."""
    layer_filter = LayerFilter(omit)
    chunks = (tar[at : at + size] for at in range(0, len(tar), size))
    return b"".join(part for chunk in chunks for part in layer_filter.feed(chunk))


def captured(name: str) -> bytes:
    """Return an archive that an engine saved."""
    return gzip.decompress((CAPTURES / f"saved-{name}.tar.gz").read_bytes())


def files(content: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {
            info.name: file.read() for info in tar.getmembers() if (file := tar.extractfile(info))
        }


def member(text: bytes, style: Style, name: str, **records: str) -> bytes:
    """Return a file of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(text)
    info.pax_headers = records
    return info.tobuf(style) + text + bytes(-len(text) % tarfile.BLOCKSIZE)


def blob(text: bytes) -> str:
    """Return the name of a layer's file."""
    return f"blobs/{digest(text).replace(':', '/')}"


@pytest.mark.parametrize("name", ["28-overlay2", "28-containerd"])
@pytest.mark.parametrize("kept", [(), (1,), (1, 2), (0, 1, 2)])
def test_engines_from_25(name: str, kept: tuple[int, ...]) -> None:
    """The layers that the node has are left out, and all other files are unchanged."""
    saved = captured(name)
    omitted = frozenset(SAVED_LAYERS) - {SAVED_LAYERS[number] for number in kept}
    paths = {f"blobs/{layer.replace(':', '/')}" for layer in omitted}
    expected = {path: text for path, text in files(saved).items() if path not in paths}
    passed = filtered(saved, omitted)

    assert expected == files(passed)
    assert len(saved) - len(paths) * (10240 + tarfile.BLOCKSIZE) == len(passed)


def test_engines_before_25() -> None:
    """An archive that names its layers only at the end is passed on unchanged."""
    saved = captured("20.10")

    assert saved == filtered(saved, frozenset(SAVED_LAYERS))


@given(
    kept=CONTENTS,
    dropped=CONTENTS,
    style=st.sampled_from(FORMATS),
    size=st.integers(1, 3000),
    data=st.data(),
)
def test_any_pieces(
    kept: list[bytes], dropped: list[bytes], style: Style, size: int, data: st.DataObject
) -> None:
    """However the archive is cut into pieces, exactly the layers to omit are missing afterwards."""
    omitted = [text for text in dropped if text not in kept]
    order = data.draw(st.permutations([*kept, *omitted]))
    records = {"mtime": "1.5"} if style == tarfile.PAX_FORMAT else {}
    parts = {text: member(text, style, blob(text), **records) for text in order}
    whole = b"".join(parts.values()) + END
    expected = b"".join(parts[text] for text in order if text not in omitted) + END

    assert expected == filtered(whole, frozenset(map(digest, omitted)), size)


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_headers_about_a_file(style: Style) -> None:
    """A long name belongs to the file after it, and stays with it."""
    first, second = member(b"1", style, "long/" * 30), member(b"2", style, blob(b"2"))
    whole = first + second + first + END

    assert first + first + END == filtered(whole, frozenset({digest(b"2")}), 1)


def test_more_than_8_gib() -> None:
    """The size of a large layer, in Go's records or in GNU's bytes, leads to the next file."""
    size, name = 9 * 2**30, blob(b"large")
    layer_filter = LayerFilter(frozenset({digest(b"large")}))
    info = tarfile.TarInfo(name)
    info.size = size
    go = member(b"", tarfile.PAX_FORMAT, name, size=str(size))
    gnu = info.tobuf(tarfile.GNU_FORMAT)
    zeros = bytes(2**24)

    for header in (go, gnu):
        assert [] == list(layer_filter.feed(header))
        for _ in range(size // len(zeros)):
            assert [] == list(layer_filter.feed(zeros))
        assert [END] == [b"".join(layer_filter.feed(END))]


def test_links() -> None:
    """A link is followed by the next file, whatever size its header has."""
    link = tarfile.TarInfo("link")
    link.type, link.linkname, link.size = tarfile.LNKTYPE, "target", 1000
    head, layer = link.tobuf(tarfile.USTAR_FORMAT), member(b"1", tarfile.USTAR_FORMAT, blob(b"1"))

    assert head + END == filtered(head + layer + END, frozenset({digest(b"1")}))


def test_no_archive() -> None:
    """Anything but an archive is an error."""
    with pytest.raises(ValueError, match="invalid literal"):
        filtered(b"Cannot connect to the Docker daemon.\n" * 99, frozenset())
