"""What `run-cluster-node` starts, by the flags and the variables of the container."""

import json
from collections.abc import Mapping

import pytest

from cluster.environment.environment import environment, not_carried
from cluster.launcher.flags import read
from cluster.launcher.launch import (
    NodeLaunch,
    TokenSource,
    contradictions,
    messages,
    node_launch,
    ray_environment,
)
from cluster.words import Secret

LINK = ("--eth-if", "enp1s0f1np1", "--ib-if")
RDMA = (*LINK, "rocep1s0f1,roceP2p1s0f1")
HEAD = ("--role", "head", "--host-ip", "192.168.177.11")
NODE = ("--role", "node", "--host-ip", "192.168.177.12", "--head-ip", "192.168.177.11")
MOUNTED = TokenSource(path="/run/secrets/ray-token")
NOTHING: Mapping[str, str] = {}
OPEN = TokenSource(is_decided=False)


def launched(
    *argv: str,
    token: TokenSource = MOUNTED,
    dashboard: bool = True,
    given: Mapping[str, str] = NOTHING,
) -> NodeLaunch:
    """Return what a command line starts in a container with these variables."""
    return node_launch(read(argv), given, token, dashboard=dashboard)


def test_head() -> None:
    """For a head, Ray's command and the variables are those that env files would give."""
    launch = launched(*HEAD, *RDMA)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=true"),
        *("--dashboard-host", "127.0.0.1", "--dashboard-port", "8265"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == launch.argv
    assert launch.environment == environment(
        launch.cluster, launch.node, token_path="/run/secrets/ray-token"
    )
    assert launch.warnings == ()


def test_node() -> None:
    """A node joins the head at its address and port."""
    launch = launched(*NODE, *RDMA, "--port", "6380")
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6380"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == launch.argv
    assert dict(launch.environment)["RAY_ADDRESS"] == "192.168.177.11:6380"
    assert dict(launch.environment)["VLLM_HOST_IP"] == "192.168.177.12"


def test_worker_is_a_node() -> None:
    """The role `worker` of the env files is the same as `node`."""
    assert launched(*NODE, *RDMA) == launched("--role", "worker", *NODE[2:], *RDMA)


def test_stated_gpus() -> None:
    """The number of GPUs is passed to Ray, and counts as the node's."""
    launch = launched(*HEAD, *LINK, "", "--gpus", "2", dashboard=False)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=false"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        *("--num-gpus", "2", "--disable-usage-stats"),
    )

    assert expected == launch.argv
    assert launch.node.gpus == 2


def test_variables_of_the_container_win() -> None:
    """Variables of the container replace values of the table and rule out contradicting ones."""
    plain = launched(*HEAD, *RDMA)
    given = {"NCCL_IB_DISABLE": "1", "NCCL_DEBUG": "INFO", "HF_TOKEN": "hf_secret"}
    launch = launched(*HEAD, *RDMA, given=given)
    added = set(launch.environment) - set(plain.environment)
    removed = dict(plain.environment).keys() - dict(launch.environment).keys()

    assert added == {
        ("NCCL_IB_DISABLE", "1"),
        ("NCCL_DEBUG", "INFO"),
        ("HF_TOKEN", Secret("hf_secret", "this container")),
    }
    assert removed == {"NCCL_NET"}


def test_variables_of_the_container_reach_the_workers() -> None:
    """Only variables of the table stay on the head: its HF_TOKEN serves all nodes."""
    launch = launched(*HEAD, *RDMA, given={"HF_TOKEN": "hf_secret"})

    assert not_carried(launch.cluster) == not_carried(launched(*HEAD, *RDMA).cluster)
    assert "HF_TOKEN" not in json.loads(not_carried(launch.cluster))


def test_environment_of_ray() -> None:
    """Ray gets the container's variables with the values of the table, except the server's key."""
    launch = launched(*HEAD, *LINK, "", given={"VLLM_API_KEY": "sk-1", "HF_TOKEN": "hf_secret"})
    inherited = {"PATH": "/bin", "VLLM_API_KEY": "sk-1", "TP_SOCKET_IFNAME": "x", "NCCL_X": "gone"}
    pairs = ray_environment(launch, inherited)
    expected = {"PATH": "/bin", "HF_TOKEN": "hf_secret", "TP_SOCKET_IFNAME": "enp1s0f1np1"}

    assert expected == {name: pairs[name] for name in expected}
    assert {"VLLM_API_KEY", "NCCL_X"}.isdisjoint(pairs)


