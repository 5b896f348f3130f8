"""The printed `docker` line and the SDK send the same request to an engine."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.containers.container import Container, Mount, Resolved, body, create_options
from cluster.words import Secret, shell_parts
from tests.live.recording import engine

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker on the PATH"),
]
SECRET = " s3cret '$HOME\" "
VALUES = {"NOTE": "two words\n'$HOME'\\", "HF_TOKEN": SECRET}
NODE = Container(
    name="vllm_node",
    image="vllm-node",
    argv=("run-service", "ray", "0123456789ab", "ray", "start"),
    environment=(("NOTE", VALUES["NOTE"]), ("HF_TOKEN", Secret(SECRET, "env/cluster.env:7"))),
    mounts=(
        Mount(source="~/models of/hf", target="/models"),
        Mount(source="vllm_node-logs", target="/var/log/x"),
    ),
    accelerator="nvidia",
    shm_size=16 << 30,
    rdma=True,
    privileged=False,
    labels=(("spark-vllm-cluster.node", "spark1"),),
)
RIGHTS = (
    *("NetworkMode", "Init", "Binds", "DeviceRequests", "Privileged", "IpcMode", "ShmSize"),
    *("Devices", "CapAdd", "SecurityOpt", "Ulimits"),
)


def requested(container: Container, home: Path) -> dict[str, Any]:
    """Return the request that Docker's command line sends to an engine."""
    line = (
        ("docker", "create"),
        *create_options(container, ""),
        (container.image, *container.argv),
    )
    with engine(home) as server:
        subprocess.run(
            ["/bin/sh", "-c", shell_parts(container.environment, line)],
            env={
                "PATH": str(Path(shutil.which("docker") or "").parent) + ":/usr/bin:/bin",
                "HOME": str(home),
                "DOCKER_HOST": f"unix://{home}/engine.sock",
                "HF_TOKEN": SECRET,
            },
            check=True,
            capture_output=True,
            timeout=30,
        )
        return server.created[0]


def plain(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return JSON without empty values, and with sorted lists: both mean the same to the engine.

    Newer clients write capabilities out.
    """
    if isinstance(value, dict):
        pairs = ((key, plain(child)) for key, child in value.items())
        return {key: child for key, child in pairs if child not in (None, "", False, [], {})}
    if isinstance(value, list):
        return sorted((plain(child) for child in value), key=str)
    return value.removeprefix("CAP_") if isinstance(value, str) else value


def same(container: Container, home: Path) -> None:
    """Compare the request of the command line with that of the SDK."""
    by_hand = requested(container, home)
    request = body(container, Resolved(variables=VALUES, home=str(home)))
    rights = {key: by_hand["HostConfig"].get(key) for key in RIGHTS}

    assert plain(request["HostConfig"]) == plain(rights)
    assert sorted(request["Env"]) == sorted(by_hand["Env"])
    assert request["Cmd"] == by_hand["Cmd"]
    assert request["Labels"] == by_hand["Labels"]
    assert request["Image"] == by_hand["Image"]


@pytest.mark.parametrize(
    "container",
    [
        pytest.param(NODE, id="a Spark"),
        pytest.param(replace(NODE, privileged=True), id="privileged"),
        pytest.param(replace(NODE, shm_size=None), id="the node's own shared memory"),
        pytest.param(replace(NODE, accelerator="none", rdma=False), id="neither GPU nor RDMA"),
    ],
)
def test_create(container: Container, tmp_path: Path) -> None:
    """The command line and the SDK create the same container, to the last quote."""
    same(container, tmp_path)


def test_create_by_cdi(tmp_path: Path) -> None:
    """Clients that know CDI request its devices in the same way."""
    try:
        same(replace(NODE, accelerator="cdi"), tmp_path)
    except subprocess.CalledProcessError as error:
        if b"is not an absolute path" not in error.stderr:
            raise
        pytest.skip("this Docker client knows no CDI: it came with version 25")
