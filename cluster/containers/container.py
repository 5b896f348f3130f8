"""A container as it should be: as `docker create` options, as the Engine API's JSON, as labels."""

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from cluster.errors import Problem
from cluster.node import Accelerator, Cluster
from cluster.words import Environment, NodeHome, Printed

OURS = "spark-vllm-cluster"
"""Prefix of our labels."""
OWNER = f"{OURS}.cluster"
SPEC = f"{OURS}.spec"
SETTINGS = f"{OURS}.settings"
STACK_BYTES = 64 << 20  # NVIDIA's own containers for two Sparks ask for it (TensorRT-LLM playbook)
RDMA_DEVICES = "/dev/infiniband"
Part = tuple[Printed, ...]


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the node, absolute or below `~/`, or a volume, as a folder of the container."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a container is made of; it shares the node's network and has an init process."""

    name: str
    """Empty for one that Docker names: it is thrown away."""
    image: str
    argv: tuple[str, ...]
    environment: Environment = ()
    mounts: tuple[Mount, ...] = ()
    accelerator: Accelerator
    shm_size: int | None
    """Bytes of shared memory; None means the node's own."""
    rdma: bool
    """Whether the node's RDMA devices are handed in, and memory may be locked for them."""
    privileged: bool
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """What a change of these keys needs another container for; no value of a variable."""
        return {
            "IMAGE": self.image,
            "ACCELERATOR": self.accelerator,
            "SHM_SIZE": "host" if self.shm_size is None else str(self.shm_size),
            "HF_CACHE": next((mount.source for mount in self.mounts), ""),
            "PRIVILEGED": str(self.privileged).lower(),
            "IB_IF": str(self.rdma).lower(),
        }

    @property
    def all_labels(self) -> tuple[tuple[str, str], ...]:
        """The labels with those that the container is compared by, secrets masked."""
        variables = [[name, str(value)] for name, value in self.environment]
        content = json.dumps([self.settings, self.argv, variables])
        digest = sha256(content.encode()).hexdigest()[:12]
        return (*self.labels, (SPEC, digest), (SETTINGS, json.dumps(self.settings)))


def options(container: Container, ssh_host: str) -> tuple[Part, ...]:
    """Return the options of `docker create`, each on its own; secrets by name only."""
    name = (("--name", container.name),) if container.name else ()
    labels = container.all_labels if container.name else ()
    return (
        *name,
        ("--network", "host"),
        ("--init",),
        *_rights(container),
        *_gpus(container.accelerator),
        *(("--volume", _source(mount, ssh_host)) for mount in container.mounts),
        *(("--label", f"{key}={value}") for key, value in labels),
        *variables(container.environment),
    )


