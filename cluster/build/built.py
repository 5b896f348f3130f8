"""What `inv build` tells at its end: the image and its layers, or which step failed and why."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from cluster.build import buildkit
from cluster.build.buildkit import Listener, Step
from cluster.build.image import Build
from cluster.errors import Problem
from cluster.text import aligned

GIGABYTE = 10**9
REMEDIES = {
    ("the base image ",): "see whether `docker pull` gets it, or name another with `--base`",
    ("No space left on device", "no space left on device"): (
        "free some disk space: `docker system df` tells what takes it"
    ),
    ("exec format error", "Exec format error"): (
        "build on a machine of that platform: `DOCKER_HOST=ssh://NODE inv build`"
    ),
    (
        "certificate verify failed",
        "UnknownIssuer",
        "self-signed certificate",
        "unknown authority",
    ): ("name your network's bundle of certificates in SSL_CERT_FILE"),
    ("Could not resolve", "Temporary failure", "no such host", "Connection refused", "timed out"): (
        "this machine must reach it; PIP_INDEX_URL and HTTPS_PROXY hold in the build, too"
    ),
    ("exit code: 137", "Killed"): "it ran out of memory: fewer compilers with `--jobs`",
}
"""What the lines of a failed step say, and what to do then."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer in the report."""

    title: str
    state: str
    """`built` or `cached`; `base` is the image below, `saved` the image as a whole."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image that has been built."""

    image: str
    id: str
    size: int
    """Bytes of all layers."""
    seconds: float
    versions: dict[str, str]
    layers: tuple[Layer, ...]


def built(build: Build, listener: Listener, inspected: str, versions: str, seconds: float) -> Built:
    """Put together what was heard and found.

    `inspected` is what `docker image inspect` prints, a list of one; `versions` is the image's own
    list, empty for an image that has none.
    """
    (found,) = json.loads(inspected)
    return Built(
        image=build.tag,
        id=found["Id"],
        size=found["Size"],
        seconds=round(seconds, 1),
        versions=json.loads(versions) if versions else {},
        layers=tuple(_layer(step) for step in listener.layers),
    )


def text(found: Built) -> str:
    """Return the report as a person reads it."""
    counts = [f"{_count(found, state)} {state}" for state in ("built", "cached")]
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    rows = (
        ("image", found.image),
        ("id", found.id),
        ("size", _size(found.size)),
        *((("versions", versions),) if versions else ()),
        ("layers", ", ".join(counts)),
        ("seconds", f"{found.seconds:.1f}"),
    )
    return f"{_table(found.layers)}\n\n{aligned(rows)}\n"


def as_json(found: Built) -> str:
    """Return the report as JSON."""
    return json.dumps(asdict(found), indent=2) + "\n"


def table(steps: tuple[Step, ...]) -> str:
    """Return the layers as a table."""
    return _table(tuple(_layer(step) for step in steps))


def ended(step: Step) -> str:
    """Return the line that a layer leaves behind; empty for one that goes on, and for the base.

    One that failed leaves none: it is what the error is about.
    """
    if not step.is_layer or step.is_base or step.state in {"running", "failed"}:
        return ""
    how = f"{step.seconds:.1f} s" if step.state == "done" else step.state
    return f"{step.title}  {how}"


def problem(build: Build, listener: Listener) -> Problem:
    """Say which step failed, with its last lines, and what to do."""
    message, said = buildkit.failure(listener)
    # What names the cause may be further up than what is shown.
    everything = listener.failed.said if listener.failed else ()
    known = next(_known("\n".join((message, *said, *everything))), f"mend that; {_again(build)}")
    shown = "".join(f"\n    {line}" for line in said)
    remedy = f"{known}; all lines are in {build.log}"
    return Problem(place=build.tag, message=f"{message}{shown}\n   ", remedy=remedy)


def _known(words: str) -> Iterator[str]:
    for causes, remedy in REMEDIES.items():
        if any(cause in words for cause in causes):
            yield remedy


def _again(build: Build) -> str:
    """Return how to go on: what has been asked for anew stays asked for."""
    same = f"the same without {build.refresh}" if build.refresh else "the same again"
    return f"{same} goes on after the last finished layer"


def _layer(step: Step) -> Layer:
    state = {"done": "built"}.get(step.state, step.state)
    if step.is_base:
        state = "base"
    return Layer(title=step.title, state=state if step.is_layer else "saved", seconds=step.seconds)


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= GIGABYTE else f"{size / 1e6:.1f} MB"


def _count(found: Built, state: str) -> int:
    return sum(layer.state == state for layer in found.layers)


def _table(layers: tuple[Layer, ...]) -> str:
    rows = (
        (layer.title, layer.state, f"{layer.seconds:.1f}" if layer.seconds else "")
        for layer in layers
    )
    return aligned((("layer", "state", "seconds"), *rows))
