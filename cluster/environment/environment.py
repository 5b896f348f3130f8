"""The environment of a node: the variables that the project sets, overridden by the user's."""

import json

from cluster.environment.variables import VARIABLES, token_file
from cluster.node import Cluster, Node
from cluster.words import Environment

API_KEY = "VLLM_API_KEY"
"""Variable with the server's API key, for the server's process alone."""


def environment(cluster: Cluster, node: Node, *, token_path: str) -> Environment:
    """Return the node's variables: the project's, then those of `cluster.env`, then the node's.

    A variable set twice keeps its first place and its last value. `token_path` is the path of
    Ray's token on the node.
    """
    passed = dict(cluster.variables) | dict(node.variables)
    generated = {
        row.name: value
        for row in (*VARIABLES, token_file(token_path))
        if passed.keys().isdisjoint(row.yields_to)
        and (value := row.value(cluster, node)) is not None
    }
    values = generated | passed
    return tuple((name, value) for name, value in values.items() if name != API_KEY)


def not_carried(cluster: Cluster) -> str:
    """Return the text of `ray_non_carry_over_env_vars.json` in vLLM's configuration directory.

    vLLM's driver, on the head, passes its whole environment to the Ray workers, which take every
    variable that they lack (vllm/v1/executor/ray_env_utils.py). Variables in this file are not
    passed, because their values belong to one node.
    """
    per_node = {row.name for row in (*VARIABLES, token_file("")) if row.per_node}
    node_variables = {name for node in cluster.nodes for name, _ in node.variables}
    return json.dumps(sorted(per_node | node_variables | {API_KEY}), indent=2) + "\n"


def sources(cluster: Cluster, node: Node) -> dict[str, str]:
    """Return the name of the file that sets each of a node's pass-through variables."""
    shared = dict.fromkeys((name for name, _ in cluster.variables), "cluster.env")
    return shared | dict.fromkeys((name for name, _ in node.variables), f"{node.name}.env")
