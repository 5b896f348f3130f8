"""The tables of the documentation, written from the tables of the code."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from cluster.checks.check import Check
from cluster.checks.checks import CHECKS
from cluster.containers.runtime import TOKEN
from cluster.environment.dropped import DROPPED
from cluster.environment.environment import environment, not_carried
from cluster.environment.variables import VARIABLES, token_file
from cluster.logs.explain import SIGNATURES
from cluster.logs.signature import Signature, advice
from cluster.node import DEFAULT, Cluster, Node, Role
from cluster.node_context import NodeContext
from cluster.settings.key import Key
from cluster.settings.passthrough import PREFIXES, REFUSED
from cluster.settings.schema import CLUSTER_KEYS, NODE_KEYS, Keys

RAY_FILE = TOKEN
BLOCK = re.compile(r"(<!-- begin (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _node(name: str, role: Role, address: str, port: int) -> Node:
    """Return a Spark that is cabled on one of its two ports, with both twins of the port."""
    return Node(
        name=name,
        role=role,
        host_ip=IPv4Address(address),
        head_ip=IPv4Address("192.168.177.11"),
        eth_if=f"enp1s0f{port}np{port}",
        ib_if=(f"rocep1s0f{port}", f"roceP2p1s0f{port}"),
        ssh_host=name,
        gpus=1,
        variables=(),
    )


EXAMPLE = Cluster(
    name="",
    runtime="docker",
    image="vllm-node",
    container="vllm_node",
    accelerator="nvidia",
    shm_size=16 << 30,
    hf_cache="~/.cache/huggingface",
    privileged=False,
    nodes=(
        _node("spark1", "head", "192.168.177.11", 1),
        _node("spark2", "worker", "192.168.177.12", 0),
    ),
    subnet=IPv4Network("192.168.177.0/24"),
    head_port=6379,
    dashboard=True,
    object_store_memory=1 << 30,
    serve_host="127.0.0.1",
    serve_port=8000,
    model="",
    gpu_memory_utilization=0.7,
    max_model_len=32768,
    serve_args=(),
    variables=(),
)
"""Two Sparks that are cabled on different ports, so that every difference shows."""


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Render a Markdown table; a cell may hold any text of one line."""
    head = tuple(titles)
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Escape the one character that ends a cell, inside code as well."""
    return text.replace("|", r"\|")


def _link(url: str) -> str:
    """Render a source as a link that shows whose page it is."""
    return f"[{url.split('/')[2]}]({url})"


def variables() -> str:
    """Return the table of what is set, with the values of the example cluster."""
    head, worker = (dict(environment(EXAMPLE, node, token_path=RAY_FILE)) for node in EXAMPLE.nodes)
    return table(
        ("Variable", "On the head", "On the worker", "Why", "Source"),
        (
            (
                f"`{row.name}`",
                f"`{head[row.name]}`",
                f"`{worker[row.name]}`" if row.per_node else "the same",
                row.why,
                _link(row.source),
            )
            for row in (*VARIABLES, token_file(RAY_FILE))
        ),
    )


def dropped() -> str:
    """Return the table of what is left out on purpose."""
    return table(
        ("Variable", "Why not", "Instead", "Source"),
        ((f"`{row.name}`", row.why, row.instead, _link(row.source)) for row in DROPPED),
    )


def kept_back() -> str:
    """Return the names that the head's vLLM does not hand to the workers, as a list."""
    return "".join(f"- `{name}`\n" for name in json.loads(not_carried(EXAMPLE)))


def prefixes() -> str:
    """Return the prefixes of the names that pass through, as a line."""
    return f"{', '.join(f'`{prefix}`' for prefix in PREFIXES)}\n"


def refused() -> str:
    """Return the table of the names that have such a prefix and are errors."""
    return table(
        ("Variable", "What is wrong", "What to do"),
        ((f"`{name}`", *why) for name, why in REFUSED.items()),
    )


def signatures(*, notes: bool) -> str:
    """Return the table of the known failures, or of the lines that only look like one."""
    return table(
        ("Log line", "Meaning", "What to do", "Source"),
        (_signature(signature) for signature in SIGNATURES if signature.note == notes),
    )


def _signature(signature: Signature) -> tuple[str, ...]:
    """Return a row with the advice for the worker of the example."""
    context = NodeContext(cluster=replace(EXAMPLE, name=DEFAULT), node=EXAMPLE.nodes[1])
    values = dict.fromkeys(frozenset().union(*signature.fields), "…")
    source = signature.source
    return (
        "<br>".join(_code(pattern) for pattern in signature.readable_patterns),
        advice(signature.meaning, context, values),
        advice(signature.remedy, context, values),
        _link(source) if source.startswith("https:") else _code(source),
    )


def _code(text: str) -> str:
    """Render text as code; a second backtick on each side lets it hold single ones."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def settings(keys: Keys) -> str:
    """Return the table of the keys of one file."""
    return table(
        ("Key", "Default", "Example", "Meaning"),
        ((f"`{key.name}`", _default(key), f"`{key.example}`", key.meaning) for key in keys),
    )


def _known_from(source: str) -> str:
    return _link(source) if source.startswith("https:") else source


def _default(key: Key[object]) -> str:
    """Say what counts when the key is absent."""
    if key.required:
        return "required"
    return key.derived or (f"`{key.default}`" if key.default else "none")


def checks(known: Iterable[Check] = CHECKS) -> str:
    """Return the table of what `inv doctor` checks, in its order."""
    return table(
        ("Check", "Severity", "What should be so", "Looks at", "Known from"),
        (
            (f"`{its.name}`", its.severity, its.title, its.looks_at, _known_from(its.source))
            for its in known
        ),
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "variables": variables,
    "dropped": dropped,
    "kept-back": kept_back,
    "prefixes": prefixes,
    "refused": refused,
    "failures": lambda: signatures(notes=False),
    "no-failures": lambda: signatures(notes=True),
    "cluster-settings": lambda: settings(CLUSTER_KEYS),
    "node-settings": lambda: settings(NODE_KEYS),
    "checks": checks,
}
"""What can stand between `<!-- begin NAME -->` and `<!-- end -->`."""


def regenerated(text: str, blocks: Mapping[str, Callable[[], str]] = BLOCKS) -> str:
    """Return a page with all its blocks written anew; an unknown name is a KeyError."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{blocks[block['name']]()}\n{block[3]}", text)
