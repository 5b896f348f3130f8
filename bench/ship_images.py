"""The images to ship from the laptop: one before and one after a build with `--fast`."""

import json
import random
import shutil
import sys
import tarfile
from argparse import Namespace
from itertools import takewhile
from operator import eq
from pathlib import Path
from typing import NamedTuple

from bench.containers import saved
from tests.live import hosts
from tests.live.lan import Site

BEFORE, AFTER, SMALL = "ship-bench:before", "ship-bench:after", "ship-bench:small"
FILE_BYTES = 50_000
MEGA = 1_000_000


class Image(NamedTuple):
    """The bytes of an image's layers."""

    whole: int
    missing: int
    """Of the layers that the image before lacks."""


def place(site: Site, options: Namespace) -> Image:
    """Give the laptop the requested images; return their size."""
    if options.size:
        build(site, BEFORE, options.size * MEGA, top=1)
        build(site, AFTER, options.size * MEGA, top=2)
    elif options.images:
        for image, name in zip(options.images, (BEFORE, AFTER), strict=True):
            load(site, image, name)
    else:
        hosts.base_image(site.lan.control)
        for name, words in ((BEFORE, ()), (AFTER, ("--fast",))):
            completed = site.inv("build", "--arch", "cpu", "--tag", name, *words, seconds=1800)
            if completed.code:
                sys.exit(f"bench: `inv build` failed\n{completed.err}")
    build(site, SMALL, options.small * MEGA, top=3)
    return measured(site)


def load(site: Site, image: str, name: str) -> None:
    """Give the laptop an image of a file or of this machine's engine, under a name."""
    folder = site.tree.parent / "saved"
    folder.mkdir()
    argv = ["docker", "load", "--quiet", "--input", str(saved(image, folder))]
    output = site.lan.control.run(argv, timeout=600, check=True).stdout
    site.lan.control.docker("tag", output.split()[-1], name)
    shutil.rmtree(folder)


def build(site: Site, name: str, size: int, *, top: int) -> None:
    """Build an image of many files: two layers that depend on the size alone, and a top."""
    context = site.tree.parent / "context"
    lines = ["FROM scratch", "ENV SHIP=1"]
    for layer, share in (("low", 0.4), ("middle", 0.4), (f"top{top}", 0.2)):
        write_files(context / layer, int(size * share))
        lines.append(f"COPY {layer} /{layer}")
    (context / "Dockerfile").write_text("\n".join(lines), "utf-8")
    command = ["docker", "build", "--quiet", "--tag", name, str(context)]
    site.lan.control.run(command, env={"DOCKER_BUILDKIT": "1"}, timeout=600, check=True)
    shutil.rmtree(context)


def write_files(folder: Path, size: int) -> None:
    """Write `size` bytes of random files, always the same for a folder's name."""
    source = random.Random(folder.name)  # noqa: S311 (no secrets: incompressible bytes)
    folder.mkdir(parents=True)
    for number in range(size // FILE_BYTES):
        (folder / str(number)).write_bytes(source.randbytes(FILE_BYTES))


def measured(site: Site) -> Image:
    """Measure the uncompressed layers of the image after, as `docker save` writes them."""
    control, file = site.lan.control, site.tree.parent / "saved.tar"
    control.run(["docker", "save", "--output", file, AFTER], timeout=600, check=True)
    with tarfile.open(file) as archive:
        manifest = archive.extractfile("manifest.json") or sys.exit("bench: no manifest")
        paths: list[str] = json.load(manifest)[0]["Layers"]
        sizes = [archive.getmember(path).size for path in paths]
    file.unlink()
    before, after = (layers(site, name) for name in (BEFORE, AFTER))
    same = sum(takewhile(bool, map(eq, before, after)))
    return Image(whole=sum(sizes), missing=sum(sizes[same:]))


def layers(site: Site, name: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first."""
    words = ("image", "inspect", "--format", "{{json .RootFS.Layers}}", name)
    digests: list[str] = json.loads(site.lan.control.docker(*words))
    return digests
