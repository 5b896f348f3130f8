"""Docker, the image and the container, from what clients 20.10 to 29 print."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.facts.docker import Docker, docker
from cluster.facts.images import Image

INFO: dict[str, Any] = {
    "ID": "a",
    "Driver": "overlayfs",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "ServerVersion": "29.1.3",
    "Architecture": "aarch64",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"io.containerd.runc.v2": {}, "nvidia": {}, "runc": {}},
    "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"],
    "DiscoveredDevices": [
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
        {"Source": "cdi", "ID": "nvidia.com/gpu=all"},
        {"Source": "other", "ID": "x"},
    ],
}
INSPECTED: dict[str, Any] = {
    "Id": "sha256:11",
    "Architecture": "arm64",
    "Config": {"Cmd": ["bash"], "Labels": {"spark-vllm-cluster.vllm": "0.33.0"}},
    "RootFS": {"Type": "layers", "Layers": ["sha256:aa"]},
}
IMAGE = Image(
    architecture="arm64",
    layers=("sha256:aa",),
    configuration='{"Cmd": ["bash"], "Labels": {"spark-vllm-cluster.vllm": "0.33.0"}}',
)
TOOLKIT = (
    "NVIDIA Container Toolkit CLI version 1.17.8\ncommit: f202b80a9b9d0db00d9b1d73c0128c8962c5\n"
)
ENGINE = Docker(
    version="29.1.3",
    architecture="arm64",
    store="containerd",
    root="/var/lib/docker",
    runtimes=("io.containerd.runc.v2", "nvidia", "runc"),
    cdi=("nvidia.com/gpu=0", "nvidia.com/gpu=all"),
)
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?"


def test_docker() -> None:
    """The engine, the cluster's image and its container are parsed together."""
    answers = {
        "engine": json.dumps(INFO) + "\n",
        "image": json.dumps([INSPECTED], indent=4) + "\n",
        "container": "running\n",
        "toolkit": TOOLKIT,
        "cdi": "/etc/cdi/*\n/var/run/cdi/nvidia.yaml\n",
    }
    facts = docker(answers)

    assert (
        Docker(
            version="29.1.3",
            architecture="arm64",
            store="containerd",
            root="/var/lib/docker",
            runtimes=("io.containerd.runc.v2", "nvidia", "runc"),
            cdi=("nvidia.com/gpu=0", "nvidia.com/gpu=all"),
            toolkit="1.17.8",
            image=IMAGE,
            container="running",
        )
        == facts
    )


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", Docker(error="`docker info` tells of no engine")),
        ("docker: not found\n", Docker(error="docker: not found")),
        (json.dumps({"ServerErrors": [DOWN]}) + "\n", Docker(error=DOWN)),
        (json.dumps({"ServerVersion": ""}) + f"\n{DOWN}\n", Docker(error=DOWN)),
        ('{"host":{"arch":"arm64"}}\n', Docker(error="`docker info` tells of no engine")),
        (f"a warning\n{json.dumps(INFO)}\n", ENGINE),
        (f"WARNING: {{plugin}} is old\n{json.dumps(INFO)}\nWARNING: {{}} as well\n", ENGINE),
        (
            f"WARNING: {{plugin}} is old\n{DOWN}\n",
            Docker(error=f"WARNING: {{plugin}} is old\n{DOWN}"),
        ),
        ("docker: no answer within 5 s\n", Docker(error="docker: no answer within 5 s")),
        (
            json.dumps(INFO)[:99] + "\ndocker: no answer within 5 s\n",
            Docker(error="docker: no answer within 5 s"),
        ),
    ],
)
def test_engine(text: str, expected: Docker) -> None:
    """Without an engine, the client's message is the error, wherever its version puts it."""
    assert expected == docker({"engine": text})


@pytest.mark.parametrize("status", [None, [], [["Backing Filesystem", "extfs"]]])
def test_store(status: list[list[str]] | None) -> None:
    """A store other than containerd's has the name of its driver."""
    info = INFO | {"Driver": "overlay2", "DriverStatus": status, "Runtimes": None}
    facts = docker({"engine": json.dumps(info)})

    assert ("overlay2", ()) == (facts.store, facts.runtimes)


def test_specifications() -> None:
    """An engine that lists no CDI devices may have specification files of them."""
    info = {name: value for name, value in INFO.items() if name != "DiscoveredDevices"}
    answers = {"engine": json.dumps(info), "cdi": "/etc/cdi/nvidia.yaml\n/var/run/cdi/*\n"}

    assert ("/etc/cdi/nvidia.yaml",) == docker(answers).cdi


@pytest.mark.parametrize(
    "text",
    ["", "[]\n", "[]\nError: No such image: vllm-node:latest\n", "docker: not found\n"],
)
def test_no_image(text: str) -> None:
    """An image that the engine lacks is None."""
    assert replace(ENGINE, image=None) == docker({"engine": json.dumps(INFO), "image": text})


def test_warnings() -> None:
    """Warnings of the client before and after an answer are ignored."""
    warning = "WARNING: {plugin} [is] old"
    answers = {
        "engine": json.dumps(INFO),
        "image": f"{warning}\n{json.dumps([INSPECTED], indent=4)}\n{warning}\n",
        "container": f"{warning}\nexited\n",
    }

    assert replace(ENGINE, image=IMAGE, container="exited") == docker(answers)


def test_no_container() -> None:
    """A missing container has no state."""
    text = "\nError: No such container: vllm-node\n"

    assert ENGINE == docker({"engine": json.dumps(INFO), "container": text})


@pytest.mark.parametrize("name", ["image", "container"])
def test_late(name: str) -> None:
    """An inspection that times out is an error, not a missing image or container."""
    answers = {"engine": json.dumps(INFO), name: "[\n\ndocker: no answer within 5 s\n"}
    error = f"docker {name} inspect: no answer within 5 s"

    assert replace(ENGINE, error=error) == docker(answers)


@pytest.mark.parametrize("configuration", [None, {}, {"Labels": None}])
def test_no_labels(configuration: dict[str, Any] | None) -> None:
    """An image without labels is an image."""
    facts = docker({"image": json.dumps([INSPECTED | {"Config": configuration}])})

    assert Image(architecture="arm64", layers=("sha256:aa",), configuration="{}") == facts.image
