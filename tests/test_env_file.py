"""One env file: a valid one, one change, and the exact message."""

from ipaddress import IPv4Address

import pytest

from cluster.settings.env_file import parse_file
from cluster.settings.syntax import EnvText
from cluster.words import Secret

NODE = "ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=enp1s0f1np1\n"


def faults(path: str, text: str) -> list[str]:
    """Return the faults of a file as the user reads them."""
    return [str(fault.problem) for fault in parse_file(EnvText(path=path, text=text)).faults]


def test_valid_files() -> None:
    """The file that these tests change has no faults, nor has an empty cluster.env."""
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
            "env/spark1.env:4: COLOUR: unknown key (env/node.env.example lists all keys)",
            id="unknown",
        ),
        pytest.param(
            NODE + "NCLL_DEBUG=INFO",
            "env/spark1.env:4: NCLL_DEBUG: unknown key (did you mean NCCL_DEBUG?)",
            id="nearly a prefix",
        ),
        pytest.param(
            NODE + "SERVE_PORT=8888",
            "env/spark1.env:4: SERVE_PORT: is a setting of the whole cluster "
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
            "env/spark1.env:1: ROLE: must be head or worker, not `haed` (did you mean head?)",
            id="wrong value",
        ),
        pytest.param(
            NODE.replace("11", '"11'),
            'env/spark1.env:2: HOST_IP: must be an IPv4 address, not `192.168.177."11` '
            "(for example 192.168.177.11)",
            id="quote inside a value",
        ),
        pytest.param(
            NODE.replace("192.168.177.11", "'192.168.177.11"),
            "env/spark1.env:2: HOST_IP: has unclosed quotes, or text after them "
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
            "env/spark1.env:4: IB_IF: lists a twice: `a,a` (list each device once)",
            id="device twice",
        ),
        pytest.param(
            NODE + "HF_TOKEN=",
            "env/spark1.env:4: HF_TOKEN: is empty (set it or remove the line)",
            id="empty secret",
        ),
        pytest.param(
            NODE + "VLLM_HOST_IP=192.168.177.11",
            "env/spark1.env:4: VLLM_HOST_IP: is derived from HOST_IP (remove the line)",
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
            "env/lab/cluster.env:1: HOST_IP: is a setting of a single node "
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
            "env/lab/cluster.env:1: X: unknown key (env/cluster.env.example lists all keys)",
            id="unknown",
        ),
        pytest.param(
            "HEAD_PORT=10002",
            "env/lab/cluster.env:1: HEAD_PORT: must not be `10002`, a port that Ray uses itself "
            "(choose one that is not 8265 and not from 10001 to 19999)",
            id="Ray's port",
        ),
        pytest.param(
            'SERVE_ARGS="--x \'y"',
            "env/lab/cluster.env:1: SERVE_ARGS: has an unclosed quote (quote as for a shell)",
            id="words",
        ),
        pytest.param(
            "RAY_ADDRESS=auto",
            "env/lab/cluster.env:1: RAY_ADDRESS: would lead Ray and vLLM to another cluster "
            "(remove the line; the address is the head's HOST_IP with HEAD_PORT)",
            id="refused: Ray's address",
        ),
        pytest.param(
            "RAY_AUTH_TOKEN=hidden",
            "env/lab/cluster.env:1: RAY_AUTH_TOKEN: is not set by hand "
            "(remove the line; `inv head` generates the token)",
            id="refused: Ray's token",
        ),
        pytest.param(
            "RAY_object_store_memory=1",
            "env/lab/cluster.env:1: RAY_object_store_memory: is not a variable of Ray "
            "(set OBJECT_STORE_MEMORY in cluster.env instead)",
            id="refused: no variable",
        ),
    ],
)
def test_cluster(text: str, expected: str) -> None:
    """A wrong line in cluster.env gives one message."""
    assert [expected] == faults("env/lab/cluster.env", text)


def test_name() -> None:
    """A node is named after its file, so the file's name must be valid as a node's name."""
    assert faults("env/Spark_1.env", NODE) == [
        (
            "env/Spark_1.env: the file's name is the node's name, which must be "
            "lower-case letters, digits and `-`, not `Spark_1` "
            "(rename the file, for example spark1.env)"
        )
    ]


def test_unreadable_file() -> None:
    """A file that cannot be read is one fault; its keys are not reported as missing."""
    file = EnvText(path="env/spark1.env", error="is not UTF-8 text", remedy="save it as UTF-8")

    assert [str(fault.problem) for fault in parse_file(file).faults] == [
        "env/spark1.env: is not UTF-8 text (save it as UTF-8)"
    ]


def test_swallowed_lines_are_not_missing() -> None:
    """Keys on lines that unclosed quotes swallow are not reported as missing."""
    text = 'IB_IF="x\nROLE=head\nHOST_IP="192.168.177.11"\nETH_IF=eth0\n'

    assert faults("env/spark1.env", text) == [
        ('env/spark1.env:1: IB_IF: has unclosed quotes, or text after them (write IB_IF="value")')
    ]


def test_values() -> None:
    """A valid key has a typed value; a wrong, missing or derived one has none."""
    shared = parse_file(EnvText(path="env/cluster.env", text="SERVE_PORT=x\n"))
    node = parse_file(EnvText(path="env/spark1.env", text=NODE))

    assert shared.get("SERVE_PORT", int) is None
    assert node.get("HEAD_IP", IPv4Address) is None
    assert IPv4Address("192.168.177.11") == node.get("HOST_IP", IPv4Address)
    assert node.place("HOST_IP") == "env/spark1.env:2"


def test_key_with_the_prefix_of_a_variable() -> None:
    """HF_CACHE is checked as a key of the cluster, and is not passed to the nodes as a variable."""
    shared = parse_file(EnvText(path="env/cluster.env", text="HF_CACHE=/data\nHF_HOME=/x\n"))

    assert ("/data", "env/cluster.env:1") == (
        shared.get("HF_CACHE", str),
        shared.place("HF_CACHE"),
    )
    assert (("HF_HOME", "/x"),) == shared.variables
    assert [
        (
            "env/cluster.env:1: HF_CACHE: must be a folder on the nodes, not `data` "
            "(for example ~/.cache/huggingface or /data/huggingface)"
        )
    ] == faults("env/cluster.env", "HF_CACHE=data\n")
    assert [
        "env/spark1.env:4: HF_CACHE: is a setting of the whole cluster (move it to env/cluster.env)"
    ] == faults("env/spark1.env", NODE + "HF_CACHE=/data\n")


def test_variables() -> None:
    """Variables pass through in their order, empty ones too, and secrets keep their origin."""
    text = "\nNCCL_DEBUG='a\nb'\nHF_TOKEN=hidden\nCUDA_VISIBLE_DEVICES=\nHF_HOME=$HOME\n"

    assert parse_file(EnvText(path="env/cluster.env", text=text)).variables == (
        ("NCCL_DEBUG", "a\nb"),
        ("HF_TOKEN", Secret("hidden", "env/cluster.env:4")),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("HF_HOME", "$HOME"),
    )
