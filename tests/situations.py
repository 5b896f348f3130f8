"""Whole machines in common situations: their settings, and their answers.

tests/captures/facts/README.md says what each situation is, and where its formats come from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from cluster.facts.facts import Facts, parse
from cluster.node import CLUSTER_FILE, Cluster, env_folder
from cluster.settings.settings import resolve
from cluster.settings.syntax import EnvText

CAPTURES = Path(__file__).parent / "captures/facts"
HEALTHY = ("one-cable", "both-ports", "switch", "ring", "asymmetric", "eight")
"""Situations with a cluster that works."""
ALL = (*HEALTHY, "one-subnet", "no-address", "pc", "vm")
MODEL = "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A cluster, and the facts of its machines."""

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
    "one-cable": Wiring(nodes=2, host_ip="192.168.177.1{n}", eth_if="enp1s0f1np1", ib_if=SECOND),
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
"""Situations whose nodes are spark1, spark2 and so on, all wired alike."""
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
"""The other situations, by their env files."""
NUMBERED = r"(?:10\.3[01]\.0\.1|172\.31\.0\.10)"
"""Addresses at the switch, without the number of the machine."""


Edit = tuple[str, str, str]
"""A node or an env file, a pattern, and its replacement."""


def situation(name: str, *edits: Edit) -> Situation:
    """Return a situation, edited; clocks are compared with the head's."""
    case = cluster(name, *edits)
    answers = {
        node.name: parse(edited(capture(name, node.name), node.name, edits)) for node in case.nodes
    }
    head = answers[case.head.name].machine.clock or 0
    return Situation(
        name=name,
        cluster=case,
        facts={
            node: replace(facts, lead=(facts.machine.clock or 0) - head)
            for node, facts in answers.items()
        },
    )


def cluster(name: str, *edits: Edit) -> Cluster:
    """Return the cluster of a situation, as its env files give it."""
    texts = ODD[name] if name in ODD else dict(_texts(WIRINGS[name]))
    files = (
        EnvText(path=env_folder(name) + file, text=edited(text, file, edits))
        for file, text in texts.items()
    )
    return resolve(name, tuple(files)).cluster


def edited(text: str, place: str, edits: tuple[Edit, ...]) -> str:
    """Return a text with the edits for its place; an edit that changes nothing is an error."""
    for edited_place, old, new in edits:
        if edited_place == place:
            before, text = text, re.sub(old, new, text, flags=re.MULTILINE)
            if before == text:
                raise LookupError(f"{place}: {old}")
    return text


def _texts(wiring: Wiring) -> Iterator[tuple[str, str]]:
    yield CLUSTER_FILE, wiring.shared
    for n in range(1, wiring.nodes + 1):
        role = "head" if n == 1 else "worker"
        host_ip = wiring.host_ip.format(n=n)
        lines = f"ROLE={role}\nHOST_IP={host_ip}\nETH_IF={wiring.eth_if}\nIB_IF={wiring.ib_if}\n"
        yield f"spark{n}.env", f"{lines}SSH_HOST=spark{n}\n"


def capture(name: str, node: str) -> str:
    """Return what a machine of a situation printed."""
    if name == "eight":
        return _one_of_eight(int(node.removeprefix("spark")), "")
    return (CAPTURES / name / f"{node}.txt").read_text()


def round_two(name: str, node: str) -> str:
    """Return what a machine printed when `inv probe` asked which addresses it reaches, and how."""
    if name == "eight":
        return _one_of_eight(int(node.removeprefix("spark")), ".reach")
    return (CAPTURES / name / f"{node}.reach.txt").read_text()


def probed(name: str) -> dict[str, Facts]:
    """Return what `inv probe` knows of a situation: its own second question is answered."""
    return {
        node: replace(facts, reach=parse(round_two(name, node)).reach)
        for node, facts in situation(name).facts.items()
    }


def _one_of_eight(n: int, kind: str) -> str:
    """Return a machine at the switch; from the fifth on they are another worker, renamed."""
    twin, turn = (n, 0) if n <= SWITCH.nodes else ((n - 5) % 3 + 2, (n - 5) // 3 + 1)
    text = (CAPTURES / f"switch/spark{twin}{kind}.txt").read_text()
    before, heading, section = text.rpartition("== reach\n")
    _, _, after = section.partition("\n\n")
    return f"{_renamed(before, twin, n, turn)}{heading}{_reached(n, kind)}\n{after}"


def _renamed(text: str, twin: int, n: int, turn: int) -> str:
    """Give a machine another name, other addresses, other MAC addresses and GIDs."""
    for old, new in (
        (r"\bspark-0", f"spark-{turn}"),
        (rf"\b(10\.3[01]\.0\.1|172\.31\.0\.10){twin}\b", rf"\g<1>{n}"),
        (rf"\b(0a1[ef]):{10 + twin:04x}\b", rf"\1:{10 + n:04x}"),
        (r"(:2d):0([a-d]:)", rf"\1:{turn}\2"),
        (r"(:fe2d):0?([a-d]\d\d)\b", rf"\1:{turn}\2" if turn else r"\g<0>"),
        (r"\b(02:42:|8000\.0242)..", rf"\g<1>{n:02d}"),
    ):
        text = re.sub(old, new, text)
    return text


def _reached(n: int, kind: str) -> str:
    """Return the attempts of a machine to reach the seven others: as spark2 reached two."""
    _, _, text = (CAPTURES / f"switch/spark2{kind}.txt").read_text().rpartition("== reach\n")
    lines = text.partition("\n\n")[0].splitlines()
    return "".join(
        f"{_moved(line, {'2': n, like: peer})}\n"
        for peer in range(1, 9)
        if peer != n
        for like in ("1" if peer == 1 else "3",)
        for line in lines
        if re.search(rf"^\S+ (\S+ )?{NUMBERED}{like} ", line)
    )


def _moved(line: str, numbers: dict[str, int]) -> str:
    """Put other machines' numbers into the addresses of a line."""
    return re.sub(rf"({NUMBERED})([123])\b", lambda match: f"{match[1]}{numbers[match[2]]}", line)
