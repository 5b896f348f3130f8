"""What `run-cluster-node` starts, from flags and from what the container was given."""

import json
from collections.abc import Mapping

import pytest

from cluster.environment.environment import environment, not_carried
from cluster.launcher.authentication import Authentication
from cluster.launcher.launch import Launch, contradictions, launch, variables, words
from cluster.launcher.launcher import read
from cluster.words import Secret

LINK = ("--eth-if", "enp1s0f1np1", "--ib-if")
RDMA = (*LINK, "rocep1s0f1,roceP2p1s0f1")
HEAD = ("--role", "head", "--host-ip", "192.168.177.11")
NODE = ("--role", "node", "--host-ip", "192.168.177.12", "--head-ip", "192.168.177.11")
MOUNTED = Authentication(path="/run/secrets/ray-token")
NOTHING: Mapping[str, str] = {}
OPEN = Authentication(chosen=False)


def launched(
    *argv: str,
    access: Authentication = MOUNTED,
    dashboard: bool = True,
    given: Mapping[str, str] = NOTHING,
) -> Launch:
    """Return what a command line starts in a container with these variables."""
    return launch(read(argv), given, access, dashboard=dashboard)


def test_head() -> None:
    """A head by the seed's flags: Ray's command and the variables are those of the env files."""
    it = launched(*HEAD, *RDMA)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=true"),
        *("--dashboard-host", "127.0.0.1", "--dashboard-port", "8265"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == it.argv
    assert it.environment == environment(it.cluster, it.node, token_path="/run/secrets/ray-token")
    assert it.warnings == ()


def test_node() -> None:
    """A node joins the head at its address and port."""
    it = launched(*NODE, *RDMA, "--port", "6380")
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6380"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == it.argv
    assert dict(it.environment)["RAY_ADDRESS"] == "192.168.177.11:6380"
    assert dict(it.environment)["VLLM_HOST_IP"] == "192.168.177.12"


def test_worker_is_a_node() -> None:
    """The word of the env files does the same as the seed's."""
    assert launched(*NODE, *RDMA) == launched("--role", "worker", *NODE[2:], *RDMA)


def test_stated_gpus() -> None:
    """The number is handed to Ray, and counts as the node's."""
    it = launched(*HEAD, *LINK, "", "--gpus", "2", dashboard=False)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=false"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        *("--num-gpus", "2", "--disable-usage-stats"),
    )

    assert expected == it.argv
    assert it.node.gpus == 2


def test_variables_of_the_container_win() -> None:
    """As those of `cluster.env` do: they replace what the table gives, and contradict it."""
    plain = launched(*HEAD, *RDMA)
    given = {"NCCL_IB_DISABLE": "1", "NCCL_DEBUG": "INFO", "HF_TOKEN": "hf_secret"}
    it = launched(*HEAD, *RDMA, given=given)
    more = set(it.environment) - set(plain.environment)
    less = dict(plain.environment).keys() - dict(it.environment).keys()

    assert more == {
        ("NCCL_IB_DISABLE", "1"),
        ("NCCL_DEBUG", "INFO"),
        ("HF_TOKEN", Secret("hf_secret", "this container")),
    }
    assert less == {"NCCL_NET"}


def test_variables_of_the_container_reach_the_workers() -> None:
    """Only names of the table are held back: a token that the head alone has serves all."""
    it = launched(*HEAD, *RDMA, given={"HF_TOKEN": "hf_secret"})

    assert not_carried(it.cluster) == not_carried(launched(*HEAD, *RDMA).cluster)
    assert "HF_TOKEN" not in json.loads(not_carried(it.cluster))


def test_environment_of_ray() -> None:
    """Ray gets all that the container has, ours in place of it, and not the server's key."""
    it = launched(*HEAD, *LINK, "", given={"VLLM_API_KEY": "sk-1", "HF_TOKEN": "hf_secret"})
    inherited = {"PATH": "/bin", "VLLM_API_KEY": "sk-1", "TP_SOCKET_IFNAME": "x", "NCCL_X": "gone"}
    found = variables(it, inherited)
    expected = {"PATH": "/bin", "HF_TOKEN": "hf_secret", "TP_SOCKET_IFNAME": "enp1s0f1np1"}

    assert expected == {name: found[name] for name in expected}
    assert {"VLLM_API_KEY", "NCCL_X"}.isdisjoint(found)


def test_token_in_a_variable() -> None:
    """A token that is a variable needs no file, and is a secret."""
    it = launched(
        *HEAD,
        *RDMA,
        access=Authentication(),
        given={"RAY_AUTH_TOKEN": "t", "RAY_AUTH_TOKEN_PATH": "/x"},
    )
    found = dict(it.environment)

    assert found["RAY_AUTH_MODE"] == "token"
    assert found["RAY_AUTH_TOKEN"] == Secret("t", "this container")
    assert "RAY_AUTH_TOKEN_PATH" not in found


def test_no_token() -> None:
    """Without a token Ray is told to want none, and the user what that means."""
    it = launched(*HEAD, *RDMA, access=OPEN, given={"RAY_AUTH_MODE": ""})
    expected = (
        "no token, so whoever reaches Ray's ports can run programs here (mount the same one on all "
        "nodes: docker run -v /path/to/token:/run/secrets/ray-token:ro)"
    )

    assert it.warnings == (expected,)
    assert dict(it.environment)["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN_PATH" not in dict(it.environment)


@pytest.mark.parametrize("mode", ["", "TOKEN"])
def test_mode_that_says_nothing_else(mode: str) -> None:
    """Ray takes an empty mode for none at all; where a token is, it is asked for."""
    it = launched(*HEAD, *RDMA, given={"RAY_AUTH_MODE": mode})

    assert dict(it.environment)["RAY_AUTH_MODE"] == "token"


def test_authentication_switched_off() -> None:
    """Who chose to have none is not warned."""
    it = launched(*HEAD, *RDMA, access=Authentication(), given={"RAY_AUTH_MODE": "disabled"})

    assert it.warnings == ()
    assert dict(it.environment)["RAY_AUTH_MODE"] == "disabled"


def test_contradictions() -> None:
    """What flags decide may be set as well, but not otherwise; tokens are another matter."""
    inherited = {
        "RAY_ADDRESS": "192.168.177.11:6379",
        "RAY_AUTH_TOKEN": "t",
        "RAY_NODE_IP_ADDRESS": "192.168.177.11",
        "VLLM_HOST_IP": "10.0.0.1",
    }
    it = launched(*HEAD, *RDMA, given=inherited)
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

    assert expected == [str(problem) for problem in contradictions(it, inherited)]


@pytest.mark.parametrize(
    "argv, expected",
    [
        ((*HEAD, *RDMA), "head 192.168.177.11 on enp1s0f1np1, RDMA by rocep1s0f1, roceP2p1s0f1"),
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
def test_words(argv: tuple[str, ...], expected: str) -> None:
    """It says which node this is, where the variables are, and what is run."""
    it = launched(*argv)
    place = "variables for every bash in this container: /etc/spark-vllm-cluster/environment.sh"

    assert words(it) == (expected, place, " ".join(it.argv))


def test_words_about_variables_of_the_container() -> None:
    """The names are told whose value is the container's and not ours; no value is."""
    given = {"NCCL_DEBUG": "INFO", "NCCL_IB_HCA": "=x", "NCCL_IB_DISABLE": "1", "HF_TOKEN": "t"}
    expected = (
        "set or ruled out by variables of this container: NCCL_IB_HCA, NCCL_IB_DISABLE, NCCL_NET"
    )

    assert expected == words(launched(*HEAD, *RDMA, access=OPEN, given=given))[2]