def test_token_in_a_variable() -> None:
    """A token that is a variable needs no file, and is a secret."""
    launch = launched(
        *HEAD,
        *RDMA,
        token=TokenSource(),
        given={"RAY_AUTH_TOKEN": "t", "RAY_AUTH_TOKEN_PATH": "/x"},
    )
    pairs = dict(launch.environment)

    assert pairs["RAY_AUTH_MODE"] == "token"
    assert pairs["RAY_AUTH_TOKEN"] == Secret("t", "this container")
    assert "RAY_AUTH_TOKEN_PATH" not in pairs


def test_no_token() -> None:
    """Without a token Ray runs without one, and a warning says what that means."""
    launch = launched(*HEAD, *RDMA, token=OPEN, given={"RAY_AUTH_MODE": ""})
    expected = (
        "no token, so everyone who reaches Ray's ports can run programs on this machine (mount the "
        "same one on all nodes: docker run -v /path/to/token:/run/secrets/ray-token:ro)"
    )

    assert [f"run-cluster-node: {expected}"] == [str(warning) for warning in launch.warnings]
    assert dict(launch.environment)["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN_PATH" not in dict(launch.environment)


@pytest.mark.parametrize("mode", ["", "TOKEN"])
def test_mode_that_says_nothing_else(mode: str) -> None:
    """An empty mode, which Ray takes for none, does not switch the token off."""
    launch = launched(*HEAD, *RDMA, given={"RAY_AUTH_MODE": mode})

    assert dict(launch.environment)["RAY_AUTH_MODE"] == "token"


def test_authentication_switched_off() -> None:
    """Authentication that is switched off on purpose is no warning."""
    launch = launched(*HEAD, *RDMA, token=TokenSource(), given={"RAY_AUTH_MODE": "disabled"})

    assert launch.warnings == ()
    assert dict(launch.environment)["RAY_AUTH_MODE"] == "disabled"


def test_contradictions() -> None:
    """A variable that the flags decide must have the same value; tokens are exempt."""
    inherited = {
        "RAY_ADDRESS": "192.168.177.11:6379",
        "RAY_AUTH_TOKEN": "t",
        "RAY_NODE_IP_ADDRESS": "192.168.177.11",
        "VLLM_HOST_IP": "10.0.0.1",
    }
    launch = launched(*HEAD, *RDMA, given=inherited)
    remedy = "(start the container without it)"
    expected = [
        (
            "run-cluster-node: RAY_NODE_IP_ADDRESS: is set in this container, but flags decide it: "
            f"`192.168.177.11` {remedy}"
        ),
        (
            "run-cluster-node: VLLM_HOST_IP: is set in this container, but flags decide it: "
            f"`10.0.0.1` {remedy}"
        ),
    ]

    assert expected == [str(problem) for problem in contradictions(launch, inherited)]


@pytest.mark.parametrize(
    "argv, expected",
    [
        ((*HEAD, *RDMA), "head 192.168.177.11 on enp1s0f1np1, RDMA over rocep1s0f1, roceP2p1s0f1"),
        (
            (*NODE, *LINK, ""),
            (
                "node 192.168.177.12 of head 192.168.177.11 on enp1s0f1np1, "
                "no RDMA: sockets only, several times slower"
            ),
        ),
    ],
    ids=["head", "node"],
)
def test_messages(argv: tuple[str, ...], expected: str) -> None:
    """The messages name the node, the file of the variables, and Ray's command."""
    launch = launched(*argv)
    place = "variables for every bash in this container: /etc/spark-vllm-cluster/environment.sh"

    assert messages(launch) == (expected, place, " ".join(launch.argv))


def test_words_about_variables_of_the_container() -> None:
    """The messages name the variables whose values are the container's, without the values."""
    given = {"NCCL_DEBUG": "INFO", "NCCL_IB_HCA": "=x", "NCCL_IB_DISABLE": "1", "HF_TOKEN": "t"}
    expected = (
        "set or ruled out by variables of this container: NCCL_IB_HCA, NCCL_IB_DISABLE, NCCL_NET"
    )

    assert expected == messages(launched(*HEAD, *RDMA, token=OPEN, given=given))[2]
