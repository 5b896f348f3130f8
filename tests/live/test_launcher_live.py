"""`run-cluster-node` in real containers on two hosts, started as the original's README does."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.live.hosts import Lan
from tests.live.machine import INTERFACE, Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

IMAGE = "vllm-node:cpu"
PROBE = "/opt/spark-vllm-cluster/probe.py"
TOKEN = "token-of-a-live-test"
LINK = ("--eth-if", INTERFACE, "--ib-if", "")
"""Explicitly without RDMA."""
HEAD = ("--role", "head", "--host-ip", "192.168.177.11", *LINK)
NODE = ("--role", "node", "--host-ip", "192.168.177.12", *LINK, "--head-ip", "192.168.177.11")
SHELLS = ("-c", "-lc", "-ic")


def variables(address: str, head: str, **changes: str) -> dict[str, str]:
    """Return the cluster's variables of a shell on a node without RDMA."""
    return {
        "GLOO_SOCKET_IFNAME": INTERFACE,
        "NCCL_IB_DISABLE": "1",
        "NCCL_IGNORE_CPU_AFFINITY": "1",
        "NCCL_SOCKET_IFNAME": f"={INTERFACE}",
        "OMPI_MCA_btl_tcp_if_include": INTERFACE,
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "RAY_ADDRESS": head,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        "TP_SOCKET_IFNAME": INTERFACE,
        "UCX_NET_DEVICES": INTERFACE,
        "VLLM_ENGINE_READY_TIMEOUT_S": "3600",
        "VLLM_HOST_IP": address,
        "VLLM_NO_USAGE_STATS": "1",
    } | changes


def seen(host: Machine, container: str, shell: str = "-c") -> dict[str, str]:
    """Return the variables of a bash in a container that concern the cluster."""
    text = host.docker("exec", container, "bash", shell, "env -0")
    pairs = (item.partition("=") for item in text.split("\0"))
    prefixes = ("GLOO_", "NCCL_", "OMPI_", "PYTORCH_", "RAY_", "TP_", "UCX_")
    vllm = ("VLLM_ENGINE", "VLLM_HOST", "VLLM_NO")
    return {name: value for name, _, value in pairs if name.startswith((*prefixes, *vllm))}


def alive(host: Machine, container: str, count: int) -> list[str]:
    """Wait until Ray has so many nodes; return the addresses of those that live."""
    ask = f'python {PROBE} ray-nodes --address "$RAY_ADDRESS" --count {count} --wait 90'
    answer = json.loads(host.docker("exec", container, "bash", "-c", ask))
    return sorted(node["address"] for node in answer.get("nodes", ()) if node["alive"])


def run(host: Machine, *words: str) -> tuple[int, str]:
    """Run a container to its end; return its exit code and output."""
    done = host.run(["docker", "run", "--rm", *words])
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(name="by_hand")
def _by_hand(lan: Lan) -> Iterator[Machine]:
    """Return a host with a container `by_hand` that has a token, a variable and no Ray yet."""
    host = lan.hosts[0]
    token = host.folder / "ray-token"
    token.write_text(TOKEN, encoding="utf-8")
    token.chmod(0o600)
    mount = ("--volume", f"{token}:/run/secrets/ray-token:ro")
    settings = ("--net=host", "--shm-size=1g", "--init", "--env", "NCCL_DEBUG=INFO")
    host.docker("run", "-d", *settings, *mount, "--name", "by_hand", IMAGE, "sleep", "1d")
    yield host
    host.docker("rm", "--force", "by_hand")


@pytest.fixture(name="cluster", scope="module")
def _cluster(lan: Lan) -> Iterator[Lan]:
    """Return the hosts with a head and a node, by the original's command lines."""
    for host, flags in zip(lan.hosts, (HEAD, NODE), strict=True):
        settings = ("--net=host", "--shm-size=1g", "--name", "vllm_node")
        command = (IMAGE, "./run-cluster-node.sh", *flags, "--gpus", "1")
        host.docker("run", "-d", *settings, *command)
    yield lan
    for host in lan.hosts:
        host.docker("rm", "--force", "vllm_node")


def test_flags_that_are_missing(lan: Lan) -> None:
    """A container without flags names those that it needs, and exits with 2."""
    expected = """\
run-cluster-node: --role: is missing (write --role head or --role node)
run-cluster-node: --host-ip: is missing (write --host-ip 192.168.177.11)
run-cluster-node: --eth-if: is missing (write --eth-if enp1s0f1np1)
run-cluster-node: --ib-if: is missing (write --ib-if rocep1s0f1,roceP2p1s0f1, \
or --ib-if "" for sockets only)
"""

    assert run(lan.hosts[0], IMAGE, "./run-cluster-node.sh") == (2, expected)


def test_container_without_the_hosts_network(lan: Lan) -> None:
    """A container without `--net=host` says that it needs it."""
    expected = (
        f"run-cluster-node: --eth-if {INTERFACE} does not exist; interfaces: none "
        "(start the container with --net=host)\n"
    )

    assert run(lan.hosts[0], IMAGE, "./run-cluster-node.sh", *HEAD) == (3, expected)


def test_wrong_machine(lan: Lan) -> None:
    """The flags of one host do not start another, and a missing RDMA device is reported."""
    flags = ("--eth-if", INTERFACE, "--ib-if", "rocep1s0f1")
    expected = (
        "run-cluster-node: --host-ip 192.168.177.11 is on no interface; "
        f"--eth-if {INTERFACE} has 192.168.177.12 (write --host-ip 192.168.177.12)\n"
        "run-cluster-node: has no RDMA device, but --ib-if is rocep1s0f1 "
        '(`sudo modprobe mlx5_ib` on the host, or write --ib-if "", for sockets only)\n'
    )
    words = ("--net=host", IMAGE, "run-cluster-node", *HEAD[:4], *flags)

    assert run(lan.hosts[1], *words) == (3, expected)


