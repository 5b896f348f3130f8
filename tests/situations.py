"""Whole machines in the situations that people meet: their settings, and what they said.

tests/captures/facts/README.md says what each situation is, and where its formats come from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.facts.bundle import facts
from cluster.facts.facts import Facts
from cluster.node import Cluster
from cluster.settings.envfile import EnvText
from cluster.settings.page import CLUSTER_FILE
from cluster.settings.settings import folder, resolve

CAPTURES = Path(__file__).parent / "captures/facts"
HEALTHY = ("one-cable", "both-ports", "switch", "ring", "asymmetric", "eight")
"""Whose clusters work, whatever could be better."""
ALL = (*HEALTHY, "one-subnet", "no-address", "pc", "vm")
MODEL = "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A cluster, and what each machine of it said."""

    name: str
    cluster: Cluster
    facts: dict[str, Facts] = field(repr=False)
    """By the node's name, the head first."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """How the env files of a situation's nodes differ: by a number, `{n}`."""

    nodes: int
    host_ip: str
    eth_if: str
    ib_if: str
    shared: str = f"MODEL={MODEL}\n"
    """cluster.env."""


FIRST, SECOND = "rocep1s0f0,roceP2p1s0f0", "rocep1s0f1,roceP2p1s0f1"
"""The RDMA devices of the two ports of a Spark."""
RING = """\
MODEL=Qwen/Qwen3-4B
NCCL_NET_PLUGIN=none
NCCL_IB_SUBNET_AWARE_ROUTING=1
NCCL_IB_MERGE_NICS=0
"""
SWITCH = Wiring(nodes=4, host_ip="10.30.0.1{n}", eth_if="enp1s0f0np0", ib_if=FIRST)
WIRINGS = {
    "one-cable": Wiring(
        nodes=2, host_ip="192.168.177.1{n}", eth_if="enp1s0f1np1", ib_if=SECOND
    ),
    "both-ports": Wiring(
        nodes=2, host_ip="192.168.100.1{n}", eth_if="enp1s0f0np0", ib_if=FIRST, shared=""
    ),
    "switch": SWITCH,
    "eight": replace(SWITCH, nodes=8),
    "ring": Wiring(
        nodes=3,
        host_ip="192.168.50.2{n}",
        eth_if="enP7s7",
        ib_if=f"{FIRST},{SECOND}",
        shared=RING,
    ),
    "one-subnet": Wiring(
        nodes=2, host_ip="192.168.200.1{n}", eth_if="enp1s0f0np0", ib_if=FIRST, shared=""
    ),
    "no-address": Wiring(
        nodes=2, host_ip="192.168.177.1{n}", eth_if="enp1s0f1np1", ib_if=SECOND, shared=""
    ),
}
"""Those whose nodes are spark1, spark2 and so on, and are wired alike."""
ODD = {
    "asymmetric": {
        CLUSTER_FILE: f"MODEL={MODEL}\n",
        "spark1.env": "ROLE=head\nHOST_IP=192.168.177.11\nETH_IF=enp1s0f1np1\n"
        f"IB_IF={SECOND}\nSSH_HOST=spark1\n",
        "spark2.env": "ROLE=worker\nHOST_IP=192.168.177.12\nETH_IF=enp1s0f0np0\n"
        f"IB_IF={FIRST}\nSSH_HOST=spark2\n",
    },
    "pc": {"pc.env": "ROLE=head\nHOST_IP=192.168.1.34\nETH_IF=enp5s0\nSSH_HOST=workbench\n"},
    "vm": {
        CLUSTER_FILE: "ACCELERATOR=none\nIMAGE=vllm-node:cpu\n",
        "vm.env": "ROLE=head\nHOST_IP=192.0.2.2\nETH_IF=eth0\nSSH_HOST=vm\n",
    },
}
"""The others: their env files."""


def situation(name: str) -> Situation:
    """Return a situation; clocks are compared with the head's."""
    its = cluster(name)
    said = {node.name: facts(capture(name, node.name)) for node in its.nodes}
    head = said[its.head.name].machine.clock or 0
    return Situation(
        name=name,
        cluster=its,
        facts={
            node: replace(one, lead=(one.machine.clock or 0) - head) for node, one in said.items()
        },
    )


def cluster(name: str) -> Cluster:
    """Return the cluster of a situation, as its env files give it."""
    texts = ODD[name] if name in ODD else dict(_texts(WIRINGS[name]))
    files = tuple(EnvText(path=folder(name) + file, text=text) for file, text in texts.items())
    return resolve(name, files).cluster


def _texts(wiring: Wiring) -> Iterator[tuple[str, str]]:
    yield CLUSTER_FILE, wiring.shared
    for n in range(1, wiring.nodes + 1):
        role = "head" if n == 1 else "worker"
        yield (
            f"spark{n}.env",
            f"ROLE={role}\nHOST_IP={wiring.host_ip.format(n=n)}\nETH_IF={wiring.eth_if}\n"
            f"IB_IF={wiring.ib_if}\nSSH_HOST=spark{n}\n",
        )


def capture(name: str, node: str) -> str:
    """Return what a machine of a situation printed."""
    if name == "eight":
        return _one_of_eight(int(node.removeprefix("spark")))
    return (CAPTURES / name / f"{node}.txt").read_text()
