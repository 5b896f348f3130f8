"""Questions to a node, each with the parser of its answer side by side."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cluster import ray
from cluster.errors import Problem
from cluster.node import Cluster, Node

Problems = tuple[Problem, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Arguments of the probe (docker/probe.py), and what its one line of JSON leaves to be desired."""

    argv: tuple[str, ...]
    problems: Callable[[str], Problems]


def joined(cluster: Cluster, nodes: tuple[Node, ...]) -> Question:
    """Are these nodes in Ray as their settings say?"""
    argv = ("ray-nodes", "--address", ray.address(cluster), "--count", str(max(1, len(nodes))))
    return Question(argv=argv, problems=lambda text: ray.missing(cluster, nodes, text))


def reachable(cluster: Cluster, node: Node) -> Question:
    """Does the head's control store accept connections from this node?"""
    argv = ("port", "--host", str(cluster.head.host_ip), "--port", str(cluster.head_port))
    what = f"cannot reach Ray's head at {ray.address(cluster)}"
    problem = Problem(
        place=node.name,
        what=what,
        remedy=f"start it with `inv head`; next: `inv logs --node {cluster.head.name}`",
    )
    return Question(
        argv=argv, problems=lambda text: () if fields(text).get("listening") else (problem,)
    )


def free(node: Node, host: str, port: int) -> Question:
    """Can a server on this node listen on this port?"""
    argv = ("listen-free", "--host", host, "--port", str(port))
    problem = Problem(
        place=node.name,
        what=f"port {port} of {host} is taken",
        remedy="choose another with --port, or stop what listens there",
    )
    return Question(argv=argv, problems=lambda text: () if fields(text).get("free") else (problem,))


def healthy(node: Node, url: str) -> Question:
    """Does the server answer `GET /health` with 200? A refused connection means that it still loads."""
    problem = Problem(
        place=node.name,
        what=f"{url}/health does not answer",
        remedy=f"next: `inv logs --node {node.name}`",
    )
    argv = ("http", "--url", f"{url}/health", "--timeout", "5")
    return Question(
        argv=argv, problems=lambda text: () if fields(text).get("status") == 200 else (problem,)
    )


def completion(node: Node, url: str, *, prompt: str, tokens: int, seconds: float) -> Question:
    """What does the model add to this prompt, at temperature 0 and in at most so many tokens?"""
    body = json.dumps({"prompt": prompt, "max_tokens": tokens, "temperature": 0})
    call = ("http", "--url", f"{url}/v1/completions", "--method", "POST", "--body", body)
    return Question(
        argv=(*call, "--key-env", "VLLM_API_KEY", "--timeout", f"{seconds:g}"),
        problems=lambda text: () if completed(text) is not None else (_no_completion(node, text),),
    )


def completed(text: str) -> str | None:
    """Return the text of a completion, or None when the answer holds none."""
    try:
        return str(fields(text)["body"]["choices"][0]["text"])
    except (KeyError, IndexError, TypeError):
        return None


def fields(text: str) -> dict[str, Any]:
    """Return the fields of the probe's last line; none when it is not a JSON object."""
    try:
        found = json.loads(text.strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _no_completion(node: Node, text: str) -> Problem:
    found = fields(text)
    answer = (
        found.get("error") or f"HTTP {found.get('status')}: {json.dumps(found.get('body'))[:300]}"
    )
    return Problem(
        place=node.name,
        what=f"the server did not complete a prompt: {answer}",
        remedy=f"next: `inv logs --node {node.name}`",
    )
