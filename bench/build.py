"""What `inv build` rebuilds: seconds, layers and bytes, with `--fast` and without a change."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

INV = str(Path(__file__).resolve().parent.parent / "inv")
TAGS = ("vllm-node:bench-1", "vllm-node:bench-2", "vllm-node:bench-3")
"""One for each build: an image that loses its only name would be left on the engine."""
GIGABYTE = 10**9
FAST_BYTES = 0.6 * GIGABYTE
"""The part of the image that `--fast` may change."""
FAST_STAGES = ("vllm-wheel ", "node-cpu ", "node ")
"""The stages that `--fast` may rebuild, as titles of layers begin (docker/Dockerfile)."""
INSTRUCTIONS = ("ADD ", "COPY ", "RUN ", "WORKDIR ")
"""Instructions that make a layer, even an empty one; the others change settings."""
TITLES = ("build", "seconds", "layers built", "first of them", "bytes that change")


class Layer(NamedTuple):
    """A layer of an image."""

    digest: str
    size: int
    """Bytes."""


class Row(NamedTuple):
    """The result of one build."""

    build: str
    seconds: float
    built: tuple[str, ...]
    """Titles of the layers that were not cached."""
    changed: int
    """Bytes of the layers that the previous image does not have."""


def main(arguments: list[str]) -> None:
    """Measure and print the table; exit with 1 if `--fast` rebuilds more than it should."""
    parser = argparse.ArgumentParser(prog="bench build", description=__doc__)
    parser.add_argument("--cold", action="store_true", help="start with a build without cache")
    options = parser.parse_args(arguments)
    if problem := engine_problem():
        print(f"bench: skipped: {problem}")
        return
    try:
        rows = (
            measured(*(("--no-cache",) if options.cold else ()), tag=TAGS[0]),
            measured("--fast", tag=TAGS[1], before=TAGS[0]),
            measured(tag=TAGS[2], before=TAGS[1]),
        )
    finally:
        docker("image", "rm", *TAGS)
    print(table(rows))
    if failures := problems(*rows[1:]):
        sys.exit("\n".join(f"bench: {failure}" for failure in failures))


def engine_problem() -> str:
    """Return why no engine can be measured; empty if one answers."""
    try:
        done = docker("version")
    except FileNotFoundError:
        return "Docker is not installed"
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def measured(*flags: str, tag: str, before: str = "") -> Row:
    """Build an image and compare it with the previous one, if there is one."""
    argv = [INV, "build", "--arch", "cpu", "--tag", tag, "--json", *flags]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: `inv build {' '.join(flags)}` failed")
    result: dict[str, Any] = json.loads(done.stdout)
    built = tuple(layer["title"] for layer in result["layers"] if layer["state"] == "built")
    name = " ".join(("inv build --arch cpu", *flags))
    previous = layers(before) if before else ()
    return Row(f"`{name}`", result["seconds"], built, changed(previous, layers(tag)))


def layers(image: str) -> tuple[Layer, ...]:
    """Return the layers of an image, the lowest first."""
    inspected = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
    history = docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    entries = [json.loads(line) for line in reversed(history.stdout.splitlines())]
    return paired(json.loads(inspected.stdout), entries)


def paired(digests: list[str], history: list[dict[str, str]]) -> tuple[Layer, ...]:
    """Pair the digests of layers with their sizes in an image's history, both lowest first.

    The base image may have been made by any tool: its layers are the entries with bytes.
    """
    sizes = [
        int(entry["Size"])
        for entry in history
        if entry["Size"] != "0" or entry["CreatedBy"].startswith(INSTRUCTIONS)
    ]
    return tuple(Layer(*pair) for pair in zip(digests, sizes, strict=True))


def changed(before: tuple[Layer, ...], after: tuple[Layer, ...]) -> int:
    """Return the bytes of the new layers, which a node with the previous image lacks."""
    digests = {layer.digest for layer in before}
    return sum(layer.size for layer in after if layer.digest not in digests)


def problems(fast: Row, again: Row) -> tuple[str, ...]:
    """Return a sentence for each limit that the builds did not keep."""
    early = [title for title in fast.built if not title.startswith(FAST_STAGES)]
    checks = (
        ("`--fast` rebuilds nothing", not fast.built),
        (f"`--fast` rebuilds more than vLLM and later layers: {', '.join(early)}", early),
        (f"`--fast` changes {gigabytes(fast.changed)}", fast.changed > FAST_BYTES),
        ("a build without a change rebuilds layers", again.built or again.changed),
    )
    return tuple(sentence for sentence, failed in checks if failed)


def table(rows: tuple[Row, ...]) -> str:
    """Return the rows as a Markdown table."""
    cells = (
        (
            row.build,
            f"{row.seconds:.1f}",
            str(len(row.built)),
            next(iter(row.built), ""),
            gigabytes(row.changed),
        )
        for row in rows
    )
    lines = (TITLES, ("---", "---:", "---:", "---", "---:"), *cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB."""
    return f"{size / GIGABYTE:.3f} GB"


def docker(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the Docker client to its end."""
    return subprocess.run(("docker", *words), capture_output=True, text=True, check=False)
