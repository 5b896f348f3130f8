"""The variables that every container gets: each with its rule, its reason and its source."""

from collections.abc import Callable
from dataclasses import dataclass

from cluster.commands import ray
from cluster.node import Cluster, Node
from cluster.words import Value

NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"
OPEN_MPI = "https://docs.open-mpi.org/en/v5.0.x/mca.html"
PLAYBOOK = "https://github.com/NVIDIA/dgx-spark-playbooks/blob/main/nvidia/vllm/README.md"
PYTORCH = "https://docs.pytorch.org/docs/stable/distributed.html"
PYTORCH_CUDA = "https://docs.pytorch.org/docs/stable/notes/cuda.html"
RAY_ADDRESS = "https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html"
RAY_MEMORY = "https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html"
RAY_AUTH = "https://docs.ray.io/en/latest/ray-security/token-auth.html"
RAY_USAGE = "https://docs.ray.io/en/latest/cluster/usage-stats.html"
UCX = "https://docs.nvidia.com/doca/sdk/DOCA+UCX"
VLLM_ENVS = "https://github.com/vllm-project/vllm/blob/main/vllm/envs.py"
VLLM_HOSTS = "https://docs.vllm.ai/en/latest/serving/distributed_troubleshooting/"
VLLM_USAGE = "https://docs.vllm.ai/en/latest/usage/usage_stats/"

Rule = Callable[[Cluster, Node], Value | None]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One row of the table."""

    name: str
    value: Rule
    """The value on one node of one cluster; None leaves the variable out there."""
    per_node: bool = False
    """Whether the value belongs to one node, so that the head's must not reach a worker."""
    yields_to: tuple[str, ...] = ()
    """Pass-through variables that contradict this one: it is left out when one of them is set."""
    why: str
    source: str


def always(value: str) -> Rule:
    """Return the rule that gives every node the same value."""
    return lambda _cluster, _node: value


def eth_if(_cluster: Cluster, node: Node) -> str:
    """Return the interface's plain name."""
    return node.eth_if


def exact_eth_if(_cluster: Cluster, node: Node) -> str:
    """Return NCCL's form of exactly this interface: without the mark a name is a prefix."""
    return f"={node.eth_if}"


def exact_ib_if(_cluster: Cluster, node: Node) -> str | None:
    """Return NCCL's form of exactly these RDMA devices; the one mark counts for the whole list."""
    return f"={','.join(node.ib_if)}" if node.ib_if else None


