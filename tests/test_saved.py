"""An archive of `docker save` without the layers that a node has: what is left, byte by byte."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.ship.content import digest
from cluster.ship.saved import Thinned

CAPTURES = Path(__file__).parent / "captures" / "ship"
LAYERS = (
    "sha256:74e3d401da40b9d48c657feabff77a4810ab5544a901931a2e4be9c1321c37c1",
    "sha256:f0a1e54d020f31e9c49ca314f2cc895e782f0394bba797a521a2135a3a5d2da8",
    "sha256:7953f2c051aec88df55d7fafcd7ad8687b9be2a4eebf5b7526c0fb6890e32a55",
)
Style = Literal[0, 1, 2]
FORMATS: tuple[Style, ...] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
END = bytes(2 * tarfile.BLOCKSIZE)
TEXTS = st.lists(st.binary(max_size=1100), max_size=6, unique=True)


def thinned(archive: bytes, without: frozenset[str], size: int = 7777) -> bytes:
    """Feed an archive in pieces of a size; return what is passed on."""
    its = Thinned(without)
    chunks = (archive[at : at + size] for at in range(0, len(archive), size))
    return b"".join(part for chunk in chunks for part in its.feed(chunk))


def captured(name: str) -> bytes:
    """Return what an engine saved."""
    return gzip.decompress((CAPTURES / f"saved-{name}.tar.gz").read_bytes())


def files(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
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
    """The layers that the node has are left out, and the rest is as it was."""
    archive = captured(name)
    without = frozenset(LAYERS) - {LAYERS[number] for number in kept}
    left_out = {f"blobs/{its.replace(':', '/')}" for its in without}
    expected = {its: text for its, text in files(archive).items() if its not in left_out}
    passed = thinned(archive, without)

    assert expected == files(passed)
    assert len(archive) - len(left_out) * (10240 + tarfile.BLOCKSIZE) == len(passed)


def test_engines_before_25() -> None:
    """An archive that names its layers in the end only is passed on as it is."""
    archive = captured("20.10")

    assert archive == thinned(archive, frozenset(LAYERS))


@given(
    kept=TEXTS,
    dropped=TEXTS,
    style=st.sampled_from(FORMATS),
    size=st.integers(1, 3000),
    data=st.data(),
)
def test_any_pieces(
    kept: list[bytes], dropped: list[bytes], style: Style, size: int, data: st.DataObject
) -> None:
    """However the archive is cut into pieces, what is passed on is the archive without a layer."""
    gone = [text for text in dropped if text not in kept]
    order = data.draw(st.permutations([*kept, *gone]))
    records = {"mtime": "1.5"} if style == tarfile.PAX_FORMAT else {}
    parts = {text: member(text, style, blob(text), **records) for text in order}
    archive = b"".join(parts.values()) + END
    expected = b"".join(parts[text] for text in order if text not in gone) + END

    assert expected == thinned(archive, frozenset(map(digest, gone)), size)


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_is_about_a_file(style: Style) -> None:
    """A long name belongs to the file after it, and stays with it."""
    first, second = member(b"1", style, "long/" * 30), member(b"2", style, blob(b"2"))
    archive = first + second + first + END

    assert first + first + END == thinned(archive, frozenset({digest(b"2")}), 1)


def test_more_than_8_gib() -> None:
    """The size of a large layer, in Go's records or in GNU's bytes, leads to the next file."""
    size, name, its = 9 * 2**30, blob(b"large"), Thinned(frozenset({digest(b"large")}))
    info = tarfile.TarInfo(name)
    info.size = size
    go = member(b"", tarfile.PAX_FORMAT, name, size=str(size))
    gnu = info.tobuf(tarfile.GNU_FORMAT)
    zeros = bytes(2**24)

    for header in (go, gnu):
        assert [] == list(its.feed(header))
        for _ in range(size // len(zeros)):
            assert [] == list(its.feed(zeros))
        assert [END] == [b"".join(its.feed(END))]


def test_links() -> None:
    """What comes after a link is the next file, whatever size the link tells."""
    link = tarfile.TarInfo("link")
    link.type, link.linkname, link.size = tarfile.LNKTYPE, "target", 1000
    head, layer = link.tobuf(tarfile.USTAR_FORMAT), member(b"1", tarfile.USTAR_FORMAT, blob(b"1"))

    assert head + END == thinned(head + layer + END, frozenset({digest(b"1")}))


def test_no_archive() -> None:
    """What is no archive is told apart."""
    with pytest.raises(ValueError, match="invalid literal"):
        thinned(b"Cannot connect to the Docker daemon.\n" * 99, frozenset())
