"""Which old images of ours a node may lose, the command for it, and what became of them."""

import re

from cluster.build.stamps import LABEL
from cluster.host import Host, host_problem
from cluster.ship.survey import Facts, Held
from cluster.words import Word

DELETED = re.compile(r"^Deleted: (sha256:\w+)$", re.MULTILINE)
NO_SUCH = re.compile(r"No such image: (sha256:\w+)")
REFUSED = "conflict: "
"""How an engine begins when it keeps an image, for a container or for an image built on it."""


def old(facts: Facts, *, before: str = "") -> tuple[str, ...]:
    """Return the IDs of images that may go: without a name, and ours by their labels.

    The image with the ID `before`, which had the name until now, needs no label. An image that has
    any name stays, so the one that was just shipped does.
    """
    return tuple(held.id for held in facts.images if held.dangling and _ours(held, before))


def remove(its: Host, ids: tuple[str, ...]) -> tuple[Word, ...]:
    """Return the command that removes them; without force, the engine keeps those in use."""
    return its.docker("image", "rm", *ids)


def outcome(its: Host, ids: tuple[str, ...], output: str, error: str) -> str:
    """Return what became of them, as `node: sentence`; `output` and `error` are the command's."""
    gone = {*DELETED.findall(output), *NO_SUCH.findall(error)}
    freed = sum(one in gone for one in ids)
    kept = len(ids) - freed
    if kept and REFUSED not in error:
        return str(host_problem(its, error))
    removed = f"removed {_images(freed)}" if freed else ""
    refused = f"kept {_images(kept)} in use" if kept else ""
    return f"{its.name}: {', '.join(filter(None, (removed, refused))) or 'no old images'}"


def _ours(held: Held, before: str) -> bool:
    return held.id == before or any(label.startswith(LABEL) for label in held.labels)


def _images(count: int) -> str:
    return "1 old image" if count == 1 else f"{count} old images"
