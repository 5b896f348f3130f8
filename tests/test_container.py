"""A container's options for the Docker client and its body for the Engine API agree."""

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.containers.container import Container, Mount, Resolved, body, create_options
from cluster.words import FileText, NodeHome, Secret, shell_parts

PREFIX = "spark-vllm-cluster"
GIB = 1 << 30
TOKEN = Secret("hf_secret", "env/cluster.env:7")
BARE = Container(
    name="",
    image="vllm-node",
    argv=("python", "preflight.py"),
    accelerator="none",
    shm_size=16 * GIB,
    rdma=False,
    privileged=False,
)
NODE = replace(
    BARE,
    name="vllm_node",
    argv=("run-service", "ray", "0123456789ab", "ray", "start", "--head"),
    accelerator="nvidia",
    rdma=True,
    environment=(("NOTE", "two words"), ("HF_TOKEN", TOKEN), ("KEY", FileText("/s/key"))),
    mounts=(
        Mount(source="~/.cache/huggingface", target="/models"),
        Mount(source="vllm_node-logs", target="/var/log/x"),
    ),
    labels=((f"{PREFIX}.node", "spark1"),),
)
SETTINGS = (
    '{"IMAGE": "vllm-node", "ACCELERATOR": "nvidia", "SHM_SIZE": "17179869184", '
    '"HF_CACHE": "~/.cache/huggingface", "PRIVILEGED": "false", "IB_IF": "true"}'
)
LABELS = {
    f"{PREFIX}.node": "spark1",
    f"{PREFIX}.spec": "aaad0940bc2b",
    f"{PREFIX}.settings": SETTINGS,
}
VALUES = {"NOTE": "two words", "HF_TOKEN": "hf_secret", "KEY": "k"}
NETWORK = (("--network", "host"), ("--init",))
LEAST = (("--security-opt", "no-new-privileges"), ("--ulimit", "stack=67108864"))
STACK = {"Name": "stack", "Soft": 67108864, "Hard": 67108864}
HOST = {"NetworkMode": "host", "Init": True, "Binds": [], "DeviceRequests": []}
LIMITED = {"SecurityOpt": ["no-new-privileges"], "Ulimits": [STACK]}
SHM = {"ShmSize": 16 * GIB}
# A variable can hold any text without a NUL.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def digest(container: Container) -> str:
    """Return the digest of a container's spec."""
    return dict(container.all_labels)[f"{PREFIX}.spec"]


def test_options() -> None:
    """The options describe a node's container in full; a secret appears by name only."""
    expected = (
        ("--name", "vllm_node"),
        *NETWORK,
        ("--shm-size", "17179869184"),
        *LEAST,
        ("--device", "/dev/infiniband"),
        ("--cap-add", "IPC_LOCK"),
        ("--ulimit", "memlock=-1"),
        ("--gpus", "all"),
        ("--volume", NodeHome("spark-01", ".cache/huggingface:/models")),
        ("--volume", "vllm_node-logs:/var/log/x"),
        *(("--label", f"{key}={value}") for key, value in LABELS.items()),
        ("--env", "NOTE=two words"),
        ("--env", "HF_TOKEN"),
        ("--env", "KEY"),
    )

    assert expected == create_options(NODE, "spark-01")


def test_body() -> None:
    """The body has the same options with values, and a path for `~`."""
    device = {
        "PathOnHost": "/dev/infiniband",
        "PathInContainer": "/dev/infiniband",
        "CgroupPermissions": "rwm",
    }
    expected = {
        "Image": "vllm-node",
        "Cmd": ["run-service", "ray", "0123456789ab", "ray", "start", "--head"],
        "Env": ["NOTE=two words", "HF_TOKEN=hf_secret", "KEY=k"],
        "Labels": LABELS,
        "HostConfig": {
            "NetworkMode": "host",
            "Init": True,
            "Binds": ["/h/me/.cache/huggingface:/models", "vllm_node-logs:/var/log/x"],
            "DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
            "ShmSize": 16 * GIB,
            "Devices": [device],
            "CapAdd": ["IPC_LOCK"],
            "SecurityOpt": ["no-new-privileges"],
            "Ulimits": [STACK, {"Name": "memlock", "Soft": -1, "Hard": -1}],
        },
    }

    assert expected == body(NODE, Resolved(variables=VALUES, home="/h/me"))


