"""The variables of a node's environment, and those left out: each with its reason and source."""

from collections.abc import Callable
from dataclasses import dataclass

from cluster.commands import ray
from cluster.node import Cluster, Node
from cluster.words import Value

NCCL = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"
PLAYBOOK = "https://github.com/NVIDIA/dgx-spark-playbooks/blob/main/nvidia/vllm/README.md"
RAY_AUTH = "https://docs.ray.io/en/latest/ray-security/token-auth.html"
RAY_START = "https://docs.ray.io/en/latest/cluster/cli.html"
VLLM_ENVS = "https://github.com/vllm-project/vllm/blob/main/vllm/envs.py"

Rule = Callable[[Cluster, Node], Value | None]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable that the project sets."""

    name: str
    value: Rule
    """Returns the value on a node of a cluster; None leaves the variable out on that node."""
    per_node: bool = False
    """Whether nodes have different values, so that the head's must not reach a worker."""
    yields_to: tuple[str, ...] = ()
    """Pass-through variables that contradict this one, which is left out if any of them is set."""
    why: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A variable that other guides set and this project does not."""

    name: str
    why: str
    instead: str
    source: str


def always(value: str) -> Rule:
    """Return a rule that gives every node the same value."""
    return lambda _cluster, _node: value


def eth_if(_cluster: Cluster, node: Node) -> str:
    """Return the plain name of the interface."""
    return node.eth_if


def exact_eth_if(_cluster: Cluster, node: Node) -> str:
    """Return the interface in NCCL's exact form: without `=` a name is a prefix."""
    return f"={node.eth_if}"


def exact_ib_if(_cluster: Cluster, node: Node) -> str | None:
    """Return the RDMA devices in NCCL's exact form: one `=` applies to the whole list."""
    return f"={','.join(node.ib_if)}" if node.ib_if else None


VARIABLES = (
    Variable(
        name="VLLM_HOST_IP",
        per_node=True,
        value=lambda _cluster, node: str(node.host_ip),
        why="Address for vLLM's own connections; if unset, vLLM uses that of the default "
        "route, which is on the slow network. Must equal Ray's node address.",
        source="https://docs.vllm.ai/en/latest/serving/distributed_troubleshooting/",
    ),
    Variable(
        name="RAY_ADDRESS",
        value=lambda cluster, _node: ray.address(cluster),
        why="Cluster that `vllm serve` and every `ray` command join. Unset, a driver that finds no "
        "Ray session in its temporary folder starts a new cluster and waits for GPUs.",
        source="https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html",
    ),
    Variable(
        name="NCCL_SOCKET_IFNAME",
        per_node=True,
        value=exact_eth_if,
        why="Interface for NCCL's bootstrap and its TCP transport. `=` makes the name exact; "
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
        why="Interface for PyTorch's CPU collectives; unset, the one that the host name resolves "
        "to. Accepts plain names only, without NCCL's `=`.",
        source="https://docs.pytorch.org/docs/stable/distributed.html",
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
        why="Keeps UCX (NIXL, some MPI builds) on the fast link, over TCP. For UCX over RDMA set "
        "it to `device:port` names such as `rocep1s0f1:1`.",
        source="https://docs.nvidia.com/doca/sdk/DOCA+UCX",
    ),
    Variable(
        name="OMPI_MCA_btl_tcp_if_include",
        per_node=True,
        value=eth_if,
        why="Keeps Open MPI (`mpirun` of nccl-tests) on the fast link; not used by Ray or vLLM.",
        source="https://docs.open-mpi.org/en/v5.0.x/mca.html",
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
        "exceed its limit while a model loads. Must be in the environment of `ray start`.",
        source="https://docs.ray.io/en/latest/ray-core/scheduling/ray-oom-prevention.html",
    ),
    Variable(
        name="RAY_AUTH_MODE",
        value=always("token"),
        why="Anybody who reaches an open Ray port can run code on every node; with a token, only "
        "its owners can.",
        source=RAY_AUTH,
    ),
    Variable(
        name="RAY_USAGE_STATS_ENABLED",
        value=always("0"),
        why="Ray sends no usage reports.",
        source="https://docs.ray.io/en/latest/cluster/usage-stats.html",
    ),
    Variable(
        name="VLLM_NO_USAGE_STATS",
        value=always("1"),
        why="The same for vLLM. The wider `DO_NOT_TRACK` is left to you: other programs read it.",
        source="https://docs.vllm.ai/en/latest/usage/usage_stats/",
    ),
    Variable(
        name="PYTORCH_CUDA_ALLOC_CONF",
        value=always("expandable_segments:True"),
        yields_to=("PYTORCH_ALLOC_CONF",),
        why="Less fragmentation of the memory that CPU and GPU share. vLLM's KV connectors refuse "
        "it: set `expandable_segments:False` for them. Left out when you set `PYTORCH_ALLOC_CONF`.",
        source="https://docs.pytorch.org/docs/stable/notes/cuda.html",
    ),
    Variable(
        name="VLLM_ENGINE_READY_TIMEOUT_S",
        value=always("3600"),
        why="Seconds for vLLM's engine to load and warm up. The default of 600 is less than the "
        "15 minutes that a model of 235B parameters takes on two Sparks.",
        source=VLLM_ENVS,
    ),
)


