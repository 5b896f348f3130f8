"""Node and Cluster: the machines as the user described them, checked and typed.

A setting is one field here, with all that is known of it: its parser, default, example and meaning.
The keys of the env files, their examples and the tables of the documentation follow from it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from cluster.settings import values
from cluster.settings.keys import Derived, Key, Scope, keys, setting
from cluster.words import Environment

Role = Literal["head", "worker"]
Runtime = Literal["docker", "process"]
Accelerator = Literal["nvidia", "cdi", "none"]
DEFAULT = "default"
"""Name of the cluster whose files are in env/ itself."""
CLUSTER_FILE = "cluster.env"
"""Name of the file with the settings that all nodes share."""


def env_folder(cluster: str) -> str:
    """Return the folder of a cluster's env files, relative to the repository's root."""
    return "env/" if cluster == DEFAULT else f"env/{cluster}/"


def default_subnet(head_ip: IPv4Address) -> IPv4Network:
    """Return the /24 around the head's address."""
    return IPv4Network(f"{head_ip}/24", strict=False)


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine: its address on the fast link, its interfaces there, and how to reach it."""

    name: str
    role: Role = setting(
        parse=values.choice("head", "worker"),
        example="head",
        meaning="`head` on exactly one node, `worker` on the others. Required.",
    )
    host_ip: IPv4Address = setting(
        parse=values.address,
        example="192.168.177.11",
        meaning="This node's IPv4 address on the ConnectX link, not the one on the 10 GbE or "
        "wireless network: Ray, NCCL and vLLM use it. Required.",
    )
    eth_if: str = setting(
        parse=values.interface,
        example="enp1s0f1np1",
        meaning="Ethernet interface that has HOST_IP, as `ip -br link` names it. It depends on the "
        "port that the cable is in, so nodes may differ. Required.",
    )
    ib_if: tuple[str, ...] = setting(
        "",
        parse=values.rdma_devices,
        example="rocep1s0f1,roceP2p1s0f1",
        advised=True,
        meaning="RDMA devices of the same port, as `ibdev2netdev` names them, separated by commas. "
        "A port of a Spark has two devices, each with half of its bandwidth: name both. Default: "
        "none, which means sockets only, several times slower.",
    )
    head_ip: IPv4Address = setting(
        parse=values.address,
        derived=Derived(source="the head's HOST_IP", value=lambda _host_ip, head_ip: head_ip),
        example="192.168.177.11",
        meaning="Address that this node joins. Default: the head's HOST_IP; any other address is "
        "an error.",
    )
    ssh_host: str = setting(
        parse=values.ssh_host,
        derived=Derived(source="HOST_IP", value=lambda host_ip, _head_ip: str(host_ip)),
        example="spark1",
        meaning="How the machine you work on reaches this node: a host, an alias of your "
        "~/.ssh/config, or user@host. Default: HOST_IP.",
    )
    gpus: int = setting(
        "1",
        parse=values.whole(1, 64, "a number of GPUs"),
        meaning="Number of GPUs of this node. A Spark has one.",
    )
    variables: Environment
    """Pass-through variables of the node's own file."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster: exactly one head, then workers in the order of their names."""

    name: str
    nodes: tuple[Node, ...]
    runtime: Runtime = setting(
        "docker",
        parse=values.choice("docker", "process"),
        meaning="`docker` starts a container on every node. `process` runs the same command lines "
        "as processes in network namespaces of this machine: the rehearsal.",
    )
    image: str = setting(
        "vllm-node",
        parse=values.image,
        meaning="Name of the image that `inv build` builds, `inv ship` copies and the containers "
        "run.",
    )
    container: str = setting(
        "vllm_node",
        parse=values.container,
        meaning="Name of the container on every node. Its volumes, for logs and compile caches, "
        "are named after it.",
    )
    accelerator: Accelerator = setting(
        "nvidia",
        parse=values.choice("nvidia", "cdi", "none"),
        meaning="How a container gets its GPUs: `nvidia` like `docker run --gpus all`, `cdi` "
        "through the devices of the NVIDIA Container Toolkit's CDI specification, `none` for a "
        "node without GPUs: Ray then assumes as many as GPUS says, and the image must compute on "
        "the CPU.",
    )
    shm_size: int | None = setting(
        "16g",
        parse=values.shared_memory(64 * 2**20),
        meaning="Shared memory of a container, used by Ray's object store and the ranks' "
        "messages: a size, or `host` for the node's own (`--ipc=host`).",
    )
    """Bytes; None means the node's own."""
    hf_cache: str = setting(
        "~/.cache/huggingface",
        parse=values.node_folder,
        example="/data/huggingface",
        meaning="Folder on every node with the Hugging Face models; the containers use it as their "
        "own. `~` is the home of the user who logs in there.",
    )
    privileged: bool = setting(
        "false",
        parse=values.switch,
        meaning="Whether the containers run with `--privileged --ipc=host`. Not needed: without it "
        "they get the RDMA devices, locked memory and nothing else.",
    )
    subnet: IPv4Network = setting(
        parse=values.network,
        derived=Derived(
            source="the head's HOST_IP", value=lambda _host_ip, head_ip: default_subnet(head_ip)
        ),
        example="192.168.177.0/24",
        meaning="The network that must contain the HOST_IP of every node. Default: the /24 around "
        "the head's HOST_IP.",
    )
    head_port: int = setting(
        "6379",
        parse=values.port,
        meaning="TCP port of Ray's global control store on the head, which the workers join.",
    )
    dashboard: bool = setting(
        "true",
        parse=values.switch,
        meaning="Whether Ray's dashboard runs on the head, `true` or `false`. It listens on the "
        "head's loopback only, port 8265: reach it through an SSH tunnel.",
    )
    object_store_memory: int = setting(
        "1g",
        # ray-project/ray, ray_constants.py: OBJECT_STORE_MINIMUM_MEMORY_BYTES
        parse=values.size(75 * 2**20),
        meaning="Shared memory for Ray's object store on each node: bytes, or a number with a "
        "binary unit (`512MiB`, `1g`), at least 75MiB. vLLM needs little of it; by default, Ray "
        "would take 30 % of the memory that the model could have.",
    )
    """Bytes."""
    serve_host: str = setting(
        "0.0.0.0",  # noqa: S104 (the server is there for other machines)
        parse=values.listen_host,
        meaning="Address on which the OpenAI-compatible server listens on the head. `0.0.0.0` is "
        "every interface, `127.0.0.1` the head alone.",
    )
    serve_port: int = setting(
        "8888",
        parse=values.port,
        meaning="TCP port of the OpenAI-compatible server on the head.",
    )
    model: str = setting(
        "",
        parse=values.model,
        example="Qwen/Qwen3-4B",
        meaning="Model that `inv serve` serves without --model: a name on Hugging Face, or a "
        "folder on every node, where `./x` is a folder of this repository. Default: none.",
    )
    gpu_memory_utilization: float = setting(
        "0.7",
        parse=values.share,
        meaning="Share of a GPU's memory that vLLM may use, above 0 and at most 1. On a Spark the "
        "operating system and the page cache use the same memory.",
    )
    max_model_len: int = setting(
        "32768",
        parse=values.whole(1, 10**8, "a number of tokens"),
        meaning="Longest context, prompt and answer together, in tokens.",
    )
    serve_args: tuple[str, ...] = setting(
        "",
        parse=values.words,
        example="--load-format fastsafetensors",
        meaning="Further flags for `vllm serve`, quoted as for a shell. Default: none.",
    )
    variables: Environment
    """Pass-through variables of `cluster.env`."""

    def inv(self, *words: str) -> str:
        """Return a command for this cluster, in backticks: `inv logs --node spark2`."""
        option = () if self.name in {"", DEFAULT} else ("--cluster", self.name)
        return f"`{' '.join(('inv', *words, *option))}`"

    @property
    def file(self) -> str:
        """Path of the file with the shared settings, relative to the repository's root."""
        return f"{env_folder(self.name)}{CLUSTER_FILE}"

    @property
    def head(self) -> Node:
        """The only node with ROLE=head."""
        return self.nodes[0]

    @property
    def workers(self) -> tuple[Node, ...]:
        """Every node but the head."""
        return self.nodes[1:]

    @property
    def gpus(self) -> int:
        """GPUs of all nodes together."""
        return sum(node.gpus for node in self.nodes)


KEYS: dict[Scope, dict[str, Key]] = {"cluster": keys(Cluster), "node": keys(Node)}
"""The keys of `cluster.env` and of a node's file, by name and in the order of the fields."""
