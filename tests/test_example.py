"""The example files."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cluster.settings import example
from cluster.settings.envfile import EnvText
from cluster.settings.key import Key, Scope
from cluster.settings.schema import GPUS, IB_IF, KEYS, ROLE
from cluster.settings.settings import resolve

ROOT = Path(__file__).parent.parent


def file(scope: Scope) -> str:
    """Return an example file as it is in the repository."""
    return (ROOT / f"env/{scope}.env.example").read_text(encoding="utf-8")


@pytest.mark.parametrize("scope", ["cluster", "node"])
def test_files_are_rendered(scope: Scope) -> None:
    """The file is what the schema renders: `cluster.settings.example.text`."""
    assert example.text(scope) == file(scope)


@pytest.mark.parametrize(
    "key,paragraph",
    [
        pytest.param(
            ROLE,
            "# `head` on exactly one node, `worker` on the others. Required.\nROLE=head",
            id="required",
        ),
        pytest.param(GPUS, "# GPUs of this node. A Spark has one.\n#GPUS=1", id="default"),
        pytest.param(
            IB_IF,
            "# RDMA devices of the same port, as `ibdev2netdev` names them, with a comma between "
            "them. A port of\n"
            "# a Spark is two devices, each half of its bandwidth: name both. Default: none, which "
            "is sockets\n"
            "# only, several times slower.\n"
            "IB_IF=rocep1s0f1,roceP2p1s0f1",
            id="advised",
        ),
    ],
)
def test_paragraph(key: Key[object], paragraph: str) -> None:
    """A key is its meaning and a line: set when a copy needs it, else a comment."""
    number = KEYS["node"].index(key) + 1

    assert paragraph == example.text("node").split("\n\n")[number]


def test_copies_are_a_cluster() -> None:
    """Copied and with two values changed, the examples are a cluster of two Sparks."""
    spark2 = (
        file("node")
        .replace("=head", "=worker")
        .replace("HOST_IP=192.168.177.11", "HOST_IP=192.168.177.12")
    )
    settings = resolve(
        "default",
        (
            EnvText(path="env/cluster.env", text=file("cluster")),
            EnvText(path="env/spark1.env", text=file("node")),
            EnvText(path="env/spark2.env", text=spark2),
        ),
    )

    assert [node.name for node in settings.cluster.nodes] == ["spark1", "spark2"]
    assert [IPv4Address("192.168.177.11")] * 2 == [node.head_ip for node in settings.cluster.nodes]
    assert {("rocep1s0f1", "roceP2p1s0f1")} == {node.ib_if for node in settings.cluster.nodes}


def test_comments_can_be_set() -> None:
    """With every comment that holds a setting made one, head and shared file are right as well."""
    cluster, node = (
        "\n".join(
            line if line.startswith("# ") else line.removeprefix("#")
            for line in file(scope).split("\n")
        )
        for scope in ("cluster", "node")
    )
    settings = resolve(
        "default",
        (EnvText(path="env/cluster.env", text=cluster), EnvText(path="env/spark1.env", text=node)),
    )

    assert settings.cluster.model == "Qwen/Qwen3-4B"
    assert [value.key for value in settings.values if not value.source.startswith("env/")] == []