def token_file(path: str) -> Variable:
    """Return the row for the path of Ray's token on a node, which depends on the runtime."""
    return Variable(
        name="RAY_AUTH_TOKEN_PATH",
        per_node=True,
        value=always(path),
        why="File with Ray's token, readable by its owner only; no variable has the token itself.",
        source=RAY_AUTH,
    )


DROPPED = (
    Dropped(
        name="RAY_NODE_IP_ADDRESS",
        why="Has no effect: Ray 2.60 does not contain the name.",
        instead="`ray start --node-ip-address`, from `HOST_IP`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_OVERRIDE_NODE_IP_ADDRESS",
        why="Has no effect: Ray 2.60 does not contain the name.",
        instead="`ray start --node-ip-address`, from `HOST_IP`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_object_store_memory",
        why="Not a variable of Ray 2.60.",
        instead="`ray start --object-store-memory`, from `OBJECT_STORE_MEMORY`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_num_prestart_python_workers",
        why="Not a variable of Ray 2.60, which derives the number from the CPUs that it may use.",
        instead="`ray start --num-cpus`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_CGRAPH_get_timeout",
        why="Only for Ray's Compiled Graph, which the Ray executor of vLLM 0.32 does not use.",
        instead="`VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS` if you need it",
        source=VLLM_ENVS,
    ),
    Dropped(
        name="RAY_AUTH_TOKEN",
        why="`docker inspect` and every child process would show the token.",
        instead="`RAY_AUTH_TOKEN_PATH`",
        source=RAY_AUTH,
    ),
    Dropped(
        name="MN_IF_NAME",
        why="A shell variable of NVIDIA's playbook that fills others; no program reads it.",
        instead="`ETH_IF`",
        source=PLAYBOOK,
    ),
    Dropped(
        name="MASTER_ADDR",
        why="With Ray, vLLM uses the Ray address of rank 0.",
        instead="`HEAD_IP`",
        source="https://docs.vllm.ai/en/latest/serving/parallelism_scaling/",
    ),
    Dropped(
        name="NCCL_IB_GID_INDEX",
        why="NCCL 2.21 and later find the RoCE v2 entry of each device; a number set here is used "
        "unchecked on every device.",
        instead="nothing",
        source=NCCL,
    ),
    Dropped(
        name="NCCL_NET_GDR_LEVEL",
        why="DGX Spark has no GPUDirect RDMA in any form (nor `NCCL_DMABUF_ENABLE`).",
        instead="nothing",
        source="https://forums.developer.nvidia.com/t/dgx-spark-gpudirect-rdma/348787",
    ),
    Dropped(
        name="VLLM_USE_RAY_V2_EXECUTOR_BACKEND",
        why="The default from vLLM 0.22 to 0.32; 0.33 ignores the name and logs a warning.",
        instead="`vllm serve --distributed-executor-backend ray`",
        source=VLLM_ENVS,
    ),
)
