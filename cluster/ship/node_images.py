"""Commands for a node's images: verify and name a loaded one, and remove parts and old ones."""

import json
import re

from cluster.build.cache_busters import LABEL
from cluster.facts.docker import Docker
from cluster.facts.images import StoredImage
from cluster.host import Host, host_problem
from cluster.ship.archive import PART
from cluster.words import Word, shell_word

DIFFERENT = 3
"""The exit code if the layers differ."""
LAYERS = "'{{json .RootFS.Layers}}'"
DELETED = re.compile(r"^Deleted: (sha256:\w+)$", re.MULTILINE)
NO_SUCH = re.compile(r"No such image: (sha256:\w+)")
REFUSED = "conflict: "
"""How an engine begins when it keeps an image, for a container or for an image built on it."""


def naming_script(name: str, image: str, layers: tuple[str, ...], parts: tuple[str, ...]) -> str:
    """Return the shell text that prints what the engine knows about an image, and names it.

    The old image keeps the name until the layers of the new one have been compared. A part that is
    in use, or gone already, does no harm.
    """
    new, old = shell_word(image), " ".join(map(shell_word, parts))
    expected = shell_word(json.dumps(layers, separators=(",", ":")) if layers else "null")
    drop = f"  docker image rm {old} >/dev/null 2>&1\n" if parts else ""
    return f"""\
{{
  docker image inspect {new} || exit
  [ "$(docker image inspect --format {LAYERS} {new})" = {expected} ] || exit {DIFFERENT}
  docker tag {new} {shell_word(name)} || exit
{drop}  exit 0
}} </dev/null
"""


def parts(docker: Docker, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the IDs of the parts of an image that an earlier run has left."""
    return tuple(
        image.id
        for image in docker.images
        if PART in image.labels and image.layers == layers[: len(image.layers)]
    )


def old_images(docker: Docker, *, before: str = "") -> tuple[str, ...]:
    """Return the IDs of images to remove: without a name, and ours by their labels.

    The image with the ID `before`, which had the name until now, needs no label. An image that has
    any name stays, and so does the one that was just shipped.
    """
    return tuple(image.id for image in docker.images if image.dangling and _is_ours(image, before))


def remove(host: Host, ids: tuple[str, ...]) -> tuple[Word, ...]:
    """Return the command that removes images; without force, the engine keeps those in use."""
    return host.docker("image", "rm", *ids)


def removal_result(host: Host, ids: tuple[str, ...], output: str, error: str) -> str:
    """Return what `remove` did, as `node: sentence`, from what it printed."""
    gone = {*DELETED.findall(output), *NO_SUCH.findall(error)}
    removed = sum(image in gone for image in ids)
    kept = len(ids) - removed
    if kept and REFUSED not in error:
        return str(host_problem(host, error))
    counts = ((removed, "removed", ""), (kept, "kept", " in use"))
    sentence = ", ".join(f"{verb} {_images(count)}{end}" for count, verb, end in counts if count)
    return f"{host.name}: {sentence or 'no old images'}"


def _is_ours(image: StoredImage, before: str) -> bool:
    return image.id == before or any(label.startswith(LABEL) for label in image.labels)


def _images(count: int) -> str:
    return "1 old image" if count == 1 else f"{count} old images"
