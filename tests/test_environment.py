"""From a node and its cluster to the environment of the node's container."""

import subprocess
import sys
from dataclasses import replace

from cluster.environment.environment import environment, not_carried, sources
from cluster.node import Cluster
from cluster.reference import EXAMPLE
from cluster.words import Environment, Secret, Value

HEAD, WORKER = EXAMPLE.nodes
TOKEN = Secret("hf_secret", "env/cluster.env:7")


def written(shared: Environment = (), head: Environment = (), worker: Environment = ()) -> Cluster:
    """Return the example cluster with pass-through variables in its three files."""
    nodes = (replace(HEAD, variables=head), replace(WORKER, variables=worker))
    return replace(EXAMPLE, variables=shared, nodes=nodes)


def difference(cluster: Cluster) -> tuple[set[str], dict[str, Value]]:
    """Return what the head of the cluster lacks and what it has besides the example's head."""
    plain = dict(environment(EXAMPLE, HEAD, token_path="/run/ray-token"))
    ours = dict(environment(cluster, cluster.head, token_path="/run/ray-token"))
    more = {name: value for name, value in ours.items() if plain.get(name) != value}
    return plain.keys() - ours.keys(), more


def test_head_with_both_twins_of_port_1() -> None:
    """The head gets its own address and interfaces, and what is the same everywhere."""
    expected = (
        ("VLLM_HOST_IP", "192.168.177.11"),
        ("RAY_ADDRESS", "192.168.177.11:6379"),
        ("NCCL_SOCKET_IFNAME", "=enp1s0f1np1"),
        ("NCCL_IB_HCA", "=rocep1s0f1,roceP2p1s0f1"),
        ("NCCL_IB_DISABLE", "0"),
        ("NCCL_NET", "IB"),
        ("GLOO_SOCKET_IFNAME", "enp1s0f1np1"),
        ("TP_SOCKET_IFNAME", "enp1s0f1np1"),
        ("UCX_NET_DEVICES", "enp1s0f1np1"),
        ("OMPI_MCA_btl_tcp_if_include", "enp1s0f1np1"),
        ("NCCL_IGNORE_CPU_AFFINITY", "1"),
        ("RAY_memory_monitor_refresh_ms", "0"),
        ("RAY_AUTH_MODE", "token"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
        ("VLLM_ENGINE_READY_TIMEOUT_S", "3600"),
        ("RAY_AUTH_TOKEN_PATH", "/run/ray-token"),
    )

    assert expected == environment(EXAMPLE, HEAD, token_path="/run/ray-token")


def test_worker_on_another_interface_without_rdma() -> None:
    """A worker gets its own names, and no RDMA variable that it cannot fulfil."""
    worker = replace(WORKER, ib_if=())
    expected = (
        ("VLLM_HOST_IP", "192.168.177.12"),
        ("RAY_ADDRESS", "192.168.177.11:6379"),
        ("NCCL_SOCKET_IFNAME", "=enp1s0f0np0"),
        ("NCCL_IB_DISABLE", "1"),
        ("GLOO_SOCKET_IFNAME", "enp1s0f0np0"),
        ("TP_SOCKET_IFNAME", "enp1s0f0np0"),
        ("UCX_NET_DEVICES", "enp1s0f0np0"),
        ("OMPI_MCA_btl_tcp_if_include", "enp1s0f0np0"),
        ("NCCL_IGNORE_CPU_AFFINITY", "1"),
        ("RAY_memory_monitor_refresh_ms", "0"),
        ("RAY_AUTH_MODE", "token"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
        ("VLLM_ENGINE_READY_TIMEOUT_S", "3600"),
        ("RAY_AUTH_TOKEN_PATH", "/state/ray-token"),
    )

    assert expected == environment(EXAMPLE, worker, token_path="/state/ray-token")


def test_own_variables_follow_the_table() -> None:
    """Names that the table lacks come after it: first those of the cluster, then the node's."""
    cluster = written(
        shared=(("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN")), head=(("OMP_NUM_THREADS", "8"),)
    )
    expected = (("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN"), ("OMP_NUM_THREADS", "8"))

    assert expected == environment(cluster, cluster.head, token_path="/t")[-3:]


def test_own_variables_override_in_place() -> None:
    """A name of the table keeps its place and takes the user's value, best the node's own."""
    cluster = written(
        shared=(("NCCL_SOCKET_IFNAME", "=a"), ("VLLM_ENGINE_READY_TIMEOUT_S", "60")),
        head=(("NCCL_SOCKET_IFNAME", "=b"),),
    )
    plain = environment(EXAMPLE, HEAD, token_path="/run/ray-token")
    ours = environment(cluster, cluster.head, token_path="/run/ray-token")

    assert [name for name, _ in plain] == [name for name, _ in ours]
    assert difference(cluster) == (
        set(),
        {"NCCL_SOCKET_IFNAME": "=b", "VLLM_ENGINE_READY_TIMEOUT_S": "60"},
    )


def test_a_node_does_not_see_the_file_of_another() -> None:
    """What the worker's file says reaches the worker only."""
    cluster = written(worker=(("NCCL_DEBUG", "INFO"),))

    assert difference(cluster) == (set(), {})


def test_rdma_switched_off_by_hand() -> None:
    """`NCCL_IB_DISABLE` of the user takes `NCCL_NET=IB` away, which would fail the start."""
    cluster = written(shared=(("NCCL_IB_DISABLE", "1"),))

    assert difference(cluster) == ({"NCCL_NET"}, {"NCCL_IB_DISABLE": "1"})


def test_own_network_plugin() -> None:
    """A plug-in brings its own network, so `IB` is not demanded."""
    cluster = written(shared=(("NCCL_NET_PLUGIN", "none"),))

    assert difference(cluster) == ({"NCCL_NET"}, {"NCCL_NET_PLUGIN": "none"})


def test_own_allocator_settings() -> None:
    """PyTorch reads the newer name first, so ours leaves with its value."""
    cluster = written(shared=(("PYTORCH_ALLOC_CONF", "max_split_size_mb:512"),))

    assert difference(cluster) == (
        {"PYTORCH_CUDA_ALLOC_CONF"},
        {"PYTORCH_ALLOC_CONF": "max_split_size_mb:512"},
    )


def test_names_that_stay_on_the_head() -> None:
    """The list holds what differs between nodes, the names of their files, and the server's key."""
    cluster = written(
        shared=(("NCCL_DEBUG", "WARN"),),
        head=(("OMP_NUM_THREADS", "8"),),
        worker=(("CUDA_MODULE_LOADING", "EAGER"),),
    )
    expected = """\
[
  "CUDA_MODULE_LOADING",
  "GLOO_SOCKET_IFNAME",
  "NCCL_IB_DISABLE",
  "NCCL_IB_HCA",
  "NCCL_NET",
  "NCCL_SOCKET_IFNAME",
  "OMPI_MCA_btl_tcp_if_include",
  "OMP_NUM_THREADS",
  "RAY_AUTH_TOKEN_PATH",
  "TP_SOCKET_IFNAME",
  "UCX_NET_DEVICES",
  "VLLM_API_KEY",
  "VLLM_HOST_IP"
]
"""

    assert expected == not_carried(cluster)


def test_sources_of_own_variables() -> None:
    """The file is named whose value counts."""
    cluster = written(
        shared=(("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN")), head=(("NCCL_DEBUG", "INFO"),)
    )
    expected = {"HF_TOKEN": "cluster.env", "NCCL_DEBUG": "spark1.env"}

    assert expected == sources(cluster, cluster.head)


def test_import_is_cheap() -> None:
    """The room needs nothing that makes a command line slow to start."""
    code = """
import sys
import cluster.environment
heavy = {"asyncio", "dotenv", "invoke", "rich", "urllib.request", "subprocess", "socket"}
print(sorted(heavy & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"
