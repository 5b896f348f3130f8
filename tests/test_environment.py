"""The environment of a node in its cluster."""

import subprocess
import sys
from dataclasses import replace

from cluster.environment.environment import environment, not_carried, sources
from cluster.node import Cluster
from cluster.reference.tables import EXAMPLE
from cluster.words import Environment, Secret, Value

HEAD, WORKER = EXAMPLE.nodes
TOKEN = Secret("hf_secret", "env/cluster.env:7")


def written(shared: Environment = (), head: Environment = (), worker: Environment = ()) -> Cluster:
    """Return the example cluster with pass-through variables in its three files."""
    nodes = (replace(HEAD, variables=head), replace(WORKER, variables=worker))
    return replace(EXAMPLE, variables=shared, nodes=nodes)


def difference(cluster: Cluster) -> tuple[set[str], dict[str, Value]]:
    """Return what a cluster's head lacks, and what differs, compared with the example."""
    plain = dict(environment(EXAMPLE, HEAD, token_path="/run/ray-token"))
    values = dict(environment(cluster, cluster.head, token_path="/run/ray-token"))
    changed = {name: value for name, value in values.items() if plain.get(name) != value}
    return plain.keys() - values.keys(), changed


def test_head_with_both_twins_of_port_1() -> None:
    """The head gets its address and interfaces, and the variables that all nodes share."""
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
    """A worker gets the names of its interfaces, and no RDMA variables without RDMA devices."""
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


def test_user_variables_come_last() -> None:
    """The user's variables come after the project's: those of the cluster, then the node's."""
    cluster = written(
        shared=(("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN")), head=(("OMP_NUM_THREADS", "8"),)
    )
    expected = (("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN"), ("OMP_NUM_THREADS", "8"))

    assert expected == environment(cluster, cluster.head, token_path="/t")[-3:]


def test_user_variables_override_in_place() -> None:
    """An overridden variable keeps its place; the node's file wins over cluster.env."""
    cluster = written(
        shared=(("NCCL_SOCKET_IFNAME", "=a"), ("VLLM_ENGINE_READY_TIMEOUT_S", "60")),
        head=(("NCCL_SOCKET_IFNAME", "=b"),),
    )
    plain = environment(EXAMPLE, HEAD, token_path="/run/ray-token")
    overridden = environment(cluster, cluster.head, token_path="/run/ray-token")

    assert [name for name, _ in plain] == [name for name, _ in overridden]
    assert difference(cluster) == (
        set(),
        {"NCCL_SOCKET_IFNAME": "=b", "VLLM_ENGINE_READY_TIMEOUT_S": "60"},
    )


def test_variables_of_a_node_stay_on_it() -> None:
    """Variables of the worker's file reach the worker only."""
    cluster = written(worker=(("NCCL_DEBUG", "INFO"),))

    assert difference(cluster) == (set(), {})


def test_rdma_switched_off_by_hand() -> None:
    """With the user's `NCCL_IB_DISABLE` there is no `NCCL_NET=IB`, which would fail the start."""
    cluster = written(shared=(("NCCL_IB_DISABLE", "1"),))

    assert difference(cluster) == ({"NCCL_NET"}, {"NCCL_IB_DISABLE": "1"})


def test_network_plugin() -> None:
    """A plug-in is its own network, so `NCCL_NET=IB` is left out."""
    cluster = written(shared=(("NCCL_NET_PLUGIN", "none"),))

    assert difference(cluster) == ({"NCCL_NET"}, {"NCCL_NET_PLUGIN": "none"})


def test_allocator_settings() -> None:
    """PyTorch prefers the newer name, so the older one is left out."""
    cluster = written(shared=(("PYTORCH_ALLOC_CONF", "max_split_size_mb:512"),))

    assert difference(cluster) == (
        {"PYTORCH_CUDA_ALLOC_CONF"},
        {"PYTORCH_ALLOC_CONF": "max_split_size_mb:512"},
    )


def test_names_that_stay_on_the_head() -> None:
    """The list has the variables per node, those of the nodes' files, and the server's key."""
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


def test_sources_of_user_variables() -> None:
    """The source of a variable is the file whose value counts."""
    cluster = written(
        shared=(("HF_TOKEN", TOKEN), ("NCCL_DEBUG", "WARN")), head=(("NCCL_DEBUG", "INFO"),)
    )
    expected = {"HF_TOKEN": "cluster.env", "NCCL_DEBUG": "spark1.env"}

    assert expected == sources(cluster, cluster.head)


def test_import_is_cheap() -> None:
    """Importing the room loads no slow library."""
    code = """
import sys
import cluster.environment
heavy = {"asyncio", "dotenv", "invoke", "rich", "urllib.request", "subprocess", "socket"}
print(sorted(heavy & sys.modules.keys()))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"
