"""What is wrong when nodes do not have one image: Ray and vLLM must be the same on all."""

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile

from cluster.build.cache_busters import LABEL
from cluster.errors import Problem
from cluster.facts.images import Image
from cluster.node import Cluster

VERSIONS = ("vllm", "torch")
"""The labels that say what is in the image (docker/Dockerfile)."""


def problems(cluster: Cluster, images: Mapping[str, Image | None]) -> tuple[Problem, ...]:
    """Return the nodes without the image, and those that have another one than the head.

    `images` has what each node's engine holds under the image's name.
    """
    return tuple(_problems(cluster, images))


def _problems(cluster: Cluster, images: Mapping[str, Image | None]) -> Iterator[Problem]:
    first = next((name for name in images if images[name]), "")
    for name, image in images.items():
        ship = cluster.inv("ship", "--node", name)
        if image is None:
            remedy = f"{ship} copies it from this machine" if first else f"{cluster.inv('build')}"
            yield Problem(place=name, message=f"has no image {cluster.image}", remedy=remedy)
        elif (mine := images[first]) and image != mine:
            message = f"has another {cluster.image} than {first}: {_difference(mine, image)}"
            yield Problem(place=name, message=message, remedy=f"{ship} copies it from this machine")


def _difference(one: Image, other: Image) -> str:
    """Say what differs: the architecture, a version, the layers from the first that does."""
    if one.architecture != other.architecture:
        return f"it is for {other.architecture}, not for {one.architecture}"
    if versions := tuple(_versions(one, other)):
        return f"it has {', '.join(versions)}"
    if one.layers == other.layers:
        return "it sets other things for its containers"
    pairs = zip(one.layers, other.layers, strict=False)
    shared = sum(takewhile(bool, (mine == its for mine, its in pairs)))
    most = max(len(one.layers), len(other.layers))
    return f"{most - shared} of {most} layers differ"


def _versions(one: Image, other: Image) -> Iterator[str]:
    """Yield what the labels tell of both, and differently: `vllm 0.33.0, not 0.32.0`."""
    mine, its = (json.loads(image.configuration).get("Labels", {}) for image in (one, other))
    for label in mine:
        name = label.removeprefix(LABEL)
        if label in its and its[label] != mine[label] and name in VERSIONS:
            yield f"{name} {its[label]}, not {mine[label]}"
