"""An engine's image, read in three ways: the same layers, damage is named, nothing stays behind."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.errors import NodeError
from cluster.ship import source
from cluster.ship.source import Source, opened, saved
from cluster.ship.survey import Facts
from tests.live import hosts
from tests.live.machine import PATH, Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

PYTHON = Path("/usr/bin/python3")
WAYS = ["storage", "storage, read in a container", "docker save"]
STORAGE = WAYS[:2]
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
    facts: Facts

    def opened(self, way: str, patch: pytest.MonkeyPatch) -> Source:
        """Read the image in a way, as if those before it were not possible."""
        ways = tuple(its for its in source.STORAGE if its[0] == way)
        patch.setattr(source, "STORAGE", ways)
        return opened(self.image, self.facts)

    def file(self, name: str) -> Path:
        """Return where the engine keeps a file of the image."""
        (path,) = Path(self.facts.root).glob(f"overlay2/*/diff/{name}")
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Build the image on a laptop with an engine."""
    if not PYTHON.exists():
        pytest.skip(f"not installed: {PYTHON}")
    with hosts.made(tmp_path_factory.mktemp("lan"), (), control_engine=True) as lan:
        yield _built(lan.control, tmp_path_factory.mktemp("context"))


@pytest.fixture(autouse=True)
def here(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be on that machine; return the folder of temporary files."""
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
    asked = host.docker("image", "inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", "image")
    image, *digests = asked.replace("[", "").replace("]", "").split()
    version, architecture, root = host.docker(
        "info", "--format", "{{.ServerVersion}} {{.Architecture}} {{.DockerRootDir}}"
    ).split()
    facts = Facts(
        version=version, architecture=architecture, store="overlay2", root=root, free=None
    )
    return Site(host=host, image=image, digests=tuple(digests), facts=facts)


def _python() -> str:
    """Return the files that this machine's Python consists of, as words of a shell."""
    program = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    asked = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, check=True)
    library = Path(asked.stdout.strip())
    modules = [str(path) for path in library.glob("lib-dynload/*.so")]
    linked = subprocess.run(["ldd", PYTHON, *modules], capture_output=True, text=True, check=False)
    found = set(re.findall(r"(/\S+\.so\S*) \(0x", linked.stdout))
    return " ".join(path.lstrip("/") for path in sorted({str(PYTHON), str(library), *found}))


def read(its: Source, lowest: int) -> list[tuple[str, str, int]]:
    """Read layers; return the digest that each should have, the one it has, and its size."""
    found = []
    for layer, chunks in its.read(lowest):
        content = b"".join(chunks)
        found.append((layer.digest, digest(content), len(content) - layer.size))
    return found


def digest(content: bytes) -> str:
    """Return the digest of a layer."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def left_behind(site: Site, folder: Path) -> tuple[str, list[Path]]:
    """Return containers and temporary files."""
    return site.host.docker("ps", "--all", "--quiet"), list(folder.iterdir())


@pytest.mark.parametrize("way", STORAGE)
def test_layers(site: Site, here: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers are what their digests say; those below the first one are not read."""
    with site.opened(way, monkeypatch) as its:
        assert its.content
        assert (way, site.image) == (its.kind, its.content.config_digest)
        assert [(each, each, 0) for each in site.digests] == read(its, 0)
    with site.opened(way, monkeypatch) as its:
        assert [(each, each, 0) for each in site.digests[2:]] == read(its, 2)
    assert ("", []) == left_behind(site, here)


def test_docker_save(site: Site) -> None:
    """`docker save` has the same layers."""
    with saved(site.image) as its:
        archive = io.BytesIO(b"".join(its.raw()))
    with tarfile.open(fileobj=archive) as tar:
        files = [tar.extractfile(info) for info in tar if info.isfile()]
        digests = {digest(file.read()) for file in files if file}

    assert (True, "docker save") == (its.whole, its.kind)
    assert set(site.digests) <= digests


def test_nothing_else_works(site: Site, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without storage to read, or a Python to read it with, there is `docker save`."""
    with opened(site.image, replace(site.facts, root="/nowhere")) as its:
        elsewhere = its.kind
    site.host.run(["sh", "-c", "tar -C $1 -c . | docker import - bare", "pack", here], check=True)
    bare = site.host.docker("image", "inspect", "--format", "{{.Id}}", "bare")
    with replace(site, image=bare).opened(STORAGE[1], monkeypatch) as its:
        without_python = its.kind

    assert ["docker save"] * 2 == [elsewhere, without_python]
    assert ("", []) == left_behind(site, here)


@pytest.mark.parametrize("way", WAYS)
def test_interrupted(site: Site, here: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption in the middle leaves no process, no container and no file."""
    with suppress(KeyboardInterrupt), site.opened(way, monkeypatch) as its:
        assert next(its.raw() if its.whole else next(its.read(1))[1])
        raise KeyboardInterrupt

    assert way == its.kind
    assert its._program.process.returncode is not None
    assert ("", []) == left_behind(site, here)


@pytest.mark.parametrize("way", STORAGE)
def test_damage(site: Site, here: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that was flipped in the engine's storage is named before the layer ends."""
    path = site.file("random")
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        with site.opened(way, monkeypatch) as its, pytest.raises(NodeError) as damaged:
            read(its, 0)
        path.write_bytes(whole[:-1])
        with site.opened(way, monkeypatch) as its, pytest.raises(NodeError) as short:
            read(its, 0)
    finally:
        path.write_bytes(whole)
    layer = f"this machine: its copy of layer {site.digests[1][:19]}…"
    remedy = "(`inv build --no-cache`, or load the image anew)"
    file = Path("/0", path.relative_to(site.facts.root)) if way == STORAGE[1] else path

    assert f"{layer} is damaged: its bytes have another digest {remedy}" == str(damaged.value)
    assert f"{layer} cannot be read: {file} is too short {remedy}" == str(short.value)
    assert ("", []) == left_behind(site, here)


def test_no_image(site: Site) -> None:
    """An image that is not there is told in Docker's words."""
    image = digest(b"")
    with opened(image, site.facts) as its, pytest.raises(NodeError) as error:
        list(its.raw())
    file = f"{site.facts.root}/image/overlay2/imagedb/content/{image.replace(':', '/')}"
    words = (
        f"Error response from daemon: failed to get digest {image}: "
        f"open {file}: no such file or directory"
    )

    assert f"this machine: `docker save` failed: {words}" == str(error.value)


def test_no_docker(site: Site, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Docker's client the remedy is to install it."""
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(NodeError) as error:
        opened(site.image, replace(site.facts, root="/nowhere"))

    assert (
        "this machine: there is no `docker` on the PATH of this machine "
        "(install it: https://docs.docker.com/engine/install)"
    ) == str(error.value)
    assert not shutil.which("docker")
    assert [] == list(here.iterdir())