VARIABLES = (
    Variable(
        name="VLLM_HOST_IP",
        per_node=True,
        value=lambda _cluster, node: str(node.host_ip),
        why="The address that vLLM's own connections use; unset, vLLM takes the one towards "
        "the default route, which is the slow network. Must equal Ray's node address.",
        source=VLLM_HOSTS,
    ),
    Variable(
        name="RAY_ADDRESS",
        value=lambda cluster, _node: ray.address(cluster),
        why="The cluster that `vllm serve` and every `ray` command join. Unset, a driver that "
        "finds no session of Ray's in its temporary folder starts a cluster of its own, and waits "
        "for GPUs.",
        source=RAY_ADDRESS,
    ),
    Variable(
        name="NCCL_SOCKET_IFNAME",
        per_node=True,
        value=exact_eth_if,
        why="The interface for NCCL's bootstrap and its TCP transport. `=` makes the name exact; "
        "otherwise it is a prefix.",
        source=NCCL,
    ),
    Variable(
        name="NCCL_IB_HCA",
        per_node=True,
        value=exact_ib_if,
        why="The RDMA devices, both twins of the port for full bandwidth. One `=` makes every "
        "name of the list exact. Left out without `IB_IF`.",
        source=NCCL,
    ),
    Variable(
        name="NCCL_IB_DISABLE",
        per_node=True,
        value=lambda _cluster, node: "0" if node.ib_if else "1",
        why="`1` (sockets only) exactly when the node has no `IB_IF`.",
        source=NCCL,
    ),
    Variable(
        name="NCCL_NET",
        per_node=True,
        value=lambda _cluster, node: "IB" if node.ib_if else None,
        yields_to=("NCCL_IB_DISABLE", "NCCL_NET_PLUGIN"),
        why="Turns the silent fallback from RDMA to TCP into a failure at the start. Left out "
        "without `IB_IF`, and when you set `NCCL_IB_DISABLE` or `NCCL_NET_PLUGIN` yourself.",
        source=NCCL,
    ),
    Variable(
        name="GLOO_SOCKET_IFNAME",
        per_node=True,
        value=eth_if,
        why="The interface for PyTorch's CPU collectives; unset, it is the one that the host name "
        "resolves to. Takes plain names only, never NCCL's `=`.",
        source=PYTORCH,
    ),
    Variable(
        name="TP_SOCKET_IFNAME",
        per_node=True,
        value=eth_if,
        why="The same for PyTorch's RPC (TensorPipe). vLLM does not use it; NVIDIA's playbook "
        "sets it, and it does no harm.",
        source=PLAYBOOK,
    ),
    Variable(
        name="UCX_NET_DEVICES",
        per_node=True,
        value=eth_if,
        why="Keeps UCX (NIXL, some MPI builds) on the link, over TCP. For UCX over RDMA set it "
        "to `device:port` names such as `rocep1s0f1:1`.",
        source=UCX,
    ),
    Variable(
        name="OMPI_MCA_btl_tcp_if_include",
        per_node=True,
        value=eth_if,
        why="Keeps Open MPI on the link: matters to `mpirun` (nccl-tests), not to Ray or vLLM.",
        source=OPEN_MPI,
    ),
    Variable(
        name="NCCL_IGNORE_CPU_AFFINITY",
        value=always("1"),
        why="NCCL places its threads near the GPU instead of inheriting Ray's CPU mask.",
        source=NCCL,
    ),
    Variable(
        name="RAY_memory_monitor_refresh_ms",
        value=always("0"),
        why="Switches Ray's out-of-memory killer off: on unified memory, weights and page cache "
        "cross its limit while a model loads. Must be in the environment of `ray start`.",
        source=RAY_MEMORY,
    ),
    Variable(
        name="RAY_AUTH_MODE",
        value=always("token"),
        why="Who reaches an open Ray port can run code on every node; with a token, only who "
        "holds it can.",
        source=RAY_AUTH,
    ),
    Variable(
        name="RAY_USAGE_STATS_ENABLED",
        value=always("0"),
        why="Ray sends no usage report to its makers.",
        source=RAY_USAGE,
    ),
    Variable(
        name="VLLM_NO_USAGE_STATS",
        value=always("1"),
        why="Neither does vLLM. The wider `DO_NOT_TRACK` is left to you: other programs read it.",
        source=VLLM_USAGE,
    ),
    Variable(
        name="PYTORCH_CUDA_ALLOC_CONF",
        value=always("expandable_segments:True"),
        yields_to=("PYTORCH_ALLOC_CONF",),
        why="Less fragmentation of memory that CPU and GPU share. vLLM's KV connectors refuse "
        "it: set `expandable_segments:False` for them. Left out when you set `PYTORCH_ALLOC_CONF`.",
        source=PYTORCH_CUDA,
    ),
    Variable(
        name="VLLM_ENGINE_READY_TIMEOUT_S",
        value=always("3600"),
        why="Seconds for the engine to load and warm up. vLLM's 600 is less than the quarter of "
        "an hour that a model of 235B parameters takes on two Sparks.",
        source=VLLM_ENVS,
    ),
)


def token_file(path: str) -> Variable:
    """Return the row that says where on the node Ray finds its token; the runtime knows."""
    return Variable(
        name="RAY_AUTH_TOKEN_PATH",
        per_node=True,
        value=always(path),
        why="The file that holds Ray's token, readable by its owner only; the token itself is in "
        "no variable.",
        source=RAY_AUTH,
    )
