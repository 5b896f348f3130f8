"""What an engine has and how it is reached: one question to its machine, and its answer."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cluster.facts.images import Image as Image  # noqa: PLC0414 (ship's own name for it)
from cluster.facts.images import StoredImage, image, stored_image
from cluster.facts.links import REAL
from cluster.facts.part import answers

# The braces are read to their end before any of it runs: so no program takes the rest of the text
# for its input, and half a text does nothing. Where Docker fails, its words are the answer; those
# of `docker info` alone would not do, because 20.10 stumbles over its own template then. It writes
# a line in pieces, which is put together before it stands among the lines of the other program.
# An image that goes away between the list and the question for it is an error that does not matter.
# A user's PATH need not have `ip` (Debian). Raw JSON, because `--format` knows but the fields that
# the client knows. `--all`: Docker 29 lists images without a name only then.
QUESTION = """\
{
  PATH="$PATH:/usr/sbin:/sbin"
  LC_ALL=C
  export PATH LC_ALL
  said=$(
    docker info --format 'info {{.ServerVersion}}|{{.Architecture}}|{{.DockerRootDir}}|\
{{.Driver}}|{{json .DriverStatus}}' | { IFS= read -r line && printf '%s\\n' "$line"; } & info=$!
    docker image ls --all --quiet --no-trunc && wait "$info"
  ) || exit
  root=${said#*info *|*|}
  its=$(printf '%s\\n' "$said" | grep ^sha256: | sort -u)
  echo '== engine'
  printf '%s\\n' "$said" | grep '^info '
  echo '== images'
  if [ -n "$its" ]; then docker image inspect $its 2>/dev/null; fi
  echo '== free in the root'
  df -Pk "${root%%|*}" 2>/dev/null
  echo '== free in containerd'
  df -Pk /var/lib/containerd 2>/dev/null
  echo '== interfaces'
  ip -j -d address 2>/dev/null
  echo '== speeds'
  grep . /dev/null /sys/class/net/*/speed 2>/dev/null
  echo '== connection'
  printf '%s\\n' "$SSH_CONNECTION"
  echo '== zstd'
  command -v zstd
  echo '== end'
  exit 0
} </dev/null
"""
AVAILABLE = re.compile(r"\s(\d+)\s+(?:\d+%|-)\s")
SPEED = re.compile(r"^/sys/class/net/([^/]+)/speed:(\d+)$", re.MULTILINE)
Held = StoredImage
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What `uname -m` and `docker info` say, as images say it."""
CONTAINERD = ["driver-type", "io.containerd.snapshotter.v1"]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A network interface, which SSH may have come by at any of its addresses, IPv6 as well."""

    name: str
    addresses: tuple[str, ...]
    speed: int | None
    """Mb/s; None when unknown, as that of a virtual one is."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an engine and its machine said."""

    version: str
    architecture: str
    """As Docker says it: `arm64`, `amd64`."""
    store: str
    """`containerd`, or the storage driver that unpacks layers at once: `overlay2`."""
    root: str
    """The engine's folder (DockerRootDir)."""
    free: int | None
    """Bytes there that the engine may fill; None when the machine did not tell."""
    images: tuple[Held, ...] = ()
    links: tuple[Link, ...] = ()
    asker: str = ""
    """The address that the question came from; empty on this machine."""
    asked: str = ""
    """The machine's own address of that connection."""
    zstd: bool = False
    """It has the program `zstd`."""

    @property
    def interface(self) -> str:
        """The interface that the question came in by; empty when unknown."""
        found = self.at(self.asked)
        return found.name if found else ""

    @property
    def link(self) -> int | None:
        """The speed of that interface, in Mb/s."""
        return self.speed(self.asked)

    def at(self, address: str) -> Link | None:
        """Return the interface that has an address."""
        return next((link for link in self.links if address in link.addresses), None)

    def speed(self, address: str) -> int | None:
        """Return the speed of the interface that has an address, in Mb/s."""
        found = self.at(address)
        return found.speed if found else None

    def named(self, name: str) -> Held | None:
        """Return the image that has a name, with its tag, or an ID."""
        short = name.removeprefix("docker.io/").removeprefix("library/")
        its = {name, short}
        return next((held for held in self.images if its & {*held.tags, held.id}), None)


def answered(text: str) -> bool:
    """Tell whether this is a whole answer to `QUESTION`; a login shell may have said others."""
    return "\n== engine\n" in f"\n{text}" and "\n== end\n" in text


def inspected(text: str) -> Image:
    """Read what `docker image inspect` printed about one image, after what a login shell did."""
    _, _, found = f"\n{text}".partition("\n[")
    return image(json.loads(f"[{found}")[0])


def facts(text: str) -> Facts:
    """Read a whole answer to `QUESTION`."""
    said = answers(text)
    about = said["engine"].strip().removeprefix("info ")
    version, machine, root, driver, status = about.split("|", 4)
    store = "containerd" if CONTAINERD in (json.loads(status) or ()) else driver
    asker, _, asked, _ = said["connection"].split() or ("", "", "", "")
    return Facts(
        version=version,
        architecture=MACHINES.get(machine, machine),
        store=store,
        root=root,
        free=_free(said, store),
        images=tuple(stored_image(its) for its in json.loads(said["images"] or "[]")),
        links=tuple(_links(said)),
        asker=asker,
        asked=asked,
        zstd=bool(said["zstd"]),
    )


def _free(said: Mapping[str, str], store: str) -> int | None:
    """Return the room where there is least of it, as `df` says it in KiB (POSIX)."""
    rooms = ("free in the root", *(("free in containerd",) if store == "containerd" else ()))
    found = tuple(int(room[1]) * 1024 for its in rooms if (room := AVAILABLE.search(said[its])))
    return min(found, default=None)


def _links(said: Mapping[str, str]) -> Iterator[Link]:
    speeds = {name: int(speed) for name, speed in SPEED.findall(said["speeds"])}
    for its in json.loads(said["interfaces"] or "[]"):
        kind = its.get("linkinfo", {}).get("info_kind", "")
        yield Link(
            name=its["ifname"],
            addresses=tuple(one["local"] for one in its["addr_info"] if "local" in one),
            speed=speeds.get(its["ifname"]) if kind in REAL else None,
        )