@pytest.mark.parametrize(
    "container, expected, host",
    [
        pytest.param(
            BARE, (("--shm-size", "17179869184"), *LEAST), {**HOST, **SHM, **LIMITED}, id="least"
        ),
        pytest.param(
            replace(BARE, shm_size=None),
            (("--ipc", "host"), *LEAST),
            {**HOST, "IpcMode": "host", **LIMITED},
            id="the node's own shared memory",
        ),
        pytest.param(
            replace(BARE, privileged=True, rdma=True),
            (("--privileged",), ("--ipc", "host")),
            {**HOST, "Privileged": True, "IpcMode": "host"},
            id="privileged",
        ),
        pytest.param(
            replace(BARE, accelerator="cdi"),
            (("--shm-size", "17179869184"), *LEAST, ("--device", "nvidia.com/gpu=all")),
            {
                **HOST,
                **SHM,
                **LIMITED,
                "DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}],
            },
            id="GPUs by CDI",
        ),
        pytest.param(
            replace(BARE, mounts=(Mount(source="/data/a b", target="/models"),)),
            (("--shm-size", "17179869184"), *LEAST, ("--volume", "/data/a b:/models")),
            {**HOST, **SHM, **LIMITED, "Binds": ["/data/a b:/models"]},
            id="an absolute folder",
        ),
    ],
)
def test_variants(
    container: Container, expected: tuple[tuple[str, ...], ...], host: dict[str, Any]
) -> None:
    """Options and body vary alike; a container without a name has no labels."""
    made = body(container, Resolved(variables={}, home="/h/me"))

    assert (*NETWORK, *expected) == create_options(container, "")
    assert (host, {}, []) == (made["HostConfig"], made["Labels"], made["Env"])


def test_home_of_this_machine() -> None:
    """On this machine `~` is the home folder of the user who runs the command."""
    assert ("--volume", NodeHome("", ".cache/huggingface:/models")) in create_options(NODE, "")


def test_settings() -> None:
    """The settings list every key whose change needs a new container."""
    changed = replace(NODE, shm_size=None, mounts=(), privileged=True, rdma=False)
    settings = {
        "IMAGE": "vllm-node",
        "ACCELERATOR": "nvidia",
        "SHM_SIZE": "host",
        "HF_CACHE": "",
        "PRIVILEGED": "true",
        "IB_IF": "false",
    }

    assert json.loads(SETTINGS) == NODE.settings
    assert settings == changed.settings


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(NODE, image="other"), id="a setting"),
        pytest.param(replace(NODE, argv=("ray", "start")), id="the command line"),
        pytest.param(replace(NODE, environment=NODE.environment[:2]), id="a variable removed"),
        pytest.param(
            replace(NODE, environment=(("NOTE", "other"), *NODE.environment[1:])), id="a value"
        ),
    ],
)
def test_digest(changed: Container) -> None:
    """Every change of a container changes its digest."""
    assert digest(NODE) != digest(changed)


def test_digest_without_secrets() -> None:
    """The value of a secret does not change the digest: users of the engine can read labels."""
    secret = ("HF_TOKEN", Secret("hf_other", "env/cluster.env:8"))
    changed = replace(NODE, environment=(NODE.environment[0], secret, NODE.environment[2]))

    assert digest(NODE) == digest(changed)


@given(value=TEXT)
def test_variable_passes_unchanged(value: str) -> None:
    """A value reaches `--env` and the body unchanged: quotes, newlines, `$`."""
    container = replace(BARE, environment=(("NAME", value),))
    text = shell_parts(container.environment, (("printf", "%s\\0"), *create_options(container, "")))
    run = subprocess.run(["/bin/sh", "-c", text], check=True, capture_output=True)
    words = run.stdout.decode().split("\0")[:-1]

    assert ["--env", f"NAME={value}"] == words[-2:]
    assert [f"NAME={value}"] == body(container, Resolved(variables={"NAME": value}, home=""))["Env"]
