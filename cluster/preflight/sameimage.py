"""What is wrong when nodes do not have one image: Ray and vLLM must be the same on all."""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from cluster.advice import inv
from cluster.errors import Problem
from cluster.node import Cluster
from cluster.ship.survey import Image


def problems(cluster: Cluster, images: Mapping[str, Image | None]) -> tuple[Problem, ...]:
    """Return the nodes without the image, and those that have another one than the head.

    `images` has what each node's engine holds under the image's name.
    """
    return tuple(_problems(cluster, images))


def _problems(cluster: Cluster, images: Mapping[str, Image | None]) -> Iterator[Problem]:
    first = next((name for name in images if images[name]), "")
    for name, image in images.items():
        ship = inv(cluster, "ship", "--node", name)
        if image is None:
            remedy = f"{ship} copies it from this machine" if first else f"{inv(cluster, 'build')}"
            yield Problem(place=name, what=f"has no image {cluster.image}", remedy=remedy)
        elif (mine := images[first]) and image != mine:
            what = f"has another {cluster.image} than {first}: {_difference(mine, image)}"
            yield Problem(place=name, what=what, remedy=f"{ship} copies it from this machine")


def _difference(one: Image, other: Image) -> str:
    """Say how many layers differ, from the first that does; or what else does."""
    if one.architecture != other.architecture:
        return f"it is for {other.architecture}, not for {one.architecture}"
    if one.layers == other.layers:
        return "it sets other things for its containers"
    pairs = zip(one.layers, other.layers, strict=False)
    shared = sum(takewhile(bool, (mine == its for mine, its in pairs)))
    most = max(len(one.layers), len(other.layers))
    return f"{most - shared} of {most} layers differ"
