"""Every key of the env files, once: its scope, type, default, meaning and example."""

from ipaddress import IPv4Address, IPv4Network

from cluster.node import Accelerator, Role, Runtime
from cluster.settings import docker_values, values
from cluster.settings.key import Key, Scope

EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 (others may ask the server: it is what the key is for)

RUNTIME = Key[Runtime](
    name="RUNTIME",
    scope="cluster",
    parse=values.choice("docker", "process"),
    default="docker",
    example="docker",
    meaning="`docker` starts a container on every node. `process` runs the same command lines as "
    "processes in network namespaces of this machine: the rehearsal.",
)
IMAGE = Key[str](
    name="IMAGE",
    scope="cluster",
    parse=docker_values.image,
    default="vllm-node",
    example="vllm-node",
    meaning="Name of the image that `inv build` makes, `inv ship` copies and the containers run.",
)
CONTAINER = Key[str](
    name="CONTAINER",
    scope="cluster",
    parse=docker_values.container,
    default="vllm_node",
    example="vllm_node",
    meaning="Name of the container on every node. Its volumes, for logs and compile caches, are "
    "named after it.",
)
ACCELERATOR = Key[Accelerator](
    name="ACCELERATOR",
    scope="cluster",
    parse=values.choice("nvidia", "cdi", "none"),
    default="nvidia",
    example="nvidia",
    meaning="How a container gets its GPUs: `nvidia` as `docker run --gpus all` does, `cdi` by "
    "the devices of the NVIDIA Container Toolkit's CDI specification, `none` for a node without "
    "any: Ray is then told that it has GPUS of them, and the image must compute on the CPU.",
)
SHM_SIZE = Key[int | None](
    name="SHM_SIZE",
    scope="cluster",
    parse=docker_values.shared_memory(64 * 2**20),
    default="16g",
    example="16g",
    meaning="Shared memory that a container may use, where Ray's object store and the ranks' "
    "messages live: a size, or `host` for the node's own (`--ipc=host`).",
)
HF_CACHE = Key[str](
    name="HF_CACHE",
    scope="cluster",
    parse=docker_values.node_folder,
    default="~/.cache/huggingface",
    example="/data/huggingface",
    meaning="Folder on every node with the models of Hugging Face; the containers see it as their "
    "own. `~` is the home of the user who logs in there.",
)
PRIVILEGED = Key[bool](
    name="PRIVILEGED",
    scope="cluster",
    parse=values.switch,
    default="false",
    example="false",
    meaning="Whether the containers run with `--privileged --ipc=host`. Not needed: without it "
    "they get the RDMA devices, locked memory and nothing else.",
)
SUBNET = Key[IPv4Network](
    name="SUBNET",
    scope="cluster",
    parse=values.network,
    derived="the head's HOST_IP",
    example="192.168.177.0/24",
    meaning="The network that must hold the HOST_IP of every node. Default: the /24 around the "
    "head's HOST_IP.",
)
HEAD_PORT = Key[int](
    name="HEAD_PORT",
    scope="cluster",
    parse=values.port,
    default="6379",
    example="6379",
    meaning="TCP port of Ray's global control store on the head: what the workers join.",
)
DASHBOARD = Key[bool](
    name="DASHBOARD",
    scope="cluster",
    parse=values.switch,
    default="true",
    example="true",
    meaning="Whether Ray's dashboard runs on the head, `true` or `false`. It listens on the "
    "head's loopback only, port 8265: reach it through an SSH tunnel.",
)
OBJECT_STORE_MEMORY = Key[int](
    name="OBJECT_STORE_MEMORY",
    scope="cluster",
    # ray-project/ray, ray_constants.py: OBJECT_STORE_MINIMUM_MEMORY_BYTES
    parse=values.size(75 * 2**20),
    default="1g",
    example="1g",
    meaning="Shared memory for Ray's object store on each node: bytes, or a number with a unit of "
    "1024 (`512MiB`, `1g`), at least 75MiB. vLLM needs little of it; left to itself, Ray takes "
    "30 % of the memory that the model could have.",
)
SERVE_HOST = Key[str](
    name="SERVE_HOST",
    scope="cluster",
    parse=values.listen_host,
    default=EVERY_INTERFACE,
    example=EVERY_INTERFACE,
    meaning="Address on which the OpenAI-compatible server listens on the head. `0.0.0.0` is "
    "every interface, `127.0.0.1` the head alone.",
)
SERVE_PORT = Key[int](
    name="SERVE_PORT",
    scope="cluster",
    parse=values.port,
    default="8888",
    example="8888",
    meaning="TCP port of the OpenAI-compatible server on the head.",
)
MODEL = Key[str](
    name="MODEL",
    scope="cluster",
    parse=values.model,
    default="",
    example="Qwen/Qwen3-4B",
    meaning="Model that `inv serve` serves when it is given no --model: a name on Hugging Face, "
    "or a folder on every node, where `./x` is one below this repository. Default: none.",
)
GPU_MEMORY_UTILIZATION = Key[float](
    name="GPU_MEMORY_UTILIZATION",
    scope="cluster",
    parse=values.share,
    default="0.7",
    example="0.7",
    meaning="Share of a GPU's memory that vLLM may take, above 0 and at most 1. On a Spark the "
    "operating system and the page cache live in the same memory.",
)
MAX_MODEL_LEN = Key[int](
    name="MAX_MODEL_LEN",
    scope="cluster",
    parse=values.whole(1, 10**8, "a number of tokens"),
    default="32768",
    example="32768",
    meaning="Longest context, prompt and answer together, in tokens.",
)
SERVE_ARGS = Key[tuple[str, ...]](
    name="SERVE_ARGS",
    scope="cluster",
    parse=values.words,
    default="",
    example="--load-format fastsafetensors",
    meaning="More flags for `vllm serve`, quoted as for a shell. Default: none.",
)

