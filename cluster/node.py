"""Node and Cluster: the machines as the user described them, checked and typed."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from cluster.words import Environment

Role = Literal["head", "worker"]
Runtime = Literal["docker", "process"]
Accelerator = Literal["nvidia", "cdi", "none"]
DEFAULT = "default"
"""Name of the cluster whose files are in env/ itself."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine: its address on the fast link, what carries it, and how to reach the machine."""

    name: str
    role: Role
    host_ip: IPv4Address
    """Address on the ConnectX link: what Ray, NCCL and vLLM use."""
    head_ip: IPv4Address
    eth_if: str
    """Ethernet interface that holds `host_ip`, as Linux names it."""
    ib_if: tuple[str, ...]
    """RDMA devices of the same port (both twins); empty means sockets only."""
    ssh_host: str
    """How the control machine reaches the node; may be an alias of the user's SSH configuration."""
    gpus: int
    variables: Environment
    """Pass-through variables of the node's own file."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster: exactly one head, then workers in the order of their names."""

    name: str
    runtime: Runtime
    image: str
    """Name of the containers' image."""
    container: str
    """Name of the container on every node."""
    accelerator: Accelerator
    shm_size: int | None
    """Bytes of shared memory of a container; None means the node's own."""
    hf_cache: str
    """Folder of every node, absolute or below `~/`."""
    privileged: bool
    nodes: tuple[Node, ...]
    subnet: IPv4Network
    """The network that must hold every `host_ip`."""
    head_port: int
    """TCP port of Ray's global control store on the head."""
    dashboard: bool
    object_store_memory: int
    """Bytes of shared memory for Ray's object store on each node."""
    serve_host: str
    """Address on which the OpenAI-compatible server listens on the head."""
    serve_port: int
    model: str
    """Default of `inv serve --model`; empty when there is none."""
    gpu_memory_utilization: float
    """Share of a GPU's memory for vLLM, 0 to 1."""
    max_model_len: int
    """Longest context, in tokens."""
    serve_args: tuple[str, ...]
    """More flags for `vllm serve`."""
    variables: Environment
    """Pass-through variables of `cluster.env`."""

    def inv(self, *words: str) -> str:
        """Return a command for this cluster, in backticks: `inv logs --node spark2`."""
        option = () if self.name in {"", DEFAULT} else ("--cluster", self.name)
        return f"`{' '.join(('inv', *words, *option))}`"

    @property
    def head(self) -> Node:
        """The one node with ROLE=head."""
        return self.nodes[0]

    @property
    def workers(self) -> tuple[Node, ...]:
        """Every node but the head."""
        return self.nodes[1:]

    @property
    def gpus(self) -> int:
        """GPUs of all nodes together."""
        return sum(node.gpus for node in self.nodes)
