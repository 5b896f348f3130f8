"""The environment of a node's container: what the table gives and the user overrides."""

import json

from cluster.environment.variables import VARIABLES, token_file
from cluster.node import Cluster, Node
from cluster.words import Environment, Value

API_KEY = "VLLM_API_KEY"
"""What the API server alone gets: no container, and no worker, needs the key."""


def environment(cluster: Cluster, node: Node, *, token_path: str) -> Environment:
    """Return the node's variables: the table, then `cluster.env`, then the node's own file.

    A variable that comes twice keeps its first place and its last value. `token_path` is where on
    the node Ray finds its token.
    """
    passed = dict(cluster.variables) | dict(node.variables)
    values = _generated(cluster, node, passed, token_path) | passed
    return tuple((name, value) for name, value in values.items() if name != API_KEY)


def _generated(
    cluster: Cluster, node: Node, passed: dict[str, Value], token_path: str
) -> dict[str, Value]:
    """Return what the table gives a node whose user wrote `passed`."""
    rows = (*VARIABLES, token_file(token_path))
    return {
        row.name: value
        for row in rows
        if passed.keys().isdisjoint(row.yields_to)
        and (value := row.value(cluster, node)) is not None
    }


def not_carried(cluster: Cluster) -> str:
    """Return the text of `ray_non_carry_over_env_vars.json` in vLLM's configuration directory.

    vLLM's driver, on the head, hands its whole environment to the Ray workers, which take every
    variable that they lack (vllm/v1/executor/ray_env_utils.py). The names in this file are kept
    back, because their values belong to one node.
    """
    table = {row.name for row in (*VARIABLES, token_file("")) if row.per_node}
    own = {name for node in cluster.nodes for name, _ in node.variables}
    return json.dumps(sorted(table | own | {API_KEY}), indent=2) + "\n"


def sources(cluster: Cluster, node: Node) -> dict[str, str]:
    """Return the file that each of a node's pass-through variables comes from."""
    shared = dict.fromkeys((name for name, _ in cluster.variables), "cluster.env")
    return shared | dict.fromkeys((name for name, _ in node.variables), f"{node.name}.env")
