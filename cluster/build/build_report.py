"""The report of `inv build`: the image and its layers, or the step that failed and its remedy."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from cluster.build import buildkit
from cluster.build.buildkit import BuildKitStep, BuildProgress
from cluster.build.image import BuildImage
from cluster.errors import Problem
from cluster.text import aligned

GIGABYTE = 10**9
REMEDIES = {
    ("the base image ",): "try `docker pull`, or name another base with `--base`",
    ("No space left on device", "no space left on device"): (
        "free some disk space: `docker system df` shows what uses it"
    ),
    ("exec format error", "Exec format error"): (
        "build on a machine of that platform: `DOCKER_HOST=ssh://NODE inv build`"
    ),
    (
        "certificate verify failed",
        "UnknownIssuer",
        "self-signed certificate",
        "unknown authority",
    ): ("set SSL_CERT_FILE to the certificate bundle of your network"),
    ("Could not resolve", "Temporary failure", "no such host", "Connection refused", "timed out"): (
        "check this machine's network: the build uses its PIP_INDEX_URL and HTTPS_PROXY"
    ),
    ("exit code: 137", "Killed"): "out of memory: run fewer compile jobs with `--jobs`",
}
"""From words in the output of a failed step to the remedy."""


@dataclass(frozen=True, kw_only=True)
class BuiltLayer:
    """A layer in the report."""

    title: str
    state: str
    """`built` or `cached`; `base` for the base image, `saved` for the image as a whole."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """An image that has been built."""

    image: str
    id: str
    size: int
    """Bytes of all layers."""
    seconds: float
    versions: dict[str, str]
    layers: tuple[BuiltLayer, ...]


def built_image(
    build: BuildImage, progress: BuildProgress, inspected: str, versions: str, seconds: float
) -> BuiltImage:
    """Return the result of a build.

    `inspected` is what `docker image inspect` prints, a list of one; `versions` is the text of
    `image.VERSIONS`, empty for an image without that file.
    """
    (image,) = json.loads(inspected)
    return BuiltImage(
        image=build.tag,
        id=image["Id"],
        size=image["Size"],
        seconds=round(seconds, 1),
        versions=json.loads(versions) if versions else {},
        layers=tuple(_layer(step) for step in progress.layers),
    )


def text(image: BuiltImage) -> str:
    """Return the report for people."""
    counts = [f"{_count(image, state)} {state}" for state in ("built", "cached")]
    versions = ", ".join(f"{name} {version}" for name, version in image.versions.items())
    rows = (
        ("image", image.image),
        ("id", image.id),
        ("size", _size(image.size)),
        *((("versions", versions),) if versions else ()),
        ("layers", ", ".join(counts)),
        ("seconds", f"{image.seconds:.1f}"),
    )
    return f"{_table(image.layers)}\n\n{aligned(rows)}\n"


def as_json(image: BuiltImage) -> str:
    """Return the report as JSON."""
    return json.dumps(asdict(image), indent=2) + "\n"


def table(steps: tuple[BuildKitStep, ...]) -> str:
    """Return the layers as a table."""
    return _table(tuple(_layer(step) for step in steps))


def ended_layer(step: BuildKitStep) -> str:
    """Return the line for a layer that has ended; empty for other steps and for the base image.

    A failed layer has no line: the error is about it.
    """
    if not step.is_layer or step.is_base or step.state in {"running", "failed"}:
        return ""
    result = f"{step.seconds:.1f} s" if step.state == "done" else step.state
    return f"{step.title}  {result}"


def failure_problem(build: BuildImage, progress: BuildProgress) -> Problem:
    """Return the problem of a failed build: the step, its last lines, and the remedy."""
    message, excerpt = buildkit.failure(progress)
    # The line with the cause may be above the excerpt.
    output = progress.failed_step.output if progress.failed_step else ()
    remedy = next(_remedies("\n".join((message, *excerpt, *output))), _continuation(build))
    lines = "".join(f"\n    {line}" for line in excerpt)
    remedy = f"{remedy}; full log: {build.log}"
    return Problem(place=build.tag, message=f"{message}{lines}\n   ", remedy=remedy)


def _remedies(output: str) -> Iterator[str]:
    for causes, remedy in REMEDIES.items():
        if any(cause in output for cause in causes):
            yield remedy


def _continuation(build: BuildImage) -> str:
    """Return the remedy for an unknown cause; a refresh need not be requested again."""
    command = f"run it again without {build.refresh}" if build.refresh else "run it again"
    return f"fix that, then {command}: it continues after the last finished layer"


def _layer(step: BuildKitStep) -> BuiltLayer:
    state = {"done": "built"}.get(step.state, step.state)
    if step.is_base:
        state = "base"
    state = state if step.is_layer else "saved"
    return BuiltLayer(title=step.title, state=state, seconds=step.seconds)


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= GIGABYTE else f"{size / 1e6:.1f} MB"


def _count(image: BuiltImage, state: str) -> int:
    return sum(layer.state == state for layer in image.layers)


def _table(layers: tuple[BuiltLayer, ...]) -> str:
    rows = (
        (layer.title, layer.state, f"{layer.seconds:.1f}" if layer.seconds else "")
        for layer in layers
    )
    return aligned((("layer", "state", "seconds"), *rows))
