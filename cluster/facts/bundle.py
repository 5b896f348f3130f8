"""All questions to a machine as one shell text, and all facts out of its answer."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

from cluster.facts import docker, gpu, links, machine, rdma, reach, surroundings
from cluster.facts.facts import Facts
from cluster.facts.part import Answers, Part, answers
from cluster.facts.readable import readable

# The braces are read to their end before any of it runs: so no program takes the rest of the text
# for its input, and half a text does nothing. All parts run at once, each into a file of its own:
# the slowest is the time of all. The files are in memory where that may be written to, so that a
# full disk does not keep a machine from telling of it. A user's PATH need not have `ip` (Debian).
HEAD = """\
{
PATH="$PATH:/usr/sbin:/sbin"
LC_ALL=C
export PATH LC_ALL
within() {
  if command -v "$2" >/dev/null; then
    timeout -k 1 "$@" 2>&1
    case $? in 124 | 137) printf '\\n%s\\n' "$2: no answer within $1 s" ;; esac
  else
    echo "$2: not found"
  fi
}
"""
TAIL = """\
folder() {
  box=$(mktemp -d "$1/facts.XXXXXXXX") || return
  (echo >"$box/room") || { rm -rf "$box" && return 1; }
}
box=
trap 'rm -rf "$box"' EXIT
trap 'exit 1' HUP INT PIPE TERM
folder /dev/shm 2>/dev/null || folder "${TMPDIR:-/tmp}" 2>/dev/null || {
  echo 'neither /dev/shm nor /tmp has room' >&2
  exit 1
}
cd "$box" || exit
for part in $parts; do
  {
    echo "== $part"
    "$part"
    echo
  } >"$part" 2>/dev/null &
done
wait
cat $parts
echo '== clock'
date +%s.%N
echo
echo '== end'
exit 0
} </dev/null
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to ask a machine beyond what it is."""

    image: str = ""
    """The cluster's image."""
    container: str = ""
    """The cluster's container there."""
    hf_cache: str = "~/.cache/huggingface"
    pings: tuple[tuple[str, IPv4Address], ...] = ()
    """Interfaces of the machine, each with a peer that should answer on it."""
    ports: tuple[tuple[IPv4Address, int], ...] = ()
    """Where to connect to."""
    ways: tuple[IPv4Address, ...] = ()
    """Peers whose routes to ask for."""
    fast: bool = False
    """Leave out what no check that blocks looks at."""


REACH = reach.question((), (), ())
SUBJECTS: tuple[tuple[tuple[Part[Any], ...], Callable[[Answers], object]], ...] = (
    (links.PARTS, links.links),
    (rdma.PARTS, rdma.rdma),
    (machine.PARTS, machine.machine),
    (gpu.PARTS, gpu.gpus),
    (docker.PARTS, docker.docker),
    (surroundings.PARTS, surroundings.surroundings),
    ((REACH,), REACH.of),
)
"""Parts that are about one thing, and what reads them together."""
PARTS = tuple(part for parts, _ in SUBJECTS for part in parts if part is not REACH)
JOINING: tuple[Part[Any], ...] = (
    links.ADDRESSES,
    links.ADAPTERS,
    *rdma.PARTS,
    machine.SYSTEM,
    gpu.GPUS,
)
"""What tells how machines are joined."""


def question(wanted: Wanted, parts: tuple[Part[Any], ...] = PARTS) -> str:
    """Return the text for `sh -s` on the machine."""
    return _text(wanted, tuple(part for part in parts if part.blocking or not wanted.fast))


def reaching(wanted: Wanted) -> str:
    """Return the text that asks for nothing but peers: its answer has the facts of those alone."""
    return _text(wanted, ())


def _text(wanted: Wanted, parts: tuple[Part[Any], ...]) -> str:
    its = (*parts, reach.question(wanted.pings, wanted.ports, wanted.ways))
    return "".join(
        (
            HEAD,
            _words(wanted),
            *(part.function for part in its),
            f"parts='{' '.join(part.name for part in its)}'\n",
            TAIL,
        )
    )


def _words(wanted: Wanted) -> str:
    """Return the shell's variables for what the user wrote: it never stands anywhere else."""
    its = {"image": wanted.image, "container": wanted.container, "cache": wanted.hf_cache}
    return "".join(f"{name}={shlex.quote(word)}\n" for name, word in its.items())


def answered(text: str) -> bool:
    """Tell whether this is a whole answer to a question; a login shell may have said others."""
    return "\n== clock\n" in text and "\n== end\n" in text


def facts(text: str) -> Facts:
    """Read an answer, but for parts of another shape; one that is not whole is a ValueError."""
    if not answered(text):
        message = "its answer is not whole"
        raise ValueError(message)
    said = answers(text)
    its = _readable(said)
    return replace(_facts(its), unreadable=tuple(name for name in its if its[name] != said[name]))


def _readable(said: Answers) -> Answers:
    """Return what stands for what was said, subject by subject."""
    found: Answers = {}
    for parts, read in SUBJECTS:
        found = {**found, **readable(said, parts, read)}
    return {"clock": said["clock"], **found}


def _facts(said: Answers) -> Facts:
    return Facts(
        machine=machine.machine(said),
        links=links.links(said),
        rdma=rdma.rdma(said),
        gpus=gpu.gpus(said),
        docker=docker.docker(said),
        surroundings=surroundings.surroundings(said),
        reach=REACH.of(said),
    )
