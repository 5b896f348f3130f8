"""The variables that a container's shells read from a file, and which of a shell's came from it."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from cluster.environment.formats import shell
from cluster.words import Environment

FILE = "/etc/spark-vllm-cluster/environment.sh"
"""The file that every bash of the image reads."""
MARK = "RUN_CLUSTER_NODE_VARIABLES"
"""The variable that lists, as digests, the variables that a shell has from the file."""
HEADER = "# Written by run-cluster-node at each start: the next start overwrites it.\n"


def text(environment: Environment, configured: Mapping[str, str]) -> str:
    """Return the content of the file.

    It leaves out secrets, and what the container's configuration gives every process anyway.
    """
    pairs = tuple(
        (name, value)
        for name, value in environment
        if isinstance(value, str) and configured.get(name) != value and _is_name(name)
    )
    return HEADER + shell((*pairs, (MARK, " ".join(_digest(*pair) for pair in pairs))))


def inherited(environ: Mapping[str, str], configured: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of this container or shell, without those that come from the file.

    Otherwise the values of an earlier run would count as the user's own. A variable that the file
    had replaced has its configured value again.
    """
    digests = frozenset(environ.get(MARK, "").split())
    from_file = {name for name, value in environ.items() if _digest(name, value) in digests}
    kept = {name: value for name, value in environ.items() if name not in {*from_file, MARK}}
    return kept | {name: configured[name] for name in from_file if name in configured}


def variables(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the variables in the environment of a process as the kernel shows it."""
    for item in content.decode(errors="surrogateescape").split("\0"):
        name, equals, value = item.partition("=")
        if equals:
            yield name, value


def _digest(name: str, value: str) -> str:
    """Return a digest of a variable and its value."""
    return sha256(f"{name}={value}".encode(errors="surrogateescape")).hexdigest()[:8]


def _is_name(name: str) -> bool:
    """Whether a shell can have a variable of this name."""
    return name.isascii() and name.isidentifier()
