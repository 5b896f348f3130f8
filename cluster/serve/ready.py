"""What `inv serve` tells when the server is ready: where it is, and how to ask it."""

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
class Ready:
    """A server that answers."""

    model: str
    """The name that requests use."""
    url: str
    """Base URL of the OpenAI API."""
    key_file: str
    """The file with the generated API key; empty when there is none, or the user's own."""
    example: str
    """A shell line that lists the models, from this machine."""


def ready(cluster: Cluster, request: vllm.Request, runtime: Runtime) -> Ready:
    """Return what to tell of a server that was asked for."""
    url = f"{vllm.url(cluster, request)}/v1"
    key = dict(server_key(cluster, request, runtime)).get(API_KEY)
    key_file = key.path if isinstance(key, FileText) else ""
    shown = f"$(cat {shlex.quote(key_file)})" if key_file else f"${API_KEY}"
    header = f' --header "Authorization: Bearer {shown}"' if key else ""
    reach = shell_line((*runtime.visit(cluster.head), "curl", "--silent", f"{url}/models"))
    return Ready(
        model=vllm.served_name(request), url=url, key_file=key_file, example=f"{reach}{header}"
    )


def text(found: Ready) -> str:
    """Return the lines for a person."""
    key = f"key    {found.key_file}\n" if found.key_file else ""
    return f"model  {found.model}\nurl    {found.url}\n{key}try    {found.example}\n"


def as_json(found: Ready) -> str:
    """Return the fields as JSON."""
    return json.dumps(asdict(found), indent=2) + "\n"


def answer(cluster: Cluster, prompt: str, completed: str | None) -> str:
    """Return the lines that prove the whole job: who computed, and what came out."""
    ranks = ", ".join(f"{node.name} {node.host_ip} {node.eth_if}" for node in cluster.nodes)
    return f"ranks   {ranks}\nprompt  {prompt}\nanswer {completed}\n"
