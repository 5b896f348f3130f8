"""Nodes that lack the image or have another one, each with the command that copies it."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cluster.checks.images import IMAGES
from cluster.facts.images import Image
from cluster.node import Cluster
from tests.clusters import SPARKS
from tests.node_reports import docker, findings, node_report

IMAGE = Image(architecture="arm64", layers=("a", "b", "c"), configuration="{}")


def missing_or_other(cluster: Cluster, images: Mapping[str, Image | None]) -> list[str]:
    """Return what the checks of images report, without their names."""
    reports = (
        node_report(name, cluster, docker=replace(docker(), image=image))
        for name, image in images.items()
    )
    return [line.partition("] ")[2] for line in findings(IMAGES, *reports)]


def labelled(**labels: str) -> str:
    """Return the configuration of an image with the labels of this project."""
    return json.dumps({"Labels": {f"spark-vllm-cluster.{name}": labels[name] for name in labels}})


OTHER = replace(IMAGE, layers=("a", "x", "y", "z"))
SHIP = "(`inv ship --node spark2` copies it from this machine)"
SHORTER = replace(IMAGE, layers=("a", "b"))


@pytest.mark.parametrize(
    "images, expected",
    [
        pytest.param({"spark1": IMAGE, "spark2": IMAGE}, [], id="equal"),
        pytest.param(
            {"spark1": IMAGE, "spark2": replace(IMAGE, configuration='{"Env": []}')},
            [
                (
                    "spark2: has another vllm-node than spark1: it has another configuration for"
                    " its containers (`inv ship --node spark2` copies it from this machine)"
                )
            ],
            id="the same layers with other variables",
        ),
        pytest.param(
            {
                "spark1": replace(IMAGE, configuration=labelled(vllm="0.32.0", torch="2.13.0")),
                "spark2": replace(
                    OTHER, configuration=labelled(vllm="0.33.0", torch="2.13.0", jobs="4")
                ),
            },
            [f"spark2: has another vllm-node than spark1: it has vllm 0.33.0, not 0.32.0 {SHIP}"],
            id="another version",
        ),
        pytest.param(
            {"spark1": IMAGE, "spark2": replace(OTHER, architecture="amd64")},
            [f"spark2: has another vllm-node than spark1: it is for amd64, not for arm64 {SHIP}"],
            id="for another kind of machine",
        ),
        pytest.param(
            {"spark1": IMAGE, "spark2": None},
            [f"spark2: has no image vllm-node {SHIP}"],
            id="one without",
        ),
        pytest.param(
            {"spark1": None, "spark2": IMAGE},
            [
                (
                    "spark1: has no image vllm-node"
                    " (`inv ship --node spark1` copies it from this machine)"
                )
            ],
            id="the head without",
        ),
        pytest.param(
            {"spark1": None, "spark2": None},
            [
                "spark1: has no image vllm-node (`inv build`)",
                "spark2: has no image vllm-node (`inv build`)",
            ],
            id="nobody has one",
        ),
        pytest.param(
            {"spark1": IMAGE, "spark2": OTHER},
            [f"spark2: has another vllm-node than spark1: 3 of 4 layers differ {SHIP}"],
            id="another",
        ),
        pytest.param(
            {"spark1": IMAGE, "spark2": SHORTER},
            [f"spark2: has another vllm-node than spark1: 1 of 3 layers differ {SHIP}"],
            id="the beginning of it",
        ),
        pytest.param({}, [], id="nobody is asked"),
    ],
)
def test_problems(images: Mapping[str, Image | None], expected: list[str]) -> None:
    """Each node whose image differs from the first one is reported, with what to do."""
    assert expected == missing_or_other(SPARKS, images)


def test_cluster_with_a_name() -> None:
    """The commands name the cluster."""
    lab = replace(SPARKS, name="lab", image="vllm-node:cpu")

    assert [
        "spark1: has no image vllm-node:cpu (`inv build --cluster lab`)",
    ] == missing_or_other(lab, {"spark1": None})
