"""Questions to a node, each with the parser of its answer side by side."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cluster.commands import ray
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.plan.ray_nodes import membership_problems, node_listing

Problems = tuple[Problem, ...]
HTTP_OK = 200
LONGEST_BODY = 300
"""Characters of an unexpected response that an error shows."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question to a node."""

    node: Node
    """The node that is asked."""
    condition: str
    """The condition that a good answer proves, to stand after "wait until" or "check that"."""
    argv: tuple[str, ...]
    """Arguments of the probe (docker/probe.py), which answers with one line of JSON."""
    problems: Callable[[str], Problems]
    """The problems that the probe's output shows."""


def joined(cluster: Cluster, nodes: tuple[Node, ...]) -> Question:
    """Ask whether these nodes are in Ray as their settings say."""
    names = ", ".join(node.name for node in nodes)
    argv = ("ray-nodes", "--address", ray.address(cluster), "--count", str(max(1, len(nodes))))
    return Question(
        node=cluster.head,
        condition=f"Ray has {names}" if names else "Ray answers",
        argv=argv,
        problems=lambda text: membership_problems(cluster, nodes, node_listing(fields(text))),
    )


def reachable(cluster: Cluster, node: Node) -> Question:
    """Ask whether the head's control store accepts connections from this node."""
    argv = ("port", "--host", str(cluster.head.host_ip), "--port", str(cluster.head_port))
    problem = Problem(
        place=node.name,
        message=f"cannot reach Ray's head at {ray.address(cluster)}",
        remedy=f"start it with {cluster.inv('head')}; {_logs(cluster)}",
    )
    return Question(
        node=node,
        condition="the head answers",
        argv=argv,
        problems=lambda text: () if fields(text).get("listening") else (problem,),
    )


def free(cluster: Cluster, host: str, port: int) -> Question:
    """Ask whether a server on the head can listen at an address."""
    return Question(
        node=cluster.head,
        condition=f"port {port} is free",
        argv=("listen-free", "--host", host, "--port", str(port)),
        problems=lambda text: (
            () if fields(text).get("free") else (_taken(cluster.head, host, port, fields(text)),)
        ),
    )


def healthy(cluster: Cluster, url: str) -> Question:
    """Ask whether the server answers `GET /health` with 200: it does once the model is loaded."""
    problem = Problem(
        place=cluster.head.name,
        message=f"{url}/health does not answer",
        remedy=_logs(cluster),
    )
    return Question(
        node=cluster.head,
        condition="the model is ready",
        argv=("http", "--url", f"{url}/health", "--timeout", "5"),
        problems=lambda text: () if is_ok(fields(text)) else (problem,),
    )


def completion(cluster: Cluster, url: str, *, prompt: str, tokens: int, seconds: float) -> Question:
    """Ask for the continuation of a prompt, at temperature 0 and of at most so many tokens."""
    body = json.dumps({"prompt": prompt, "max_tokens": tokens, "temperature": 0})
    call = ("http", "--url", f"{url}/v1/completions", "--method", "POST", "--body", body)
    return Question(
        node=cluster.head,
        condition="the server completes a prompt",
        argv=(*call, "--key-env", "VLLM_API_KEY", "--timeout", f"{seconds:g}"),
        problems=lambda text: (
            () if completed(text) is not None else (_no_completion(cluster, fields(text)),)
        ),
    )


def completed(text: str) -> str | None:
    """Return the text of a completion, or None when the answer holds none."""
    try:
        return str(fields(text)["body"]["choices"][0]["text"])
    except (KeyError, IndexError, TypeError):
        return None


def is_ok(response: dict[str, Any]) -> bool:
    """Whether the fields are those of a response with status 200."""
    return bool(response.get("status") == HTTP_OK)


def fields(text: str) -> dict[str, Any]:
    """Return the fields of the probe's last line; none if it is not a JSON object."""
    try:
        answer = json.loads(text.strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _taken(node: Node, host: str, port: int, answer: dict[str, Any]) -> Problem:
    message = f"cannot listen on {host}, port {port}: {answer.get('reason', 'no answer')}"
    remedy = "choose others with --host and --port, or stop the program that listens there"
    return Problem(place=node.name, message=message, remedy=remedy)


def _no_completion(cluster: Cluster, answer: dict[str, Any]) -> Problem:
    response = f"HTTP {answer.get('status')}: {json.dumps(answer.get('body'))[:LONGEST_BODY]}"
    reason = response if "status" in answer else answer.get("error", "no answer")
    message = f"the server did not complete a prompt: {reason}"
    return Problem(place=cluster.head.name, message=message, remedy=_logs(cluster))


def _logs(cluster: Cluster) -> str:
    """Return the remedy for problems that only the head's logs explain."""
    return f"next: {cluster.inv('logs', '--node', cluster.head.name)}"
