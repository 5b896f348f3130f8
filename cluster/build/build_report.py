"""The report of `inv build`: the image and its layers, or the step that failed and its remedy."""

import json
from collections import Counter
from dataclasses import asdict, dataclass

from cluster.build import buildkit
from cluster.build.buildkit import BuildKitStep, BuildProgress
from cluster.build.image import BuildImage
from cluster.errors import Problem
from cluster.text import aligned, data_size

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
    counts = Counter(layer.state for layer in image.layers)
    versions = ", ".join(f"{name} {version}" for name, version in image.versions.items())
    rows = (
        ("image", image.image),
        ("id", image.id),
        ("size", data_size(image.size)),
        *((("versions", versions),) if versions else ()),
        ("layers", f"{counts['built']} built, {counts['cached']} cached"),
        ("seconds", f"{image.seconds:.1f}"),
    )
    return f"{table(image.layers)}\n\n{aligned(rows)}\n"


def as_json(image: BuiltImage) -> str:
    """Return the report as JSON."""
    return json.dumps(asdict(image), indent=2) + "\n"


def table(layers: tuple[BuiltLayer, ...]) -> str:
    """Return the layers as a table."""
    rows = (
        (layer.title, layer.state, f"{layer.seconds:.1f}" if layer.seconds else "")
        for layer in layers
    )
    return aligned((("layer", "state", "seconds"), *rows))


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
    text = "\n".join((message, *excerpt, *output))
    remedies = (REMEDIES[causes] for causes in REMEDIES if any(cause in text for cause in causes))
    # A refresh need not be requested again.
    command = f"run it again without {build.refresh}" if build.refresh else "run it again"
    retry = f"fix that, then {command}: it continues after the last finished layer"
    lines = "".join(f"\n    {line}" for line in excerpt)
    remedy = f"{next(remedies, retry)}; full log: {build.log}"
    return Problem(place=build.tag, message=f"{message}{lines}\n   ", remedy=remedy)


def _layer(step: BuildKitStep) -> BuiltLayer:
    state = "built" if step.state == "done" else step.state
    kind = "base" if step.is_base else "" if step.is_layer else "saved"
    return BuiltLayer(title=step.title, state=kind or state, seconds=step.seconds)
