"""One file: a right one, one change, and the exact message."""

import pytest

from cluster.settings.envfile import EnvText
from cluster.settings.page import page
from cluster.settings.schema import HEAD_IP, HF_CACHE, HOST_IP, SERVE_PORT
from cluster.words import Secret

NODE = "ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=enp1s0f1np1\n"


def faults(path: str, text: str) -> list[str]:
    """Return what is wrong with a file, as the user reads it."""
    return [str(fault.problem) for fault in page(EnvText(path=path, text=text)).faults]


def test_right() -> None:
    """The base of these tests has no faults, and an empty cluster.env has none."""
    assert faults("env/spark1.env", NODE) + faults("env/cluster.env", "") == []


@pytest.mark.parametrize(
    "text,expected",
    [
        pytest.param(
            NODE.replace("ETH_IF", "ETH_INF"),
            "env/spark1.env:3: ETH_INF: unknown key (did you mean ETH_IF?)",
            id="misspelled, and not called missing too",
        ),
        pytest.param(
            NODE.replace("HOST_IP=", "host_ip="),
            "env/spark1.env:2: host_ip: unknown key (did you mean HOST_IP?)",
            id="small letters",
        ),
        pytest.param(
            NODE + "COLOUR=red",
            "env/spark1.env:4: COLOUR: unknown key (env/node.env.example has all keys)",
            id="unknown",
        ),
        pytest.param(
            NODE + "NCLL_DEBUG=INFO",
            "env/spark1.env:4: NCLL_DEBUG: unknown key (did you mean NCCL_DEBUG?)",
            id="nearly a prefix",
        ),
        pytest.param(
            NODE + "SERVE_PORT=8888",
            "env/spark1.env:4: SERVE_PORT: belongs to the whole cluster "
            "(move it to env/cluster.env)",
            id="key of the cluster",
        ),
        pytest.param(
            NODE.replace("ETH_IF=enp1s0f1np1\n", ""),
            "env/spark1.env: ETH_IF: is missing (add ETH_IF=enp1s0f1np1)",
            id="missing",
        ),
        pytest.param(
            NODE.replace("head", ""),
            "env/spark1.env:1: ROLE: is empty (write ROLE=head)",
            id="required and empty",
        ),
        pytest.param(
            NODE + "SSH_HOST=",
            "env/spark1.env:4: SSH_HOST: is empty (set it or remove the line)",
            id="derived and empty",
        ),
        pytest.param(
            NODE + "GPUS=",
            "env/spark1.env:4: GPUS: is empty (set it or remove the line)",
            id="default and empty",
        ),
        pytest.param(
            NODE.replace("head", "haed"),
            "env/spark1.env:1: ROLE: should be head or worker: `haed` (did you mean head?)",
            id="wrong value",
        ),
        pytest.param(
            NODE.replace("11", '"11'),
            'env/spark1.env:2: HOST_IP: should be an IPv4 address: `192.168.177."11` '
            "(write it like 192.168.177.11)",
            id="quote inside a value",
        ),
        pytest.param(
            NODE.replace("192.168.177.11", "'192.168.177.11"),
            "env/spark1.env:2: HOST_IP: its quotes are not closed, or text follows them "
            '(write HOST_IP="value")',
            id="open quotes, and nothing called missing",
        ),
        pytest.param(
            NODE.replace("=head", ""),
            "env/spark1.env:1: ROLE: has no value (write ROLE=value)",
            id="bare key, and not called missing too",
        ),
        pytest.param(
            NODE + "IB_IF=a,a",
            "env/spark1.env:4: IB_IF: names a twice: `a,a` (name each device once)",
            id="device twice",
        ),
        pytest.param(
            NODE + "HF_TOKEN=",
            "env/spark1.env:4: HF_TOKEN: is empty (set it or remove the line)",
            id="empty secret",
        ),
        pytest.param(
            NODE + "VLLM_HOST_IP=192.168.177.11",
            "env/spark1.env:4: VLLM_HOST_IP: follows from HOST_IP (remove the line)",
            id="refused: vLLM's address",
        ),
    ],
)
def test_node(text: str, expected: str) -> None:
    """A wrong line in a node's file gives one message."""
    assert [expected] == faults("env/spark1.env", text)


