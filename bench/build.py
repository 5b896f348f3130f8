"""What `inv build` makes anew: seconds, layers and bytes, after `--fast` and without a change."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

INV = str(Path(__file__).resolve().parent.parent / "inv")
TAGS = ("vllm-node:bench-1", "vllm-node:bench-2", "vllm-node:bench-3")
"""One for each build: an image that loses its only name would stay behind."""
GIGABYTE = 10**9
FAST_BYTES = 0.6 * GIGABYTE
"""What `--fast` may change of the image."""
FAST_STAGES = ("vllm-wheel ", "node-cpu ", "node ")
"""What `--fast` may make anew, as titles of layers begin (docker/Dockerfile)."""
INSTRUCTIONS = ("ADD ", "COPY ", "RUN ", "WORKDIR ")
"""What makes a layer, if only an empty one; the other instructions change settings."""
TITLES = ("build", "seconds", "layers built", "first of them", "bytes that change")


class Layer(NamedTuple):
    """A layer of an image."""

    digest: str
    size: int
    """Bytes."""


class Row(NamedTuple):
    """What one build did."""

    build: str
    seconds: float
    built: tuple[str, ...]
    """Titles of the layers that were not cached."""
    changed: int
    """Bytes of the layers that the image before did not have."""


def main(arguments: list[str]) -> None:
    """Measure, and print the table; the exit code is 1 when `--fast` does more than it should."""
    parser = argparse.ArgumentParser(prog="bench build", description=__doc__)
    parser.add_argument("--cold", action="store_true", help="begin with a build without any cache")
    options = parser.parse_args(arguments)
    if problem := silent():
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
    if faults := problems(*rows[1:]):
        sys.exit("\n".join(f"bench: {fault}" for fault in faults))


def silent() -> str:
    """Return why no engine can be measured; nothing when one answers."""
    try:
        done = docker("version")
    except FileNotFoundError:
        return "Docker is not installed"
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def measured(*flags: str, tag: str, before: str = "") -> Row:
    """Build, and compare the image with that before, if there is one."""
    argv = [INV, "build", "--arch", "cpu", "--tag", tag, "--json", *flags]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: `inv build {' '.join(flags)}` failed")
    found: dict[str, Any] = json.loads(done.stdout)
    built = tuple(layer["title"] for layer in found["layers"] if layer["state"] == "built")
    name = " ".join(("inv build --arch cpu", *flags))
    known = layers(before) if before else ()
    return Row(f"`{name}`", found["seconds"], built, changed(known, layers(tag)))


def layers(image: str) -> tuple[Layer, ...]:
    """Return the layers of an image from below."""
    inspected = docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
    history = docker("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    entries = [json.loads(line) for line in reversed(history.stdout.splitlines())]
    return paired(json.loads(inspected.stdout), entries)


def paired(digests: list[str], history: list[dict[str, str]]) -> tuple[Layer, ...]:
    """Pair the digests of layers with their sizes in an image's history, both from below.

    The image below may have been made in any way: its layers are those that have bytes.
    """
    sizes = [
        int(entry["Size"])
        for entry in history
        if entry["Size"] != "0" or entry["CreatedBy"].startswith(INSTRUCTIONS)
    ]
    return tuple(Layer(*pair) for pair in zip(digests, sizes, strict=True))


def changed(before: tuple[Layer, ...], after: tuple[Layer, ...]) -> int:
    """Return the bytes of the layers that are new: what a node that had the image before lacks."""
    known = {layer.digest for layer in before}
    return sum(layer.size for layer in after if layer.digest not in known)


def problems(fast: Row, again: Row) -> tuple[str, ...]:
    """Say what was made anew though it should not be."""
    early = [title for title in fast.built if not title.startswith(FAST_STAGES)]
    found = (
        ("`--fast` makes nothing anew", not fast.built),
        (f"`--fast` makes more anew than vLLM and later layers: {', '.join(early)}", early),
        (f"`--fast` changes {gigabytes(fast.changed)}", fast.changed > FAST_BYTES),
        ("a build without a change makes layers anew", again.built or again.changed),
    )
    return tuple(words for words, wrong in found if wrong)


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
    """Return a number of bytes as people read it."""
    return f"{size / GIGABYTE:.3f} GB"


def docker(*words: str) -> "subprocess.CompletedProcess[str]":
    """Ask Docker, and return how it ended."""
    return subprocess.run(("docker", *words), capture_output=True, text=True, check=False)
