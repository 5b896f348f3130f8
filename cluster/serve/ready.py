"""What `inv serve` and `inv rehearse` print at the end: the endpoint, and a completion."""

import json
import shlex
from dataclasses import asdict, dataclass

from cluster.commands import vllm
from cluster.environment.environment import API_KEY
from cluster.node import Cluster
from cluster.plan.plans import server_key
from cluster.plan.runtime import Runtime
from cluster.words import FileText, shell_line


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server that is ready to answer requests."""

    model: str
    """The model's name in requests."""
    url: str
    """Base URL of the OpenAI API."""
    key_file: str
    """The file with the generated API key; empty without a key, or with the user's own."""
    example: str
    """A shell line that lists the models from this machine."""


def endpoint(cluster: Cluster, request: vllm.ServeRequest, runtime: Runtime) -> Endpoint:
    """Return the endpoint of the server that a request starts."""
    url = f"{vllm.url(cluster, request)}/v1"
    key = dict(server_key(cluster, request, runtime)).get(API_KEY)
    key_file = key.path if isinstance(key, FileText) else ""
    value = f"$(cat {shlex.quote(key_file)})" if key_file else f"${API_KEY}"
    header = f' --header "Authorization: Bearer {value}"' if key else ""
    curl = shell_line((*runtime.network_prefix(cluster.head), "curl", "--silent", f"{url}/models"))
    return Endpoint(
        model=vllm.served_name(request), url=url, key_file=key_file, example=f"{curl}{header}"
    )


def text(server: Endpoint) -> str:
    """Return the endpoint as lines of text."""
    key = f"key    {server.key_file}\n" if server.key_file else ""
    return f"model  {server.model}\nurl    {server.url}\n{key}try    {server.example}\n"


def as_json(server: Endpoint) -> str:
    """Return the endpoint as JSON."""
    return json.dumps(asdict(server), indent=2) + "\n"


def completion(cluster: Cluster, prompt: str, answer: str | None) -> str:
    """Return the lines that prove that the cluster works: its ranks, a prompt and the answer."""
    ranks = ", ".join(f"{node.name} {node.host_ip} {node.eth_if}" for node in cluster.nodes)
    return f"ranks   {ranks}\nprompt  {prompt}\nanswer {answer}\n"
