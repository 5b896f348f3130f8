"""An image on its way: read from the storage, sent, loaded, compared and named.

Programs stand in for SSH and Docker's client; a live test has real ones.
"""

import io
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.host import Host
from cluster.machine.terminal import Report
from cluster.ship import transfers
from cluster.ship.archive import digest
from cluster.ship.delivery import deliver
from cluster.ship.report import TransferResult
from cluster.ship.routes import Hop, ShipRoute
from cluster.ship.ship_options import Via
from cluster.ship.source import opened
from tests.image_stores import archive, overlay2
from tests.shipments import IMAGE, NAME, NO_FAILURES, REQUEST, SOURCE, spark, stored

NAMES = ("spark2", "spark3", "spark4")
FILES = ({"one": b"1" * 3_000_000}, {"two": b"2" * 5000}, {"three": b"3"})
LAYERS = tuple(digest(archive(files)) for files in FILES)
SIZES = tuple(len(archive(files)) for files in FILES)
# The command on a node: a login shell runs the words after the host.
SSH = """#!/bin/sh
while :; do
  case $1 in
    -o | -p | -L) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
NODE=${1#*@}
export NODE
shift
exec sh -c "$*"
"""
# An engine that keeps the configuration and the names of the layers that it has loaded.
DOCKER = """#!{python}
import hashlib, json, os, pathlib, sys, tarfile
place = pathlib.Path(os.environ["PLACE"], os.environ["NODE"])
place.mkdir(exist_ok=True)
if (place / "broken").exists():
    sys.exit("Error response from daemon: broken")
words = sys.argv[1:]
if words == ["load"]:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        files = {{info.name: tar.extractfile(info).read() for info in tar}}
    (manifest,) = json.loads(files["manifest.json"])
    image = hashlib.sha256(files[manifest["Config"]]).hexdigest()
    (place / image).write_bytes(files[manifest["Config"]])
    present = [path for path in manifest["Layers"] if path in files]
    (place / "received").write_text(json.dumps(present))
    print(f"Loaded image ID: sha256:{{image}}")
elif words[:2] == ["image", "inspect"]:
    config = json.loads((place / words[-1].removeprefix("sha256:")).read_text())
    layers = config["rootfs"]["diff_ids"]
    description = [{{"Architecture": config["architecture"], "RootFS": {{"Layers": layers}}}}]
    answer = layers if "--format" in words else description
    print(json.dumps(answer, separators=(",", ":")))
elif words[0] == "tag":
    (place / "name").write_text(f"{{words[1]}} {{words[2]}}")
"""
ROUTES = tuple(
    ShipRoute(host=Host(name=name, ssh_host=name), hop=Hop(address=name, user="nvidia"))
    for name in NAMES
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The storage with this machine's image, and nodes that are folders."""

    place: Path
    image: str
    """Its ID."""

    def ship(self, via: Via, *present: int) -> tuple[dict[str, TransferResult], frozenset[str]]:
        """Ship to the nodes, which have so many layers each; return the outcome by node."""
        docker = replace(SOURCE.docker, root=str(self.place / "engine"))
        image = replace(IMAGE, layers=LAYERS)
        answers: dict[str, Facts | Problem] = {
            name: spark(number, replace(stored(0), image=replace(image, layers=LAYERS[:count])))
            for number, (name, count) in enumerate(zip(NAMES, present, strict=True), 2)
        }
        with opened(self.image, docker) as source:
            assert source.content
            request = replace(REQUEST, image=image, layers=source.content.layers, via=via)
            plan = transfers.plan(request, ROUTES, answers, NO_FAILURES)
            results, cut_off = deliver(Report(io.StringIO()), request, source, plan)
        return {result.node: result for result in results}, cut_off

    def received(self, node: str) -> list[str]:
        """Return the digests of the layers that a node has received."""
        paths = json.loads((self.place / node / "received").read_text("utf-8"))
        return [path.removeprefix("blobs/").replace("/", ":") for path in paths]

    def name(self, node: str) -> str:
        """Return the ID and the name that a node has given to it."""
        file = self.place / node / "name"
        return file.read_text("utf-8") if file.exists() else ""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Three nodes without an image."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("ssh", SSH), ("docker", DOCKER.format(python=sys.executable))):
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PLACE", str(tmp_path))
    return Site(place=tmp_path, image=overlay2(tmp_path / "engine", *FILES))


def test_star(site: Site) -> None:
    """Each node receives the layers that it lacks, and the image gets its name."""
    results, cut_off = site.ship("star", 0, 1, 3)

    assert dict.fromkeys(NAMES, "shipped") == {
        name: result.result for name, result in results.items()
    }
    assert [list(LAYERS), list(LAYERS[1:]), []] == [site.received(name) for name in NAMES]
    assert [f"{site.image} {NAME}"] * 3 == [site.name(name) for name in NAMES]
    assert [sum(SIZES), sum(SIZES[1:]), 0] == [results[name].size for name in NAMES]
    assert frozenset() == cut_off


def test_chain(site: Site) -> None:
    """All nodes of a chain receive the layers that any of them lacks."""
    results, _ = site.ship("chain", 2, 1, 2)

    assert [list(LAYERS[1:])] * 3 == [site.received(name) for name in NAMES]
    assert [f"{site.image} {NAME}"] * 3 == [site.name(name) for name in NAMES]
    assert {None} == {result.problem for result in results.values()}


@pytest.mark.parametrize("via", ["star", "chain"])
def test_a_load_fails(site: Site, via: Via) -> None:
    """A node that cannot load the image is a problem; the others get it."""
    (site.place / "spark3").mkdir()
    (site.place / "spark3" / "broken").touch()
    results, cut_off = site.ship(via, 0, 0, 0)
    expected = (
        "spark3: `docker load` of vllm-node:latest failed: Error response from daemon: broken "
        "(the old image is unchanged; retry: `inv ship --node spark3`)"
    )

    assert expected == str(results["spark3"].problem)
    assert ["shipped", "failed", "shipped"] == [results[name].result for name in NAMES]
    assert [f"{site.image} {NAME}", "", f"{site.image} {NAME}"] == [
        site.name(name) for name in NAMES
    ]
    assert frozenset() == cut_off


def test_a_damaged_layer(site: Site) -> None:
    """If a layer does not match its digest, no node loads an image."""
    (file,) = (site.place / "engine").glob("overlay2/*/diff/two")
    file.write_bytes(b"3" * 5000)
    results, _ = site.ship("star", 0, 0, 0)
    expected = (
        "spark2: received only part of the image and keeps the old one: this machine: layer "
        f"{LAYERS[1][:19]}… is damaged: its bytes have another digest (`inv build --no-cache`, "
        "or load the image again) (`inv ship --node spark2`)"
    )

    assert expected == str(results["spark2"].problem)
    assert ["failed"] * 3 == [results[name].result for name in NAMES]
    assert [""] * 3 == [site.name(name) for name in NAMES]
