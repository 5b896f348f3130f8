"""When each volatile part of an image was last asked for anew: what keeps a refresh refreshed."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """Values of the build arguments `CACHEBUST_*`: seconds since 1970; empty means never.

    Every build gets the last ones again. Else a plain build after `--fast` would find the layers
    from before it in Docker's cache, and take these.
    """

    system: str = ""
    deps: str = ""
    vllm: str = ""

    def refreshed(self, moment: int, *, fast: bool, full: bool) -> "Stamps":
        """Return the stamps of a build at a moment: `fast` asks for vLLM anew, `full` for all."""
        stamp = str(moment)
        if full:
            return Stamps(system=stamp, deps=stamp, vllm=stamp)
        return replace(self, vllm=stamp) if fast else self

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The build arguments: only those that were ever asked for."""
        named = asdict(self).items()
        return tuple((f"CACHEBUST_{name.upper()}", stamp) for name, stamp in named if stamp)


LABEL = "spark-vllm-cluster."
"""The beginning of the labels that docker/Dockerfile gives the image."""
DEVICE = f"{LABEL}device"
NAMES = tuple(field.name for field in fields(Stamps))


def read(text: str) -> dict[str, Stamps]:
    """Return the stamps by device, `cuda` or `cpu`; what is no such text holds none."""
    with suppress(ValueError, AttributeError):
        return {device: _stamps(found) for device, found in json.loads(text).items()}
    return {}


def labelled(text: str) -> dict[str, Stamps]:
    """Return the stamps in the labels of an image, as JSON: for when the file is lost."""
    with suppress(ValueError, AttributeError):
        labels = json.loads(text)
        found = {name: labels.get(f"{LABEL}cachebust.{name}", "") for name in NAMES}
        return {labels[DEVICE]: _stamps(found)} if DEVICE in labels else {}
    return {}


def write(stamps: dict[str, Stamps]) -> str:
    """Return the text that `read` reads."""
    return json.dumps({device: asdict(found) for device, found in stamps.items()}, indent=2) + "\n"


def _stamps(found: dict[str, object]) -> Stamps:
    """Take what is a number of seconds: the text ends up on a command line."""
    texts = {name: str(found.get(name, "")) for name in NAMES}
    return Stamps(**{name: text for name, text in texts.items() if text.isdecimal()})
