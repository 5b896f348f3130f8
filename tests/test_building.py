"""The verb `build` and what it does around Docker, without an engine."""

import os
import re
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.build import building, docker_build, image, surroundings
from cluster.build.build_flags import Flags
from cluster.build.image import Around, Build, Wheels
from cluster.build.stamps import Stamps, read, write
from cluster.errors import NodeError
from cluster.machine.places import STATE
from cluster.machine.terminal import Report
from cluster.session import load
from tests.clusters import ROOT

VARIABLES = ("PIP_", "UV_", *surroundings.CA_VARIABLES, *image.PROXIES)
WHEEL = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"


@pytest.fixture(name="bare", autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what this machine says of indexes, certificates and proxies."""
    for name in tuple(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "no-repository"))


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Build:
    """Return a build of a repository that has next to nothing in it."""
    (tmp_path / "docker").mkdir()
    return Build(tag="vllm-node", arch="cpu", around=Around(root=str(tmp_path)), stamps=Stamps())


def test_nothing_around() -> None:
    """Where nothing is configured the build gets nothing but the repository."""
    assert Around(root=str(ROOT)) == surroundings.around("cpu")


def test_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Certificates, indexes, proxies and wheels are those of the user's environment."""
    bundle, wheel = tmp_path / "ca.pem", tmp_path / WHEEL
    for path in (bundle, wheel, tmp_path / "torch-2.12.0+cpu-cp311-cp311-linux_x86_64.whl"):
        path.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} https://wheels.example/")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "")
    expected = Around(
        root=str(ROOT),
        ca=str(bundle),
        index=(("find-links", "https://wheels.example/"),),
        proxies=("https_proxy",),
        wheels=(str(wheel),),
    )

    assert expected == surroundings.around("cpu")
    assert replace(expected, wheels=()) == surroundings.around("12.1a")


def test_pip_s_own_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The files of pip are read as pip reads them."""
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror.example/simple\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    assert "https://mirror.example/simple" == dict(surroundings.around("12.1a").index)["index-url"]


def test_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit that is checked out is told, where there is one."""
    monkeypatch.delenv("GIT_DIR")
    revision = surroundings.around("12.1a").revision.removesuffix("-dirty")

    assert re.fullmatch(r"(?:[0-9a-f]{40})?", revision)


@pytest.mark.parametrize("tag", ["", "mine:1"])
def test_dry(tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is printed, for the cluster's image unless another is named."""
    name = tag or load("rehearsal").cluster.image
    known = read(surroundings.text(Path(STATE, image.STAMPS))).get("cuda", Stamps())
    expected = Build(tag=name, arch="12.1a", around=Around(root=str(ROOT)), stamps=known)
    building.build(Flags(tag=tag), "rehearsal", dry=True, json=False)

    assert (image.script(expected), "") == capsys.readouterr()


def test_no_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever has described no machine yet builds under the name that containers look for."""
    (tmp_path / "env").mkdir()
    monkeypatch.setattr(building, "ROOT", str(tmp_path))

    assert "vllm-node" == building._image("default")


def test_no_docker(build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Docker's client one sentence says so, and nothing is remembered."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    expected = (
        "this machine: there is no `docker` on the PATH of this machine "
        "(install it: https://docs.docker.com/engine/install)"
    )
    with pytest.raises(NodeError) as caught:
        docker_build.perform(build, Report())

    assert expected == str(caught.value)
    assert ["build.log"] == [path.name for path in (tmp_path / ".state").iterdir()]


def test_log_is_the_owner_s(tmp_path: Path) -> None:
    """Nobody else reads what a build printed."""
    with docker_build._opened(str(tmp_path / "log")) as log:
        log.write("a\rb\n")

    assert 0o600 == stat.S_IMODE((tmp_path / "log").stat().st_mode)
    assert b"a\rb\n" == (tmp_path / "log").read_bytes()


def test_stamps_are_kept(build: Build) -> None:
    """The stamps of the other device stay."""
    path = Path(build.state, image.STAMPS)
    path.parent.mkdir()
    path.write_text(write({"cuda": Stamps(vllm="1")}), encoding="utf-8")
    docker_build._keep_stamps(replace(build, stamps=Stamps(deps="2")))

    assert {"cuda": Stamps(vllm="1"), "cpu": Stamps(deps="2")} == read(surroundings.text(path))
    assert [image.STAMPS] == [each.name for each in path.parent.iterdir()]


def test_wheels_are_linked(tmp_path: Path) -> None:
    """A wheel costs no disk space, and takes the place of one of the same name."""
    source, folder = tmp_path / WHEEL, tmp_path / "docker" / "wheels"
    source.write_text("new", encoding="utf-8")
    folder.mkdir(parents=True)
    (folder / WHEEL).write_text("old", encoding="utf-8")
    docker_build._place(Wheels(files=(str(source),), folder=str(folder)))

    assert (folder / WHEEL).samefile(source)


def test_another_build_waits(build: Build) -> None:
    """Two builds would write the same log and move the same tag, so one waits for the other."""
    with docker_build._alone(build, Report()):
        second = threading.Thread(target=lambda: _alone(build))
        second.start()
        second.join(0.3)
        waits = second.is_alive()
    second.join(5)

    assert (True, False) == (waits, second.is_alive())


def _alone(build: Build) -> None:
    with docker_build._alone(build, Report()):
        pass
