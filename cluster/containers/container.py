"""A container as it should be: one row per option, for the Docker client and for the API."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cluster.node import Accelerator
from cluster.words import Environment, NodeHome, PrintedWord

PREFIX = "spark-vllm-cluster"
"""Prefix of this project's labels."""
OWNER = f"{PREFIX}.cluster"
SPEC = f"{PREFIX}.spec"
SETTINGS = f"{PREFIX}.settings"
STACK_BYTES = 64 << 20  # NVIDIA's own containers for two Sparks ask for it (TensorRT-LLM playbook)
RDMA_DEVICES = "/dev/infiniband"
ALL_GPUS = "nvidia.com/gpu=all"
Part = tuple[PrintedWord, ...]


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder of the node, absolute or below `~/`, or a volume, as a folder of the container."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a container is made of; it shares the node's network and has an init process."""

    name: str
    """Empty for a container that runs one command and is removed."""
    image: str
    argv: tuple[str, ...]
    environment: Environment = ()
    mounts: tuple[Mount, ...] = ()
    accelerator: Accelerator
    shm_size: int | None
    """Bytes of shared memory; None means the node's own."""
    rdma: bool
    """Whether it gets the node's RDMA devices, and may lock memory for them."""
    privileged: bool
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """The settings whose change needs a new container, without the variables."""
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
        """The labels, and those that the container is compared by; secrets are masked."""
        variables = [[name, str(value)] for name, value in self.environment]
        content = json.dumps([self.settings, self.argv, variables])
        digest = sha256(content.encode()).hexdigest()[:12]
        return (*self.labels, (SPEC, digest), (SETTINGS, json.dumps(self.settings)))


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What is known only when a container is created."""

    variables: dict[str, str]
    """The values of the environment, secrets included."""
    home: str
    """The folder that `~` stands for on the node."""


@dataclass(frozen=True, kw_only=True)
class CreateOption:
    """One option of a container."""

    words: Part
    """For `docker create`; a secret by name only."""
    path: tuple[str, ...] = ()
    """Where the value stands in the Engine API's ContainerCreate; empty for none."""
    value: Callable[[Resolved], object]
    """The JSON value there; lists of several options are joined."""


def create_options(container: Container, ssh_host: str) -> tuple[Part, ...]:
    """Return the options of `docker create`, each on its own."""
    return tuple(option.words for option in _options(container, ssh_host))


def variable_options(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Return the option `--env` for each variable; a secret by name only."""
    return tuple(
        ("--env", f"{name}={value}" if isinstance(value, str) else name)
        for name, value in environment
    )


def body(container: Container, resolved: Resolved) -> dict[str, Any]:
    """Return the body of the Engine API's ContainerCreate: the same options, all values known."""
    content: dict[str, Any] = {
        "Image": container.image,
        "Cmd": list(container.argv),
        "Env": [],
        "Labels": {},
        "HostConfig": {"Binds": [], "DeviceRequests": []},
    }
    for option in _options(container, ""):
        if option.path:
            _put(content, option.path, option.value(resolved))
    return content


def _put(content: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """Put a value at the path; lists are extended and objects are merged."""
    *folders, key = path
    for folder in folders:
        content = content.setdefault(folder, {})
    if isinstance(value, list):
        content.setdefault(key, []).extend(value)
    elif isinstance(value, dict):
        content.setdefault(key, {}).update(value)
    else:
        content[key] = value


def _options(container: Container, ssh_host: str) -> Iterator[CreateOption]:
    """Yield every option, in the order in which `--dry` prints them."""
    if container.name:
        yield _fixed(("--name", container.name), (), "")  # the API has it in the address
    yield _fixed(("--network", "host"), _host("NetworkMode"), "host")
    yield _fixed(("--init",), _host("Init"), value=True)
    yield from _rights(container)
    yield from _gpus(container.accelerator)
    for mount in container.mounts:
        yield _volume(mount, ssh_host)
    for key, value in container.all_labels if container.name else ():
        yield _fixed(("--label", f"{key}={value}"), ("Labels",), {key: value})
    for (name, _), words in zip(
        container.environment, variable_options(container.environment), strict=True
    ):
        yield _variable(name, words)


def _rights(container: Container) -> Iterator[CreateOption]:
    """Yield the rights of the container: all, or only memory and devices for RDMA."""
    if container.privileged or container.shm_size is None:
        ipc = _fixed(("--ipc", "host"), _host("IpcMode"), "host")
    else:
        size = container.shm_size
        ipc = _fixed(("--shm-size", str(size)), _host("ShmSize"), size)
    if container.privileged:
        yield _fixed(("--privileged",), _host("Privileged"), value=True)
        yield ipc
        return
    yield ipc
    no_new = "no-new-privileges"
    yield _fixed(("--security-opt", no_new), _host("SecurityOpt"), [no_new])
    yield _limit("stack", STACK_BYTES)
    if container.rdma:
        device = {"PathOnHost": RDMA_DEVICES, "PathInContainer": RDMA_DEVICES}
        rights = {**device, "CgroupPermissions": "rwm"}
        yield _fixed(("--device", RDMA_DEVICES), _host("Devices"), [rights])
        yield _fixed(("--cap-add", "IPC_LOCK"), _host("CapAdd"), ["IPC_LOCK"])
        yield _limit("memlock", -1)


def _gpus(accelerator: Accelerator) -> Iterator[CreateOption]:
    place = _host("DeviceRequests")
    if accelerator == "nvidia":
        request = {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}
        yield _fixed(("--gpus", "all"), place, [request])
    if accelerator == "cdi":
        devices = {"Driver": "cdi", "DeviceIDs": [ALL_GPUS]}
        yield _fixed(("--device", ALL_GPUS), place, [devices])


def _volume(mount: Mount, ssh_host: str) -> CreateOption:
    source, target = mount.source, mount.target
    below_home = source.startswith("~/")
    return CreateOption(
        words=(
            "--volume",
            NodeHome(ssh_host, f"{source[2:]}:{target}") if below_home else f"{source}:{target}",
        ),
        path=_host("Binds"),
        value=lambda resolved: [
            f"{resolved.home}{source[1:]}:{target}" if below_home else f"{source}:{target}"
        ],
    )


def _variable(name: str, words: Part) -> CreateOption:
    return CreateOption(
        words=words,
        path=("Env",),
        value=lambda resolved: [f"{name}={resolved.variables[name]}"],
    )


def _limit(name: str, limit: int) -> CreateOption:
    value = {"Name": name, "Soft": limit, "Hard": limit}
    return _fixed(("--ulimit", f"{name}={limit}"), _host("Ulimits"), [value])


def _fixed(words: Part, path: tuple[str, ...], value: object) -> CreateOption:
    return CreateOption(words=words, path=path, value=lambda _resolved: value)


def _host(key: str) -> tuple[str, ...]:
    return ("HostConfig", key)
