"""What this machine adds to a build: certificates, package indexes, proxies, wheels, the commit."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cluster.build import image, package_index
from cluster.build.image import CPU, Around
from cluster.machine import processes
from cluster.machine.places import ROOT
from cluster.rehearsal import install, requirements

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
GIT_SECONDS = 5.0


def around(arch: str) -> Around:
    """Return what this machine adds to the build of an architecture."""
    pip = install.pip_settings(os.environ)
    return Around(
        root=ROOT,
        revision=_revision(),
        ca=next(_bundles(), ""),
        index=package_index.settings(os.environ, pip),
        proxies=tuple(name for name in image.PROXIES if os.environ.get(name)),
        wheels=_wheels(package_index.folders(os.environ, pip)) if arch == CPU else (),
    )


def text(path: Path) -> str:
    """Return the text of a file; nothing for one that cannot be read."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _bundles() -> Iterator[str]:
    for name in CA_VARIABLES:
        path = os.environ.get(name, "")
        if path and os.access(path, os.R_OK) and Path(path).is_file():
            yield str(Path(path).absolute())


def _revision() -> str:
    """Return the commit that is checked out; empty where there is no git, or no repository."""
    words = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    git = processes.run(("git", "-C", ROOT, *words), seconds=GIT_SECONDS)
    return git.output.strip()


def _wheels(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the wheels of PyTorch for CPUs that are at hand: PyPI has none of them."""
    pins, _ = requirements.split(text(Path(ROOT, "docker/requirements-cpu.txt")))
    patterns = [f"{pin.replace('==', '-')}-*.whl" for pin in pins]
    places = [Path(folder).expanduser() for folder in folders]
    found = (path for place in places for it in patterns for path in sorted(place.glob(it)))
    return tuple(str(path.absolute()) for path in found)
