"""How a node's engine proves that it has an image, gives it its name, and drops the parts of it."""

import json

from cluster.ship.content import PART
from cluster.ship.survey import Facts
from cluster.words import shell_word

OTHER = 3
"""The exit code when the layers are others."""
LAYERS = "'{{json .RootFS.Layers}}'"


def script(name: str, image: str, layers: tuple[str, ...], parts: tuple[str, ...]) -> str:
    """Return the shell text that prints what the engine knows of an image, and names it.

    Until it has these layers, the name stays with the old image. That a part is in use, or gone
    already, does no harm.
    """
    its, them = shell_word(image), " ".join(map(shell_word, parts))
    expected = shell_word(json.dumps(layers, separators=(",", ":")) if layers else "null")
    drop = f"  docker image rm {them} >/dev/null 2>&1\n" if parts else ""
    return f"""\
{{
  docker image inspect {its} || exit
  [ "$(docker image inspect --format {LAYERS} {its})" = {expected} ] || exit {OTHER}
  docker tag {its} {shell_word(name)} || exit
{drop}  exit 0
}} </dev/null
"""


def parts(facts: Facts, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the images that kept the lower layers of one in an earlier run."""
    return tuple(
        held.id
        for held in facts.images
        if PART in held.labels and held.layers == layers[: len(held.layers)]
    )
