"""Whether all nodes have the cluster's image, and the same one: Ray and vLLM must agree."""

import json
from collections.abc import Iterator
from itertools import takewhile

from cluster.build.cache_busters import LABEL
from cluster.checks.check import Reports, check
from cluster.checks.node_report import NodeReport, is_machine
from cluster.errors import Problem
from cluster.facts.images import Image

VERSIONS = ("vllm", "torch")
"""The labels that name versions in the image (docker/Dockerfile)."""


@check("image", "blocks", is_machine, requires=("docker",))
def _missing_image(reports: Reports) -> Iterator[Problem]:
    """Every node has the cluster's image.

    Looks at: `docker image inspect IMAGE`
    Why: Nodes pull no image by themselves: this one is in no registry.
    Do: `inv build` makes it on this machine, `inv ship` copies it to the nodes.
    Known from: vLLM's guide to multi-node serving: one environment on all nodes
    """
    has_source = any(report.facts.docker.image for report in reports)
    for report in reports:
        if not report.facts.docker.image:
            remedy = _ship(report) if has_source else report.cluster.inv("build")
            yield report.problem(f"has no image {report.cluster.image}", remedy)


@check("same-image", "blocks", is_machine, requires=("docker", "image"))
def _other_image(reports: Reports) -> Iterator[Problem]:
    """All nodes have the same image.

    Looks at: `docker image inspect IMAGE`: architecture, layers, and configuration
    Why: Ray refuses nodes with another version of Ray or Python, and ranks with another vLLM hang
      or fail when they first talk to each other. IDs prove nothing: Docker's stores give one image
      different ones.
    Do: `inv ship` copies this machine's image to the nodes that have another.
    Known from: vLLM issue 33445; moby/moby issue 48401
    """
    # Compare each image with that of the first node, the head if it has one.
    images = tuple((report, image) for report in reports if (image := report.facts.docker.image))
    for report, image in images[1:]:
        first, expected = images[0]
        if image != expected:
            subject = f"has another {report.cluster.image} than {first.node.name}"
            yield report.problem(f"{subject}: {_difference(expected, image)}", _ship(report))


def _ship(report: NodeReport) -> str:
    ship = report.cluster.inv("ship", "--node", report.node.name)
    return f"{ship} copies it from this machine"


def _difference(expected: Image, image: Image) -> str:
    """Return what differs: the architecture, a version, or layers from the first that does."""
    if expected.architecture != image.architecture:
        return f"it is for {image.architecture}, not for {expected.architecture}"
    if versions := tuple(_versions(expected, image)):
        return f"it has {', '.join(versions)}"
    if expected.layers == image.layers:
        return "it has another configuration for its containers"
    pairs = zip(expected.layers, image.layers, strict=False)
    shared = sum(takewhile(bool, (first == second for first, second in pairs)))
    total = max(len(expected.layers), len(image.layers))
    return f"{total - shared} of {total} layers differ"


def _versions(expected: Image, image: Image) -> Iterator[str]:
    """Yield the versions that the labels of both name differently: `vllm 0.33.0, not 0.32.0`."""
    images = (expected, image)
    labels, actual = (json.loads(side.configuration).get("Labels", {}) for side in images)
    for label, version in labels.items():
        name = label.removeprefix(LABEL)
        if name in VERSIONS and actual.get(label, version) != version:
            yield f"{name} {actual[label]}, not {version}"


IMAGES = (_missing_image, _other_image)