def test_two_starts_in_one_container(by_hand: Machine) -> None:
    """A second start with other values, from a shell of the first, leaves one value each."""
    flags = (*HEAD, "--gpus", "1", "--port", "6380")
    by_hand.docker("exec", "-d", "by_hand", "run-cluster-node", *flags)
    _until_written(by_hand, "192.168.177.11:6380")
    token = {
        "NCCL_DEBUG": "INFO",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": "/run/secrets/ray-token",
    }
    first = variables("192.168.177.11", "192.168.177.11:6380", **token)

    assert alive(by_hand, "by_hand", 1) == ["192.168.177.11"]
    assert first == seen(by_hand, "by_hand")

    again = by_hand.run(["docker", "exec", "by_hand", "run-cluster-node", *flags])
    running = "run-cluster-node: Ray already runs in this container (stop it: `ray stop`)\n"

    assert (again.returncode, again.stderr) == (3, running)

    by_hand.docker("exec", "by_hand", "bash", "-c", "ray stop")
    line = f"run-cluster-node -r node -h 192.168.177.11 -e {INTERFACE} -i '' -m 192.168.177.12"
    by_hand.docker("exec", "-d", "by_hand", "bash", "-c", f"NCCL_DEBUG=TRACE {line}")
    _until_written(by_hand, "192.168.177.12:6379")
    second = variables("192.168.177.11", "192.168.177.12:6379", **token | {"NCCL_DEBUG": "TRACE"})

    assert second == seen(by_hand, "by_hand")


def _until_written(host: Machine, address: str, container: str = "by_hand") -> None:
    """Wait until shells of the container have this address of Ray."""
    until = time.monotonic() + 30
    while seen(host, container).get("RAY_ADDRESS") != address:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_token_stays_in_its_file(by_hand: Machine) -> None:
    """Ray requires the token that was mounted, and nothing else shows it."""
    by_hand.docker("exec", "-d", "by_hand", "run-cluster-node", *HEAD, "--gpus", "1")
    _until_written(by_hand, "192.168.177.11:6379")
    addresses = alive(by_hand, "by_hand", 1)
    ask = ["python", PROBE, "ray-nodes", "--address", "192.168.177.11:6379"]
    stranger = json.loads(by_hand.docker("exec", "-e", "RAY_AUTH_MODE=disabled", "by_hand", *ask))
    places = (
        by_hand.docker("inspect", "by_hand"),
        by_hand.docker("exec", "by_hand", "ps", "axeww"),
        by_hand.docker("exec", "by_hand", "cat", "/etc/spark-vllm-cluster/environment.sh"),
    )

    assert addresses == ["192.168.177.11"]
    assert stranger["error"] == "unauthorized"
    assert [False] * 3 == [TOKEN in place for place in places]


def test_node_joins_head(cluster: Lan) -> None:
    """Two lines of the original make a cluster of two."""
    head, _ = cluster.hosts
    _until_written(head, "192.168.177.11:6379", "vllm_node")

    assert alive(head, "vllm_node", 2) == ["192.168.177.11", "192.168.177.12"]


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_in_every_shell(cluster: Lan, shell: str) -> None:
    """A command, a login shell and an interactive one have the variables of their node."""
    addresses = ("192.168.177.11", "192.168.177.12")
    expected = [variables(address, "192.168.177.11:6379") for address in addresses]

    assert expected == [seen(host, "vllm_node", shell) for host in cluster.hosts]


@pytest.mark.parametrize("words", [(), *(("bash", shell) for shell in SHELLS)])
def test_programs_are_on_the_path(cluster: Lan, words: tuple[str, ...]) -> None:
    """`vllm` and `ray` are found by every kind of `docker exec`."""
    host = cluster.hosts[1]
    paths = []
    for program in ("ray", "run-cluster-node", "vllm"):
        command = (*words, f"command -v {program}") if words else ("which", program)
        paths.append(host.docker("exec", "vllm_node", *command))

    assert paths == ["/opt/venv/bin/ray", "/usr/local/bin/run-cluster-node", "/opt/venv/bin/vllm"]


def test_second_container_on_a_host(cluster: Lan) -> None:
    """On the host's network there is one head for each port."""
    expected = (
        "run-cluster-node: port 6379 (--port) is taken by another program on 192.168.177.11 "
        "(`sudo ss -ltnp sport = :6379` on the host shows the program; or write another --port)\n"
    )

    assert run(cluster.hosts[0], "--net=host", IMAGE, "run-cluster-node", *HEAD) == (3, expected)


def test_log(cluster: Lan) -> None:
    """The container's log begins with the node and its command, and warns of the missing token."""
    _, node = cluster.hosts
    done = node.run(["docker", "logs", "vllm_node"])
    whereabouts, place, command = done.stdout.splitlines()[:3]

    assert whereabouts == (
        f"run-cluster-node: node 192.168.177.12 of head 192.168.177.11 on {INTERFACE}, "
        "no RDMA: sockets only, several times slower"
    )
    assert place == (
        "run-cluster-node: variables for every bash in this container: "
        "/etc/spark-vllm-cluster/environment.sh"
    )
    assert command == (
        "run-cluster-node: ray start --block --address 192.168.177.11:6379 "
        "--node-ip-address 192.168.177.12 --object-store-memory 1073741824 "
        "--num-gpus 1 --disable-usage-stats"
    )
    assert "run-cluster-node: warning: no token, " in done.stderr
