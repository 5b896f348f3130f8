#!/usr/bin/env python3
"""Answers one question inside a node, with the node's environment, as one line of JSON.

    probe.py ray-nodes --address 192.168.177.11:6379
    probe.py http --url http://192.168.177.11:8888/health
    probe.py port --host 192.168.177.11 --port 6379
    probe.py listen-free --host 0.0.0.0 --port 8888

With `--wait SECONDS` it asks again until the answer is a good one: every node alive, status 200, a port that listens or is
free. It stands alone: the standard library, and Ray for the one question that needs it. The exit code is 0 whenever there was an
answer, `{"error": ...}` included. Secrets come from the environment, never from the command line.
"""

import argparse
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from typing import Any

Answer = dict[str, Any]


def ray_nodes(options: argparse.Namespace) -> Answer:
    """Return the nodes that the head's control store knows, without joining the cluster."""
    host, _, port = options.address.rpartition(":")
    if not reachable(host, int(port), options.timeout):
        return {"error": f"nothing accepts connections at {options.address}"}
    # Importing Ray takes most of a second: only this question pays for it. The client is what `ray status` itself uses.
    from ray._raylet import GcsClient  # noqa: PLC0415
    from ray.exceptions import RayError  # noqa: PLC0415

    try:
        found = GcsClient(address=options.address).get_all_node_info(timeout=options.timeout)
    except RayError as error:
        return {"error": str(error).partition("\n")[0]}
    return {"nodes": [node(info) for info in found.values()]}


def node(info: Any) -> Answer:
    """Return what matters of one node; `state` 0 is ALIVE (src/ray/protobuf/gcs.proto)."""
    return {
        "address": info.node_manager_address,
        "hostname": info.node_manager_hostname,
        "alive": info.state == 0,
        "gpus": info.resources_total.get("GPU", 0),
        "cpus": info.resources_total.get("CPU", 0),
    }


def http(options: argparse.Namespace) -> Answer:
    """Return the status and the body of a response: parsed when it is JSON, else its text."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(options.key_env):
        headers["Authorization"] = f"Bearer {key}"
    body = options.body.encode() if options.body else None
    request = urllib.request.Request(options.url, data=body, headers=headers, method=options.method)
    # No proxy: the question is always for this cluster's own server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=options.timeout) as response:
            return {"status": response.status, "body": parsed(response.read())}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": parsed(error.read())}
    except OSError as error:
        return {"error": str(getattr(error, "reason", error))}


def parsed(content: bytes) -> Any:
    """Return JSON as values and anything else as text."""
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", errors="replace")


def port(options: argparse.Namespace) -> Answer:
    """Tell whether something accepts connections there."""
    return {"listening": reachable(options.host, options.port, options.timeout)}


def reachable(host: str, number: int, seconds: float) -> bool:
    """Tell whether a TCP connection can be made."""
    try:
        socket.create_connection((host, number), timeout=seconds).close()
    except OSError:
        return False
    return True


def listen_free(options: argparse.Namespace) -> Answer:
    """Tell whether a server could listen there now, as a server does it: over connections that are only fading away."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        options.host, options.port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(address)
        except OSError as error:
            return {"free": False, "error": os.strerror(error.errno or 0)}
    return {"free": True}


def ask(asked: argparse.Namespace) -> Answer:
    """Return the first good answer, or the last one when the time to wait is over."""
    until = time.monotonic() + asked.wait
    answer: Answer = asked.answer(asked)
    while not asked.good(asked, answer) and time.monotonic() < until:
        time.sleep(0.1)
        answer = asked.answer(asked)
    return answer


def options() -> argparse.Namespace:
    """Return the question on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    questions = parser.add_subparsers(required=True)
    asked = questions.add_parser("ray-nodes")
    asked.add_argument("--address", required=True)
    asked.add_argument("--count", type=int, default=1, help="nodes that make an answer good")
    asked.set_defaults(answer=ray_nodes, good=lambda its, found: len(alive(found)) >= its.count)
    asked = questions.add_parser("http")
    asked.add_argument("--url", required=True)
    asked.add_argument("--method", default="GET")
    asked.add_argument("--body", default="")
    asked.add_argument("--key-env", default="VLLM_API_KEY", help="variable that holds the API key")
    asked.set_defaults(answer=http, good=lambda _, found: found.get("status") == 200)
    for name, answer, field in (("port", port, "listening"), ("listen-free", listen_free, "free")):
        asked = questions.add_parser(name)
        asked.add_argument("--host", required=True)
        asked.add_argument("--port", type=int, required=True)
        asked.set_defaults(answer=answer, good=lambda _, found, field=field: found[field])
    for question in questions.choices.values():
        question.add_argument("--timeout", type=float, default=5.0, help="seconds for one answer")
        question.add_argument(
            "--wait", type=float, default=0.0, help="seconds to ask again for a good answer"
        )
    return parser.parse_args()


def alive(found: Answer) -> list[Answer]:
    """Return the nodes of an answer that are alive."""
    return [node for node in found.get("nodes", []) if node["alive"]]


if __name__ == "__main__":
    json.dump(ask(options()), sys.stdout)
    print()
