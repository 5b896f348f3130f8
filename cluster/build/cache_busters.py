"""Cache busters: which parts of the image were refreshed when, so that they stay refreshed."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeAlias

FILE = "build.json"
"""The file with the cache busters of earlier builds, in the folder of the run state."""
LABEL = "spark-vllm-cluster."
"""The prefix of the labels that docker/Dockerfile gives the image."""
DEVICE_LABEL = f"{LABEL}device"


@dataclass(frozen=True, kw_only=True)
class CacheBusters:
    """The last refresh of each volatile part of the image, in seconds since 1970; empty if never.

    They are the values of the build arguments `CACHEBUST_*`, and every later build repeats them:
    otherwise a plain build after `--fast` would find the older layers in Docker's cache.
    """

    system: str = ""
    deps: str = ""
    vllm: str = ""

    def refreshed(self, moment: int, *, fast: bool, full: bool) -> "CacheBusters":
        """Return those of a build at a moment: `fast` refreshes vLLM, `full` everything."""
        value = str(moment)
        if full:
            return CacheBusters(system=value, deps=value, vllm=value)
        return replace(self, vllm=value) if fast else self

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The build arguments, for the parts that were ever refreshed."""
        values = asdict(self).items()
        return tuple((f"CACHEBUST_{part.upper()}", value) for part, value in values if value)


ByDevice: TypeAlias = dict[str, CacheBusters]
"""Cache busters of `cuda` and of `cpu`."""
PARTS = tuple(field.name for field in fields(CacheBusters))


def parsed(text: str) -> ByDevice:
    """Return the cache busters in the text of the file; empty if it is not valid."""
    with suppress(ValueError, AttributeError):
        return {device: _valid(values) for device, values in json.loads(text).items()}
    return {}


def labelled(text: str) -> ByDevice:
    """Return the cache busters in an image's labels, given as JSON: for when the file is lost."""
    with suppress(ValueError, AttributeError):
        labels = json.loads(text)
        values = {part: labels.get(f"{LABEL}cachebust.{part}", "") for part in PARTS}
        return {labels[DEVICE_LABEL]: _valid(values)} if DEVICE_LABEL in labels else {}
    return {}


def formatted(busters: ByDevice) -> str:
    """Return the text that `parsed` reads."""
    values = {device: asdict(busters[device]) for device in busters}
    return json.dumps(values, indent=2) + "\n"


def _valid(values: dict[str, object]) -> CacheBusters:
    """Keep numbers alone, as the values become words of a command line."""
    texts = {part: str(values.get(part, "")) for part in PARTS}
    return CacheBusters(**{part: text for part, text in texts.items() if text.isdecimal()})
