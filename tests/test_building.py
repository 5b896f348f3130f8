"""The verb `build`, as far as it needs no engine."""

import os
import re
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.build import building, cache_busters, image
from cluster.build import perform as build_steps
from cluster.build.build_options import BuildOptions
from cluster.build.cache_busters import CacheBusters
from cluster.build.image import BuildImage, LocalSettings, PlaceWheels
from cluster.errors import NodeError
from cluster.machine import files
from cluster.machine.places import STATE
from cluster.machine.terminal import Report
from cluster.plan import script
from cluster.plan.run import Run
from cluster.session import load
from tests.clusters import ROOT

VARIABLES = ("PIP_", "UV_", *building.CA_VARIABLES, *image.PROXIES)
WHEEL = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"

DOCKER = r"""#!/bin/sh
case "$1" in
  build)
    printf '#1 [vllm 1/1] RUN : "Install vLLM"; install\n#1 0.1 10 %%\r20 %%\n#1 DONE 0.5s\n'
    printf sha256:1 >{id_file} ;;
  image) echo '[{{"Id": "sha256:1", "Size": 7}}]' ;;
  *) exit 1 ;;
esac
"""
"""Docker's client, as far as a build needs it."""


@pytest.fixture(name="bare", autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove this machine's settings for indexes, certificates and proxies."""
    for name in tuple(os.environ):
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "no-repository"))


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> BuildImage:
    """Return a build of a nearly empty repository."""
    (tmp_path / "docker").mkdir()
    return BuildImage(
        tag="vllm-node",
        arch="cpu",
        local=LocalSettings(root=str(tmp_path)),
        cache_busters=CacheBusters(),
    )


def test_no_local_settings() -> None:
    """Without any configuration the build gets nothing but the repository."""
    assert LocalSettings(root=str(ROOT)) == building.local_settings("cpu")


def test_local_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Certificates, indexes, proxies and wheels come from the user's environment."""
    bundle, wheel = tmp_path / "ca.pem", tmp_path / WHEEL
    for path in (bundle, wheel, tmp_path / "torch-2.12.0+cpu-cp311-cp311-linux_x86_64.whl"):
        path.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} https://wheels.example/")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "")
    expected = LocalSettings(
        root=str(ROOT),
        ca=str(bundle),
        index=(("find-links", "https://wheels.example/"),),
        proxies=("https_proxy",),
        wheels=(str(wheel),),
    )

    assert expected == building.local_settings("cpu")
    assert replace(expected, wheels=()) == building.local_settings("12.1a")


def test_pip_s_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pip's settings files are read as pip reads them."""
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror.example/simple\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    index = dict(building.local_settings("12.1a").index)

    assert "https://mirror.example/simple" == index["index-url"]


def test_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build gets the commit that is checked out, if there is one."""
    monkeypatch.delenv("GIT_DIR")
    revision = building.local_settings("12.1a").revision.removesuffix("-dirty")

    assert re.fullmatch(r"(?:[0-9a-f]{40})?", revision)


@pytest.mark.parametrize("tag", ["", "mine:1"])
def test_dry(tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands are printed, for the cluster's image or the one that is named."""
    name = tag or load("rehearsal").cluster.image
    saved = cache_busters.parsed(files.text(f"{STATE}/{cache_busters.FILE}"))
    expected = BuildImage(
        tag=name,
        arch="12.1a",
        local=LocalSettings(root=str(ROOT)),
        cache_busters=(saved or building.labelled_cache_busters(name)).get("cuda", CacheBusters()),
    )
    building.build(BuildOptions(tag=tag), "rehearsal", dry=True, json=False)

    assert (script.text(image.plan(expected)), "") == capsys.readouterr()


def test_no_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before any machine is described, the image has the default name."""
    (tmp_path / "env").mkdir()
    monkeypatch.setattr(building, "ROOT", str(tmp_path))

    assert "vllm-node" == building._image_name("default")


def test_no_docker(build: BuildImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Docker's client the error is one sentence, and no cache buster is saved."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    expected = (
        "this machine: `docker` is not on the PATH of this machine "
        "(install it: https://docs.docker.com/engine/install)"
    )
    with pytest.raises(NodeError) as caught:
        building.perform(build, Run(dry=False))

    assert expected == str(caught.value)
    assert ["build.log"] == [path.name for path in (tmp_path / ".state").iterdir()]


def test_cache_busters_are_saved(build: BuildImage) -> None:
    """The cache busters of the other device stay in the file."""
    path = Path(build.state, cache_busters.FILE)
    path.parent.mkdir()
    path.write_text(cache_busters.formatted({"cuda": CacheBusters(vllm="1")}), encoding="utf-8")
    build_steps.save_cache_busters(replace(build, cache_busters=CacheBusters(deps="2")))

    expected = {"cuda": CacheBusters(vllm="1"), "cpu": CacheBusters(deps="2")}

    assert expected == cache_busters.parsed(files.text(str(path)))
    assert [cache_busters.FILE] == [file.name for file in path.parent.iterdir()]


def test_wheels_are_linked(tmp_path: Path) -> None:
    """A local wheel takes no disk space, and replaces an older one of the same name."""
    source, folder = tmp_path / WHEEL, tmp_path / "docker" / "wheels"
    source.write_text("new", encoding="utf-8")
    folder.mkdir(parents=True)
    (folder / WHEEL).write_text("old", encoding="utf-8")
    step = PlaceWheels(place="vllm-node", files=(str(source),), folder=str(folder))
    Run(dry=False).perform((step,))

    assert (folder / WHEEL).samefile(source)


def test_second_build_waits(
    build: BuildImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two builds would write the same log and move the same name, so one waits for the other."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with files.locked(f"{build.local.root}/docker", Report(), build.tag, "Wait"):
        second = threading.Thread(target=perform_without_docker, args=(build,))
        second.start()
        second.join(0.3)
        waits = second.is_alive()
        has_begun = Path(build.log).exists()
    second.join(5)

    assert (True, False, False) == (waits, has_begun, second.is_alive())
    assert Path(build.log).exists()


def perform_without_docker(build: BuildImage) -> None:
    """Perform a build that fails for want of Docker."""
    with suppress(NodeError):
        building.perform(build, Run(dry=False))


def test_report_of_a_build(
    build: BuildImage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The report comes from the log and the image; overwritten text in a line stays in its line."""
    client = tmp_path / "docker-client" / "docker"
    client.parent.mkdir()
    client.write_text(DOCKER.format(id_file=build.id_file), encoding="utf-8")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
    built = building.perform(build, Run(dry=False))

    assert [("vllm 1/1: Install vLLM", "built")] == [
        (layer.title, layer.state) for layer in built.layers
    ]
    assert ("sha256:1", 7, {}) == (built.id, built.size, built.versions)
    assert "#1 0.1 10 %\r20 %\n" in files.content(build.log).decode()
