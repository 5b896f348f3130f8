"""Answers of docker/preflight.py for the tests: a healthy node's, and changed ones."""

import json
from collections.abc import Callable
from typing import Any

from cluster.checks.preflight import preflight_problems
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext
from tests.clusters import HEAD, ROOT, SPARKS

Answer = dict[str, Any]
Change = Callable[[Answer], object]
RENEW = "(`inv build`, then `inv ship`)"


def capture(name: str) -> str:
    """Return what the program printed on a node."""
    return (ROOT / "tests" / "captures" / f"preflight-{name}.json").read_text(encoding="utf-8")


def judged(text: str, node: Node = HEAD, cluster: Cluster = SPARKS) -> list[str]:
    """Return the problems in an answer, as they are printed."""
    return [
        str(problem)
        for problem in preflight_problems(NodeContext(cluster=cluster, node=node), text)
    ]


def changed(change: Change) -> str:
    """Return the healthy node's answer with one change."""
    answer: Answer = json.loads(capture("head"))
    change(answer)
    return json.dumps(answer)
