"""The variables that other guides set and this project does not, and what replaces each."""

from dataclasses import dataclass

from cluster.environment.variables import NCCL, PLAYBOOK, RAY_AUTH, VLLM_ENVS

RAY_START = "https://docs.ray.io/en/latest/cluster/cli.html"
SPARK_DIRECT = "https://forums.developer.nvidia.com/t/dgx-spark-gpudirect-rdma/348787"
VLLM_PARALLEL = "https://docs.vllm.ai/en/latest/serving/parallelism_scaling/"


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A variable that is left out on purpose."""

    name: str
    why: str
    instead: str
    source: str


DROPPED = (
    Dropped(
        name="RAY_NODE_IP_ADDRESS",
        why="Ray 2.60 contains no such name: it has no effect.",
        instead="`ray start --node-ip-address`, from `HOST_IP`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_OVERRIDE_NODE_IP_ADDRESS",
        why="Ray 2.60 does not contain it either.",
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
        why="Not a variable of Ray 2.60, which derives the number from the CPUs it may use.",
        instead="`ray start --num-cpus`",
        source=RAY_START,
    ),
    Dropped(
        name="RAY_CGRAPH_get_timeout",
        why="Only for Ray's Compiled Graph, which vLLM 0.33 no longer uses.",
        instead="`VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS` where you need it",
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
        why="On Ray, vLLM takes the Ray address of rank 0.",
        instead="`HEAD_IP`",
        source=VLLM_PARALLEL,
    ),
    Dropped(
        name="NCCL_IB_GID_INDEX",
        why="NCCL 2.21 and later find the RoCE v2 row of each device; a number given here is used "
        "unchecked on every device.",
        instead="nothing",
        source=NCCL,
    ),
    Dropped(
        name="NCCL_NET_GDR_LEVEL",
        why="DGX Spark has no GPUDirect RDMA in any form (nor `NCCL_DMABUF_ENABLE`).",
        instead="nothing",
        source=SPARK_DIRECT,
    ),
    Dropped(
        name="VLLM_USE_RAY_V2_EXECUTOR_BACKEND",
        why="The default since vLLM 0.22, gone in 0.33, which warns of unknown names.",
        instead="`vllm serve --distributed-executor-backend ray`",
        source=VLLM_ENVS,
    ),
)