@pytest.mark.parametrize(
    "text,expected",
    [
        pytest.param(
            "HOST_IP=192.168.177.11",
            "env/lab/cluster.env:1: HOST_IP: belongs to a node's file "
            "(move it to env/lab/<node>.env)",
            id="key of a node",
        ),
        pytest.param(
            "SERVE_PROT=1",
            "env/lab/cluster.env:1: SERVE_PROT: unknown key (did you mean SERVE_PORT?)",
            id="misspelled",
        ),
        pytest.param(
            "X=1",
            "env/lab/cluster.env:1: X: unknown key (env/cluster.env.example has all keys)",
            id="unknown",
        ),
        pytest.param(
            "HEAD_PORT=10002",
            "env/lab/cluster.env:1: HEAD_PORT: is a port that Ray uses itself: `10002` "
            "(choose one that is not 8265 and not from 10001 to 19999)",
            id="Ray's port",
        ),
        pytest.param(
            'SERVE_ARGS="--x \'y"',
            "env/lab/cluster.env:1: SERVE_ARGS: has a quote that is not closed "
            "(quote as for a shell)",
            id="words",
        ),
        pytest.param(
            "RAY_ADDRESS=auto",
            "env/lab/cluster.env:1: RAY_ADDRESS: would lead Ray and vLLM to another cluster "
            "(remove the line; the head's HOST_IP and HEAD_PORT decide)",
            id="refused: Ray's address",
        ),
        pytest.param(
            "RAY_AUTH_TOKEN=hidden",
            "env/lab/cluster.env:1: RAY_AUTH_TOKEN: is not set by hand "
            "(remove the line; `inv head` makes the token)",
            id="refused: Ray's token",
        ),
        pytest.param(
            "RAY_object_store_memory=1",
            "env/lab/cluster.env:1: RAY_object_store_memory: is no variable of Ray's "
            "(set OBJECT_STORE_MEMORY in cluster.env instead)",
            id="refused: no variable",
        ),
    ],
)
def test_cluster(text: str, expected: str) -> None:
    """A wrong line in cluster.env gives one message."""
    assert [expected] == faults("env/lab/cluster.env", text)


def test_name() -> None:
    """A node's name is its file's, so the file's name has to be one."""
    assert faults("env/Spark_1.env", NODE) == [
        (
            "env/Spark_1.env: a node is named after its file, and a name should be "
            "lower-case letters, digits and `-`: `Spark_1` (rename the file, like spark1.env)"
        )
    ]


def test_trouble() -> None:
    """A file that cannot be read is one fault, whatever it lacks."""
    file = EnvText(path="env/spark1.env", trouble="is not UTF-8 text", remedy="save it as UTF-8")

    assert [str(fault.problem) for fault in page(file).faults] == [
        "env/spark1.env: is not UTF-8 text (save it as UTF-8)"
    ]


def test_swallowed_lines_are_not_missing() -> None:
    """Open quotes swallow the next lines; one message is enough."""
    text = 'IB_IF="x\nROLE=head\nHOST_IP="192.168.177.11"\nETH_IF=eth0\n'

    assert faults("env/spark1.env", text) == [
        (
            "env/spark1.env:1: IB_IF: its quotes are not closed, or text follows them "
            '(write IB_IF="value")'
        )
    ]


def test_values() -> None:
    """What is right has a typed value; what is wrong, missing or to be derived has none."""
    shared = page(EnvText(path="env/cluster.env", text="SERVE_PORT=x\n"))
    node = page(EnvText(path="env/spark1.env", text=NODE))

    assert shared.get(SERVE_PORT) is None
    assert node.get(HEAD_IP) is None
    assert str(node[HOST_IP]) == "192.168.177.11"
    assert node.place("HOST_IP") == "env/spark1.env:2"


def test_key_with_the_prefix_of_a_variable() -> None:
    """HF_CACHE is the cluster's own key, checked as such, and goes to no node as a variable."""
    shared = page(EnvText(path="env/cluster.env", text="HF_CACHE=/data\nHF_HOME=/x\n"))

    assert ("/data", "env/cluster.env:1") == (shared[HF_CACHE], shared.place("HF_CACHE"))
    assert (("HF_HOME", "/x"),) == shared.variables
    assert [
        (
            "env/cluster.env:1: HF_CACHE: should be a folder on the nodes: `data` "
            "(write it like ~/.cache/huggingface or /data/huggingface)"
        )
    ] == faults("env/cluster.env", "HF_CACHE=data\n")
    assert [
        "env/spark1.env:4: HF_CACHE: belongs to the whole cluster (move it to env/cluster.env)"
    ] == faults("env/spark1.env", NODE + "HF_CACHE=/data\n")


def test_variables() -> None:
    """Variables pass through in their order, empty ones too, and secrets know where they are."""
    text = "\nNCCL_DEBUG='a\nb'\nHF_TOKEN=hidden\nCUDA_VISIBLE_DEVICES=\nHF_HOME=$HOME\n"

    assert page(EnvText(path="env/cluster.env", text=text)).variables == (
        ("NCCL_DEBUG", "a\nb"),
        ("HF_TOKEN", Secret("hidden", "env/cluster.env:4")),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("HF_HOME", "$HOME"),
    )
