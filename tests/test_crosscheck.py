"""Checks between env files: a valid cluster, one change, and the exact messages."""

import pytest

from cluster.settings import crosscheck
from cluster.settings.env_file import parse_file
from cluster.settings.syntax import EnvText

CLUSTER = ""
SPARK1 = "ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=eth0\n"
SPARK2 = "ROLE=worker\nHOST_IP=192.168.177.12\nETH_IF=eth0\n"


def faults(cluster: str = CLUSTER, spark1: str = SPARK1, spark2: str = SPARK2) -> list[str]:
    """Return the contradictions between three files."""
    shared, *nodes = (
        parse_file(EnvText(path=f"env/{name}.env", text=text))
        for name, text in (("cluster", cluster), ("spark1", spark1), ("spark2", spark2))
    )
    return [str(fault.problem) for fault in crosscheck.faults("default", shared, tuple(nodes))]


def test_valid_cluster() -> None:
    """The files that these tests change have no contradictions."""
    assert faults() == []


def test_no_nodes() -> None:
    """Without nodes the message has the commands that describe one."""
    shared = parse_file(EnvText(path="env/lab/cluster.env"))

    assert [str(fault.problem) for fault in crosscheck.faults("lab", shared, ())] == [
        (
            "env/lab/: no nodes (`inv probe --write --cluster lab -- HOST...` writes them,"
            " or start with `cp env/node.env.example env/lab/spark1.env`)"
        )
    ]


@pytest.mark.parametrize(
    "change,expected",
    [
        pytest.param(
            {"spark1": SPARK1.replace("head", "worker")},
            ["env/: no head (set ROLE=head on one node)"],
            id="no head",
        ),
        pytest.param(
            {"spark2": SPARK2.replace("worker", "head")},
            ["env/: 2 heads: spark1, spark2 (set ROLE=worker on all but one)"],
            id="two heads",
        ),
        pytest.param(
            {"spark2": SPARK2.replace(".12", ".11")},
            [
                (
                    "env/spark2.env:2: HOST_IP: 192.168.177.11 is already the address of spark1 "
                    "(give every node its own address)"
                )
            ],
            id="address twice",
        ),
        pytest.param(
            {"spark2": SPARK2.replace("177", "178")},
            [
                (
                    "env/spark2.env:2: HOST_IP: 192.168.178.12 is outside 192.168.177.0/24, "
                    "the /24 around the head (correct it, or set SUBNET in env/cluster.env)"
                )
            ],
            id="outside the derived subnet",
        ),
        pytest.param(
            {"cluster": "SUBNET=192.168.177.8/30"},
            [
                (
                    "env/spark2.env:2: HOST_IP: 192.168.177.12 is outside SUBNET 192.168.177.8/30 "
                    "(correct it, or set SUBNET in env/cluster.env)"
                ),
                (
                    "env/spark1.env:2: HOST_IP: 192.168.177.11 cannot be a host's address in "
                    "SUBNET 192.168.177.8/30 (use an address between its first and its last)"
                ),
            ],
            id="outside the written subnet, and its broadcast address",
        ),
        pytest.param(
            {"spark2": SPARK2.replace(".12", ".0")},
            [
                (
                    "env/spark2.env:2: HOST_IP: 192.168.177.0 cannot be a host's address in "
                    "192.168.177.0/24, the /24 around the head "
                    "(use an address between its first and its last)"
                )
            ],
            id="the network's own address",
        ),
        pytest.param(
            {"cluster": "SUBNET=192.168.0.0/16", "spark2": SPARK2.replace("177", "178")},
            [],
            id="a wide subnet",
        ),
        pytest.param(
            {
                "cluster": "SUBNET=192.168.177.10/31",
                "spark2": SPARK2.replace(".12", ".10"),
            },
            [],
            id="a pair has no broadcast address",
        ),
        pytest.param(
            {"spark2": SPARK2 + "HEAD_IP=192.168.177.13"},
            [
                (
                    "env/spark2.env:4: HEAD_IP: must be 192.168.177.11, the HOST_IP of spark1, "
                    "not `192.168.177.13` (remove the line or correct it)"
                )
            ],
            id="another head",
        ),
        pytest.param(
            {"spark1": SPARK1 + "HEAD_IP=192.168.177.12"},
            [
                (
                    "env/spark1.env:4: HEAD_IP: must be 192.168.177.11, the HOST_IP of spark1, "
                    "not `192.168.177.12` (remove the line or correct it)"
                )
            ],
            id="another head on the head",
        ),
        pytest.param(
            {
                "spark1": SPARK1 + "HEAD_IP=192.168.177.11",
                "spark2": SPARK2 + "HEAD_IP=192.168.177.11",
            },
            [],
            id="the right head",
        ),
        pytest.param(
            {"cluster": "\nSERVE_PORT=6379"},
            [
                (
                    "env/cluster.env:2: SERVE_PORT: 6379 is also HEAD_PORT "
                    "(choose another port; both listen on the head)"
                )
            ],
            id="the server on Ray's port",
        ),
        pytest.param(
            {"cluster": "HEAD_PORT=8888"},
            [
                (
                    "env/cluster.env:1: HEAD_PORT: 8888 is also SERVE_PORT "
                    "(choose another port; both listen on the head)"
                )
            ],
            id="Ray on the server's port",
        ),
    ],
)
def test_change(change: dict[str, str], expected: list[str]) -> None:
    """A contradiction is reported at the line that causes it."""
    assert sorted(expected) == sorted(faults(**change))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spark1": SPARK1.replace("head", "haed")}, id="role"),
        pytest.param({"spark1": SPARK1.replace("11", "x")}, id="address"),
        pytest.param(
            {"cluster": "SUBNET=x", "spark2": SPARK2.replace("177", "178")}, id="subnet is wrong"
        ),
        pytest.param(
            {"cluster": "SUBENT=x", "spark2": SPARK2.replace("177", "178")},
            id="subnet is misspelled",
        ),
        pytest.param({"cluster": "SERVE_PORT=x\nHEAD_PORT=8888"}, id="port"),
        pytest.param({"spark2": SPARK2 + "HEAD_IP=x"}, id="head's address"),
    ],
)
def test_no_noise(change: dict[str, str]) -> None:
    """A value that is wrong within its file is not reported again between the files."""
    assert faults(**change) == []


def test_unreadable_cluster_file() -> None:
    """No subnet is derived when cluster.env cannot be read."""
    shared = parse_file(EnvText(path="env/cluster.env", error="is not a file"))
    nodes = tuple(
        parse_file(EnvText(path=f"env/{name}.env", text=text))
        for name, text in (("spark1", SPARK1), ("spark2", SPARK2.replace("177", "178")))
    )

    assert list(crosscheck.faults("default", shared, nodes)) == []


def test_two_heads_and_addresses() -> None:
    """With two heads no subnet is derived, but equal addresses are still reported."""
    assert faults(spark2=SPARK1) == [
        (
            "env/spark2.env:2: HOST_IP: 192.168.177.11 is already the address of spark1 "
            "(give every node its own address)"
        ),
        "env/: 2 heads: spark1, spark2 (set ROLE=worker on all but one)",
    ]
