"""A host with a newer engine than this machine's: that of Debian's testing release, in a chroot."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.live.hosts import CACHE
from tests.live.machine import Machine

RELEASE = "forky"
PACKAGES = ("docker.io", "docker-cli", "containerd")
SOURCE = ("http://deb.debian.org/debian", "/usr/share/debootstrap/scripts/sid")
"""The script is named because an older debootstrap does not know the release."""
NOT_NEEDED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")
PLACE = "/mnt"
"""The path of the engine's system on the host."""
DATA = "/run/engine"
"""The engine's data, at the same place for the engine and for all others on the host."""
STORES = {
    "containerd": '{"features": {"containerd-snapshotter": true}}',
    "overlay2": '{"features": {"containerd-snapshotter": false}, "storage-driver": "overlay2"}',
}
MOUNT = """
mount --bind "$1" "$3"
mount -o remount,bind,ro "$3"
mkdir "$4"
mount --bind "$2/engine/data" "$4"
for it in proc sys dev run; do mount --rbind "/$it" "$3/$it"; done
mount --bind "$2/docker" "$3/etc/docker"
mount --bind /run/tmp "$3/tmp"
"""
# Only the engine needs the chroot: its client is to see the host's files and folders.
CLIENT = """#!/bin/sh
set -- {place}/usr/bin/docker "$@"
exec {place}/lib*/ld-linux-*.so.* --library-path "$(echo {place}/usr/lib/*-linux-gnu)" "$@"
"""


class NewerHost(Machine):
    """A host whose engine and Docker client are newer than this machine's."""

    def __init__(
        self, name: str, address: str, folder: Path, *, disk: int = 0, store: str = "containerd"
    ) -> None:
        """Describe a host; its images are in containerd's store, or in that of `overlay2`."""
        super().__init__(name, address, folder, disk=disk)
        self._store = store

    def begin(self) -> None:
        """Start the process that holds the namespaces, and mount the system of the engine."""
        folder = system()
        super().begin()
        (self.folder / "docker" / "daemon.json").write_text(STORES[self._store], "utf-8")
        self.put_program(self.folder / "bin" / "docker", CLIENT.format(place=PLACE))
        words = ("mount", folder, self.folder, PLACE, DATA)
        self.run(["sh", "-e", "-c", MOUNT, *words], check=True)

    def engine_words(self) -> Sequence[str]:
        """Return the start of the engine's command."""
        return ("chroot", PLACE, "/usr/sbin/dockerd", f"--data-root={DATA}", "--ip6tables=false")


def system() -> Path:
    """Return the folder of a Debian with a newer engine, created once on this machine."""
    folder = CACHE / RELEASE
    if folder.exists():
        return folder
    half = CACHE / f"{RELEASE}.{os.getpid()}"
    half.parent.mkdir(parents=True, exist_ok=True)
    try:
        _make_system(half)
        half.rename(folder)
    except OSError:
        if not folder.exists():  # else another run was quicker
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder


def _make_system(folder: Path) -> None:
    """Install the packages into a new system; skip the test where they cannot be downloaded."""
    if not shutil.which("debootstrap", path="/usr/sbin"):
        pytest.skip("not installed: debootstrap")
    options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
    command = ("/usr/sbin/debootstrap", *options, RELEASE, folder, *SOURCE)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = done.stdout.decode(errors="replace").strip().rpartition("\n")[2]
        pytest.skip(f"no newer engine: debootstrap {RELEASE}: {last}")
    for path in NOT_NEEDED:
        shutil.rmtree(folder / path)