ROLE = Key[Role](
    name="ROLE",
    scope="node",
    parse=values.choice("head", "worker"),
    example="head",
    meaning="`head` on exactly one node, `worker` on the others. Required.",
)
HOST_IP = Key[IPv4Address](
    name="HOST_IP",
    scope="node",
    parse=values.address,
    example="192.168.177.11",
    meaning="This node's IPv4 address on the ConnectX link, not the one on the 10 GbE or wireless "
    "network: Ray, NCCL and vLLM use it. Required.",
)
ETH_IF = Key[str](
    name="ETH_IF",
    scope="node",
    parse=values.interface,
    example="enp1s0f1np1",
    meaning="Ethernet interface that holds HOST_IP, as `ip -br link` names it. Nodes may differ: "
    "it depends on the port that the cable is in. Required.",
)
IB_IF = Key[tuple[str, ...]](
    name="IB_IF",
    scope="node",
    parse=values.rdma_devices,
    default="",
    example="rocep1s0f1,roceP2p1s0f1",
    advised=True,
    meaning="RDMA devices of the same port, as `ibdev2netdev` names them, with a comma between "
    "them. A port of a Spark is two devices, each half of its bandwidth: name both. Default: none, "
    "which is sockets only, several times slower.",
)
HEAD_IP = Key[IPv4Address](
    name="HEAD_IP",
    scope="node",
    parse=values.address,
    derived="the head's HOST_IP",
    example="192.168.177.11",
    meaning="Address that this node joins. Default: the head's HOST_IP; nothing else would work.",
)
SSH_HOST = Key[str](
    name="SSH_HOST",
    scope="node",
    parse=values.ssh_host,
    derived="HOST_IP",
    example="spark1",
    meaning="How the machine you work on reaches this node: a host, an alias of your "
    "~/.ssh/config, or user@host. Default: HOST_IP.",
)
GPUS = Key[int](
    name="GPUS",
    scope="node",
    parse=values.whole(1, 64, "a number of GPUs"),
    default="1",
    example="1",
    meaning="GPUs of this node. A Spark has one.",
)

Keys = tuple[Key[object], ...]

CLUSTER_KEYS: Keys = (
    RUNTIME,
    IMAGE,
    CONTAINER,
    ACCELERATOR,
    SHM_SIZE,
    HF_CACHE,
    PRIVILEGED,
    SUBNET,
    HEAD_PORT,
    DASHBOARD,
    OBJECT_STORE_MEMORY,
    SERVE_HOST,
    SERVE_PORT,
    MODEL,
    GPU_MEMORY_UTILIZATION,
    MAX_MODEL_LEN,
    SERVE_ARGS,
)
NODE_KEYS: Keys = (ROLE, HOST_IP, ETH_IF, IB_IF, HEAD_IP, SSH_HOST, GPUS)
KEYS: dict[Scope, Keys] = {"cluster": CLUSTER_KEYS, "node": NODE_KEYS}
