"""Answers of docker/preflight.py for the tests: a good node's, and what becomes of it."""

import json
from collections.abc import Callable
from typing import Any

from cluster.node import Cluster, Node
from cluster.preflight.preflight import preflight
from tests.clusters import HEAD, ROOT, SPARKS

Answer = dict[str, Any]
Change = Callable[[Answer], object]
LINK = "enp1s0f1np1"
RENEW = "(`inv build`, then `inv ship`)"


def capture(name: str) -> str:
    """Return what the program printed on a node."""
    return (ROOT / "tests" / "captures" / f"preflight-{name}.json").read_text(encoding="utf-8")


def judged(text: str, node: Node = HEAD, cluster: Cluster = SPARKS) -> list[str]:
    """Return what an answer leaves to be desired, as it is printed."""
    return [str(problem) for problem in preflight(cluster, node).problems(text)]


def changed(change: Change) -> str:
    """Return the good answer with one change."""
    answer: Answer = json.loads(capture("head"))
    change(answer)
    return json.dumps(answer)


def interface(answer: Answer, name: str) -> Answer:
    """Return an interface of an answer, to be changed."""
    return next(one for one in answer["addresses"] if one["ifname"] == name)


def address(answer: Answer, name: str, *addresses: str) -> Answer:
    """Give an interface these IPv4 addresses and no other."""
    found = interface(answer, name)
    found["addr_info"] = [{"family": "inet", "local": one} for one in addresses]
    return found


def flags(answer: Answer, *flags: str) -> None:
    """Give the link's interface these flags and no other."""
    interface(answer, LINK)["flags"] = list(flags)
