"""Answer one question about this node as one line of JSON: `probe.py port --host H --port P`.

It runs inside a container or namespace with the node's own Python and environment, so the answer
is what the node itself sees. It imports only the standard library until a question needs Ray. The
exit code is 0 whenever there is an answer, and an error is an answer. With `--wait` it repeats the
question until the answer is good: status 200, a port that is listening or free, enough nodes.
"""

import argparse
import json
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
Ask = Callable[[argparse.Namespace], Answer]
Good = Callable[[argparse.Namespace, Answer], bool]
BODY_LIMIT = 4_000_000  # bytes of a response that are read
PAUSE = 0.1  # seconds between two attempts


def ray_nodes(options: argparse.Namespace) -> Answer:
    """List the nodes in Ray's control store (GCS), including dead ones.

    An error is `unreachable`, `unauthorized` or `failed`, with a `detail` for people.
    """
    host, _, port = options.address.rpartition(":")
    refusal = refused(host, int(port), options.timeout)
    if refusal:
        return {"error": "unreachable", "detail": f"{options.address}: {refusal}"}
    # An unreadable token file makes Ray abort the whole process.
    token = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if token and "RAY_AUTH_TOKEN" not in os.environ and not has_text(Path(token)):
        return {"error": "unauthorized", "detail": f"cannot read a token from {token}"}
    timer = threading.Timer(options.timeout, time_out, [options.address])
    timer.daemon = True
    timer.start()
    try:
        return {"nodes": [ray_node(info) for info in gcs_nodes(options.address, options.timeout)]}
    except Exception as error:  # noqa: BLE001 -- Ray's errors differ between its versions
        return {"error": ray_error(error), "detail": str(error)}
    finally:
        timer.cancel()


def gcs_nodes(address: str, timeout: float) -> list[Any]:
    """Fetch the node table directly, which needs neither a driver nor the dashboard."""
    from ray._raylet import GcsClient

    nodes = GcsClient(address=address).get_all_node_info(timeout=timeout)
    return sorted(nodes.values(), key=lambda info: int(info.start_time_ms))


def ray_node(info: Any) -> Answer:
    """Return the relevant fields of a `GcsNodeInfo` message."""
    return {
        "node_id": info.node_id.hex(),
        "address": info.node_manager_address,
        "hostname": info.node_manager_hostname,
        "head": info.is_head_node,
        "alive": info.state == type(info).ALIVE,
        "gpus": info.resources_total.get("GPU", 0.0),
        "cpus": info.resources_total.get("CPU", 0.0),
        "since_ms": info.start_time_ms,
        "death": info.death_info.reason_message,
    }


def ray_error(error: Exception) -> str:
    """Return the kind of a Ray error."""
    if type(error).__name__ == "AuthenticationError" or "InvalidAuthToken" in str(error):
        return "unauthorized"
    return "unreachable" if type(error).__name__ == "RpcError" else "failed"


def time_out(address: str) -> None:
    """Print an answer and exit: Ray's client retries for 40 s, whatever its timeout is."""
    print_answer({"error": "unreachable", "detail": f"{address}: no answer in time"})
    os._exit(0)


def has_text(path: Path) -> bool:
    """Whether a file can be read and is not blank."""
    try:
        return bool(path.read_text().strip())
    except OSError:
        return False


def http(options: argparse.Namespace) -> Answer:
    """Send one request without a proxy. The API key comes from the environment, never from argv."""
    headers = {"Content-Type": "application/json"} if options.body else {}
    if key := os.environ.get(options.key_env):
        headers["Authorization"] = f"Bearer {key}"
    body = options.body.encode() if options.body else None
    method = options.method or ("POST" if body else "GET")
    try:
        request = urllib.request.Request(  # noqa: S310 (the URL is the cluster's own)
            options.url, body, headers, method=method
        )
        return http_answer(request, options.timeout)
    except (OSError, ValueError, HTTPException) as error:
        return {"error": reason_of(error)}


def http_answer(request: urllib.request.Request, timeout: float) -> Answer:
    """Read the response; a status such as 503 is an answer like any other."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        response = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as refusal:
        response = refusal
    with response:
        text = response.read(BODY_LIMIT).decode(errors="replace")
        return {"status": response.status, "body": json_or_text(text)}


def json_or_text(text: str) -> Any:
    """Parse a body that is JSON; return any other body unchanged."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def reason_of(error: Exception) -> str:
    """Return why a connection failed, without the exception of urllib around it."""
    reason = getattr(error, "reason", error)
    text = reason.strerror if isinstance(reason, OSError) else None
    return text or str(reason) or repr(reason)


def port(options: argparse.Namespace) -> Answer:
    """Whether a program is listening at an address."""
    return {"listening": refused(options.host, options.port, options.timeout) is None}


def refused(host: str, port: int, timeout: float) -> str | None:
    """Return why a TCP connection fails; None if it succeeds."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        return reason_of(error)
    return None


def listen_free(options: argparse.Namespace) -> Answer:
    """Whether a server could listen at an address now, and if not, why."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family) as server:
        # As servers do: a port in TIME_WAIT is free.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((options.host, options.port))
            server.listen()
        except OSError as error:
            return {"free": False, "reason": reason_of(error)}
    return {"free": True}


def good_nodes(options: argparse.Namespace, answer: Answer) -> bool:
    """Whether enough nodes are alive."""
    alive = [node for node in answer.get("nodes", ()) if node["alive"]]
    return len(alive) >= int(options.count)


def good_response(_options: argparse.Namespace, answer: Answer) -> bool:
    """Whether the response has status 200."""
    return answer.get("status") == HTTPStatus.OK


def good_port(_options: argparse.Namespace, answer: Answer) -> bool:
    """Whether the port is listening, or free if that is the question."""
    return bool(answer.get("listening") or answer.get("free"))


def answer_in_time(options: argparse.Namespace) -> Answer:
    """Return the first good answer, or the last answer when the time is up."""
    until = time.monotonic() + options.wait
    answer: Answer = options.ask(options)
    while not options.good(options, answer) and time.monotonic() < until:
        time.sleep(PAUSE)
        answer = options.ask(options)
    return answer


def print_answer(answer: Answer) -> None:
    """Print the answer as one line and flush it, even if the process is about to exit."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    questions = root.add_subparsers(required=True)

    def question(name: str, ask: Ask, good: Good) -> argparse.ArgumentParser:
        command = questions.add_parser(name, help=(ask.__doc__ or "").splitlines()[0])
        command.set_defaults(ask=ask, good=good)
        command.add_argument("--timeout", type=float, default=10.0, help="seconds for one answer")
        command.add_argument("--wait", type=float, default=0.0, help="seconds for a good answer")
        return command

    nodes = question("ray-nodes", ray_nodes, good_nodes)
    nodes.add_argument("--address", required=True, help="IP:PORT")
    nodes.add_argument("--count", type=int, default=1, help="number of nodes that must be alive")
    request = question("http", http, good_response)
    request.add_argument("--url", required=True)
    request.add_argument("--method", help="default: POST with a body, otherwise GET")
    request.add_argument("--body", help="JSON")
    request.add_argument("--key-env", default="VLLM_API_KEY", help="variable with the API key")
    for name, ask in (("port", port), ("listen-free", listen_free)):
        command = question(name, ask, good_port)
        command.add_argument("--host", required=True)
        command.add_argument("--port", type=int, required=True)
    return root


if __name__ == "__main__":
    print_answer(answer_in_time(parser().parse_args()))
