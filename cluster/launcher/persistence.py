"""The variables that a container's shells get from a file, and which of a shell's came from it."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from cluster.environment.formats import shell
from cluster.words import Environment

FILE = "/etc/spark-vllm-cluster/environment.sh"
"""What every bash of the image reads."""
MARK = "RUN_CLUSTER_NODE_VARIABLES"
"""The variable that lists, as digests, what a shell has from the file."""
HEADER = "# Written by run-cluster-node at each start: the next one writes it anew.\n"


def text(environment: Environment, configured: Mapping[str, str]) -> str:
    """Return the content of the file.

    Left out are secrets, and what the container's configuration gives every process anyway.
    """
    pairs = tuple(
        (name, value)
        for name, value in environment
        if isinstance(value, str) and configured.get(name) != value and _is_name(name)
    )
    return HEADER + shell((*pairs, (MARK, " ".join(_seal(*pair) for pair in pairs))))


def inherited(environ: Mapping[str, str], configured: Mapping[str, str]) -> dict[str, str]:
    """Return what was given to this container or shell, without what it has from the file.

    Otherwise the values of an earlier run would count as wishes of the user. What the file had
    replaced is again as configured.
    """
    read = frozenset(environ.get(MARK, "").split())
    ours = {name for name, value in environ.items() if _seal(name, value) in read}
    kept = {name: value for name, value in environ.items() if name not in {*ours, MARK}}
    return kept | {name: configured[name] for name in ours if name in configured}


def strings(content: bytes) -> Iterator[tuple[str, str]]:
    """Read the environment of a process as the kernel shows it."""
    for item in content.decode(errors="surrogateescape").split("\0"):
        name, equals, value = item.partition("=")
        if equals:
            yield name, value


def _seal(name: str, value: str) -> str:
    """Return what tells a variable from others, and from itself with another value."""
    return sha256(f"{name}={value}".encode(errors="surrogateescape")).hexdigest()[:8]


def _is_name(name: str) -> bool:
    """Tell whether a shell can have a variable of this name."""
    return name.isascii() and name.isidentifier()
