"""The archive that engines load, and what an image is made of."""

import io
import json
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from cluster.ship import archive
from cluster.ship.content import BLOBS, PART, Content, Layer, digest

TEXTS = (b"one", b"two!" * 400, b"")
CONFIG = {
    "architecture": "arm64",
    "os": "linux",
    "config": {"Env": ["A=1"]},
    "rootfs": {"type": "layers", "diff_ids": [digest(text) for text in TEXTS]},
}


def layer(text: bytes) -> Layer:
    """Return a layer with these bytes."""
    return Layer(diff_id=digest(text), digest=digest(text), size=len(text))


IMAGE = Content(config=json.dumps(CONFIG).encode(), layers=tuple(map(layer, TEXTS)))


def packed(content: Content, lowest: int) -> dict[str, bytes]:
    """Return the files of an archive with the layers from `lowest` on."""
    middle = b"".join(
        archive.header(its) + text + archive.padding(its)
        for its, text in zip(content.layers[lowest:], TEXTS[lowest:], strict=False)
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
    """Both manifests name all layers, also those that are not in the archive."""
    files = packed(IMAGE, 2)
    paths = [f"blobs/{digest(text).replace(':', '/')}" for text in TEXTS]
    manifest = json.loads(files[f"blobs/{digest(IMAGE.manifest).replace(':', '/')}"])
    (docker,) = json.loads(files["manifest.json"])
    (index,) = json.loads(files["index.json"])["manifests"]

    assert [False, False, True] == [path in files for path in paths]
    assert paths == docker["Layers"]
    assert [digest(text) for text in TEXTS] == [its["digest"] for its in manifest["layers"]]
    assert [3, 1600, 0] == [its["size"] for its in manifest["layers"]]
    assert {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(IMAGE.manifest),
        "size": len(IMAGE.manifest),
        "annotations": {BLOBS: ",".join(digest(text) for text in TEXTS)},
        "platform": {"architecture": "arm64", "os": "linux"},
    } == index


def test_a_part() -> None:
    """A part has the lower layers, and a label that tells of which image; all is the image."""
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


def test_ends() -> None:
    """Parts are neither shorter than 256 MB, nor is the last one, unless it is the only one."""
    mega = 1_000_000

    def ends(*sizes: int) -> tuple[int, ...]:
        return archive.ends(tuple(Layer(diff_id="", digest="", size=n * mega) for n in sizes))

    assert (0,) == ends()
    assert (1,) == ends(9000)
    assert (3, 10) == ends(128, 63, 1571, 531, 0, 0, 0, 0, 1, 0)
    assert (2,) == ends(300, 255)
    assert (1, 2) == ends(300, 256)
    assert (2, 4, 6) == ends(1, 300, 1, 400, 500, 5)


@given(st.lists(st.integers(0, 10**9)))
def test_ends_are_whole(sizes: list[int]) -> None:
    """Whatever the sizes, the parts are in order, and the last one ends with the image."""
    layers = tuple(Layer(diff_id="", digest="", size=size) for size in sizes)
    ends = archive.ends(layers)
    starts = (0, *ends[:-1])

    assert len(layers) == ends[-1]
    assert sorted(set(ends)) == list(ends)
    assert len(ends) == 1 or all(
        sum(sizes[start:end]) >= archive.PART_BYTES for start, end in zip(starts, ends, strict=True)
    )
