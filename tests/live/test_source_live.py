"""Three sources of an image: the same layers, damage is named, and nothing is left behind."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.errors import NodeError
from cluster.facts.docker import Docker
from cluster.ship import source
from cluster.ship.source import ImageSource, opened, saved
from tests.live import hosts
from tests.live.machine import PATH, Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

PYTHON = Path("/usr/bin/python3")
KINDS = ["storage", "storage, read in a container", "docker save"]
STORAGE = KINDS[:2]
DOCKERFILE = "FROM python\nCOPY random /\nCOPY small /\n"
SIZE = 30_000_000
"""More than all pipes on the way hold."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A machine with an engine that has an image with Python."""

    host: Machine
    image: str
    digests: tuple[str, ...]
    """Of its layers."""
    docker: Docker

    def opened(self, kind: str, patch: pytest.MonkeyPatch) -> AbstractContextManager[ImageSource]:
        """Read the image from a kind of source, as if those before it were not possible."""
        storage = tuple(pair for pair in source.STORAGE if pair[0] == kind)
        patch.setattr(source, "STORAGE", storage)
        return opened(self.image, self.docker)

    def file(self, name: str) -> Path:
        """Return the path at which the engine keeps a file of the image."""
        (path,) = Path(self.docker.root).glob(f"overlay2/*/diff/{name}")
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Build the image on a laptop with an engine."""
    if not PYTHON.exists():
        pytest.skip(f"not installed: {PYTHON}")
    with hosts.made(tmp_path_factory.mktemp("lan"), (), control_engine=True) as lan:
        yield _built(lan.control, tmp_path_factory.mktemp("context"))


@pytest.fixture(autouse=True)
def folder(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run on that machine; return the folder of temporary files."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{site.host.socket}")
    monkeypatch.setenv("PATH", PATH)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _built(host: Machine, context: Path) -> Site:
    (context / "random").write_bytes(os.urandom(SIZE))
    (context / "small").write_bytes(b"small")
    (context / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    pack = (
        'tar --create --dereference --directory / $1 | docker import - python && docker build "$2"'
    )
    host.run(["sh", "-e", "-c", f"{pack} --tag image", "pack", _python(), context], check=True)
    listing = host.docker("image", "inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", "image")
    image, *digests = listing.replace("[", "").replace("]", "").split()
    version, architecture, root = host.docker(
        "info", "--format", "{{.ServerVersion}} {{.Architecture}} {{.DockerRootDir}}"
    ).split()
    docker = Docker(version=version, architecture=architecture, store="overlay2", root=root)
    return Site(host=host, image=image, digests=tuple(digests), docker=docker)


def _python() -> str:
    """Return the files of this machine's Python, as words of a shell."""
    program = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    listing = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, check=True)
    library = Path(listing.stdout.strip())
    modules = [str(path) for path in library.glob("lib-dynload/*.so")]
    linked = subprocess.run(["ldd", PYTHON, *modules], capture_output=True, text=True, check=False)
    libraries = set(re.findall(r"(/\S+\.so\S*) \(0x", linked.stdout))
    return " ".join(path.lstrip("/") for path in sorted({str(PYTHON), str(library), *libraries}))


def read(image: ImageSource, first: int) -> list[tuple[str, str, int]]:
    """Read layers; return the expected digest of each, the actual one, and the surplus bytes."""
    layers = []
    for layer, chunks in image.layers(first):
        content = b"".join(chunks)
        layers.append((layer.digest, digest(content), len(content) - layer.size))
    return layers


def digest(content: bytes) -> str:
    """Return the digest of a layer."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def left_behind(site: Site, folder: Path) -> tuple[str, list[Path]]:
    """Return containers and temporary files."""
    return site.host.docker("ps", "--all", "--quiet"), list(folder.iterdir())


@pytest.mark.parametrize("kind", STORAGE)
def test_layers(site: Site, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers match their digests; those below the first one are not read."""
    with site.opened(kind, monkeypatch) as image:
        assert image.content
        assert (kind, site.image) == (image.kind, image.content.config_digest)
        assert [(layer, layer, 0) for layer in site.digests] == read(image, 0)
    with site.opened(kind, monkeypatch) as image:
        assert [(layer, layer, 0) for layer in site.digests[2:]] == read(image, 2)
    assert ("", []) == left_behind(site, folder)


def test_docker_save(site: Site) -> None:
    """`docker save` has the same layers."""
    with saved(site.image) as image:
        archive = io.BytesIO(b"".join(image.archive()))
    with tarfile.open(fileobj=archive) as tar:
        files = [tar.extractfile(info) for info in tar if info.isfile()]
        digests = {digest(file.read()) for file in files if file}

    assert (None, "docker save") == (image.content, image.kind)
    assert set(site.digests) <= digests


def test_nothing_else_works(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without readable storage, or a Python to read it, `docker save` is the source."""
    with opened(site.image, replace(site.docker, root="/nowhere")) as image:
        elsewhere = image.kind
    site.host.run(["sh", "-c", "tar -C $1 -c . | docker import - bare", "pack", folder], check=True)
    bare = site.host.docker("image", "inspect", "--format", "{{.Id}}", "bare")
    with replace(site, image=bare).opened(STORAGE[1], monkeypatch) as image:
        without_python = image.kind

    assert ["docker save"] * 2 == [elsewhere, without_python]
    assert ("", []) == left_behind(site, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted(site: Site, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption in the middle leaves no process, no container and no file."""
    with suppress(KeyboardInterrupt), site.opened(kind, monkeypatch) as image:
        assert next(next(image.layers(1))[1] if image.content else image.archive())
        raise KeyboardInterrupt

    assert kind == image.kind
    assert image.program.process.returncode is not None
    assert ("", []) == left_behind(site, folder)


@pytest.mark.parametrize("kind", STORAGE)
def test_damage(site: Site, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flipped byte in the engine's storage is reported before the layer ends."""
    path = site.file("random")
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        with site.opened(kind, monkeypatch) as image, pytest.raises(NodeError) as damaged:
            read(image, 0)
        path.write_bytes(whole[:-1])
        with site.opened(kind, monkeypatch) as image, pytest.raises(NodeError) as short:
            read(image, 0)
    finally:
        path.write_bytes(whole)
    layer = f"this machine: layer {site.digests[1][:19]}…"
    remedy = "(`inv build --no-cache`, or load the image again)"
    file = Path("/0", path.relative_to(site.docker.root)) if kind == STORAGE[1] else path

    assert f"{layer} is damaged: its bytes have another digest {remedy}" == str(damaged.value)
    assert f"{layer} cannot be read: {file} is too short {remedy}" == str(short.value)
    assert ("", []) == left_behind(site, folder)


def test_no_image(site: Site) -> None:
    """A missing image is reported in Docker's words."""
    image_id = digest(b"")
    with opened(image_id, site.docker) as image, pytest.raises(NodeError) as error:
        list(image.archive())
    file = f"{site.docker.root}/image/overlay2/imagedb/content/{image_id.replace(':', '/')}"
    words = (
        f"Error response from daemon: failed to get digest {image_id}: "
        f"open {file}: no such file or directory"
    )

    assert f"this machine: `docker save` failed: {words}" == str(error.value)


def test_no_docker(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Docker's client the remedy is to install it."""
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(NodeError) as error:
        opened(site.image, replace(site.docker, root="/nowhere")).__enter__()

    assert (
        "this machine: `docker` is not on the PATH of this machine "
        "(install it: https://docs.docker.com/engine/install)"
    ) == str(error.value)
    assert not shutil.which("docker")
    assert [] == list(folder.iterdir())