def variables(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Return the option `--env` for each variable; a secret by its name only."""
    return tuple(
        ("--env", f"{name}={value}" if isinstance(value, str) else name)
        for name, value in environment
    )


def body(container: Container, variables: dict[str, str], home: str) -> dict[str, Any]:
    """Return the body of the Engine API's ContainerCreate, with what is known only now.

    `variables` are the values of the environment; `home` is the folder that `~` stands for.
    """
    return {
        "Image": container.image,
        "Cmd": list(container.argv),
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "Labels": dict(container.all_labels) if container.name else {},
        "HostConfig": {
            "NetworkMode": "host",
            "Init": True,
            "Binds": [_bind(mount, home) for mount in container.mounts],
            "DeviceRequests": _device_requests(container.accelerator),
            **_host_rights(container),
        },
    }


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a container was made of, as its engine tells it."""

    settings: str
    """The text of our label; `{}` when it has none."""
    argv: tuple[str, ...]
    environment: dict[str, str]
    inherited: dict[str, str]
    """The variables that its image sets."""


def changes(container: Container, known: Known, variables: dict[str, str]) -> tuple[str, ...]:
    """Return the settings and variables that differ in a container from how it should be."""
    was, there = json.loads(known.settings), known.environment
    wanted = {**known.inherited, **variables}
    settings = (key for key, value in container.settings.items() if was.get(key) != value)
    names = dict.fromkeys((*variables, *there, *wanted))
    changed = (name for name in names if there.get(name) != wanted.get(name))
    command = ("the command line",) if _program(known.argv) != _program(container.argv) else ()
    return (*settings, *command, *changed)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A container that has the name, compared with the one that should have it."""

    running: bool
    owner: str
    """The cluster that it was made for; empty when this tool did not make it."""
    changes: tuple[str, ...]


def obstacle(cluster: Cluster, node: str, found: Found | None, *, recreate: bool) -> Problem | None:
    """Say why a container that is there cannot be replaced; None when it can, or none is there."""
    name = cluster.container
    if found and not found.owner:
        message = f"there is a container {name} that this tool did not make"
        remedy = "remove it by `docker rm --force`, or choose another name by CONTAINER"
        return Problem(place=node, message=message, remedy=remedy)
    if found and found.owner != cluster.name:
        owner = replace(cluster, name=found.owner)
        message = f"there is the container {name} of cluster {found.owner}"
        remedy = f"{owner.inv('down')}, or choose another name by CONTAINER"
        return Problem(place=node, message=message, remedy=remedy)
    if not (found and found.running and found.changes) or recreate:
        return None
    message = f"{name} runs with another value of {', '.join(found.changes)}"
    again = f"{cluster.inv('up', '--recreate')} replaces it, and ends what it serves"
    return Problem(place=node, message=message, remedy=again)


def _program(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return what `run-service NAME DIGEST` runs: the digest tells that, not what, is different."""
    return argv[3:]


def _rights(container: Container) -> tuple[Part, ...]:
    """Return what the container may: all, or memory and devices for RDMA and nothing else."""
    if container.privileged:
        return (("--privileged",), ("--ipc", "host"))
    rdma: tuple[Part, ...] = (
        ("--device", RDMA_DEVICES),
        ("--cap-add", "IPC_LOCK"),
        ("--ulimit", "memlock=-1"),
    )
    return (
        ("--ipc", "host")
        if container.shm_size is None
        else ("--shm-size", str(container.shm_size)),
        ("--security-opt", "no-new-privileges"),
        ("--ulimit", f"stack={STACK_BYTES}"),
        *(rdma if container.rdma else ()),
    )


def _host_rights(container: Container) -> dict[str, Any]:
    """Return `_rights` as the Engine API has them."""
    if container.privileged:
        return {"Privileged": True, "IpcMode": "host"}
    stack = {"Name": "stack", "Soft": STACK_BYTES, "Hard": STACK_BYTES}
    memlock = {"Name": "memlock", "Soft": -1, "Hard": -1}
    device = {
        "PathOnHost": RDMA_DEVICES,
        "PathInContainer": RDMA_DEVICES,
        "CgroupPermissions": "rwm",
    }
    ipc = {"IpcMode": "host"} if container.shm_size is None else {"ShmSize": container.shm_size}
    rdma = {"Devices": [device], "CapAdd": ["IPC_LOCK"]} if container.rdma else {}
    limits = [stack, memlock] if container.rdma else [stack]
    return {**ipc, **rdma, "SecurityOpt": ["no-new-privileges"], "Ulimits": limits}


def _gpus(accelerator: Accelerator) -> tuple[Part, ...]:
    parts: dict[Accelerator, tuple[Part, ...]] = {
        "nvidia": (("--gpus", "all"),),
        "cdi": (("--device", "nvidia.com/gpu=all"),),
        "none": (),
    }
    return parts[accelerator]


def _device_requests(accelerator: Accelerator) -> list[dict[str, Any]]:
    requests: dict[Accelerator, list[dict[str, Any]]] = {
        "nvidia": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
        "cdi": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}],
        "none": [],
    }
    return requests[accelerator]


def _source(mount: Mount, ssh_host: str) -> Printed:
    if mount.source.startswith("~/"):
        return NodeHome(ssh_host, f"{mount.source[2:]}:{mount.target}")
    return f"{mount.source}:{mount.target}"


def _bind(mount: Mount, home: str) -> str:
    source = f"{home}{mount.source[1:]}" if mount.source.startswith("~") else mount.source
    return f"{source}:{mount.target}"
