"""The generated parts of the documentation: tables, and the example env files."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from textwrap import fill

from cluster.checks.check import Check
from cluster.checks.checks import CHECKS
from cluster.containers.runtime import TOKEN
from cluster.environment.environment import environment, not_carried
from cluster.environment.variables import DROPPED, VARIABLES, token_file
from cluster.logs.explain import SIGNATURES
from cluster.logs.signature import Signature, advice
from cluster.node import DEFAULT, KEYS, Cluster, Node, Role
from cluster.node_context import NodeContext
from cluster.settings.keys import Key, Scope
from cluster.settings.passthrough import PREFIXES, REFUSED, SECRET_WORDS

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
        variables=(),
    )


EXAMPLE = Cluster(
    name="",
    nodes=(
        _node("spark1", "head", "192.168.177.11", 1),
        _node("spark2", "worker", "192.168.177.12", 0),
    ),
    subnet=IPv4Network("192.168.177.0/24"),
    serve_host="127.0.0.1",
    serve_port=8000,
    variables=(),
)
"""Two Sparks that are cabled on different ports, so that every difference shows."""


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Render a Markdown table; a cell may hold any text of one line."""
    head = tuple(titles)
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Escape the character that ends a cell, even inside code."""
    return text.replace("|", r"\|")


def _link(url: str) -> str:
    """Render a source as a link with the name of its host."""
    return f"[{url.split('/')[2]}]({url})"


def variables() -> str:
    """Return the table of the project's variables, with their values in the example cluster."""
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
    """Return the table of the variables left out."""
    return table(
        ("Variable", "Why not", "Instead", "Source"),
        ((f"`{row.name}`", row.why, row.instead, _link(row.source)) for row in DROPPED),
    )


def kept_back() -> str:
    """Return a list of the variables that the head's vLLM does not pass to the workers."""
    return "".join(f"- `{name}`\n" for name in json.loads(not_carried(EXAMPLE)))


def prefixes() -> str:
    """Return one line with the prefixes of the variables that pass through."""
    return f"{', '.join(f'`{prefix}`' for prefix in PREFIXES)}\n"


def refused() -> str:
    """Return the table of the variables that have such a prefix and are refused."""
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
    """Render text as code; a second backtick on each side allows single ones inside."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def settings(keys: Iterable[Key]) -> str:
    """Return the table of the keys of one file."""
    return table(
        ("Key", "Default", "Example", "Meaning"),
        ((f"`{key.name}`", _default(key), f"`{key.example}`", key.meaning) for key in keys),
    )


def _source(source: str) -> str:
    return _link(source) if source.startswith("https:") else source


def _default(key: Key) -> str:
    """Return the cell for a key that the file does not set."""
    if key.derived:
        return key.derived.source
    return "required" if key.required else f"`{key.default}`" if key.default else "none"


def checks(rows: Iterable[Check] = CHECKS) -> str:
    """Return the table of the doctor's checks, in its order."""
    return table(
        ("Check", "Severity", "Expected", "Facts", "Source"),
        (
            (f"`{row.name}`", row.severity, row.title, row.looks_at, _source(row.source))
            for row in rows
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
    "cluster-settings": lambda: settings(KEYS["cluster"].values()),
    "node-settings": lambda: settings(KEYS["node"].values()),
    "checks": checks,
}
"""The texts between `<!-- begin NAME -->` and `<!-- end -->`, by name."""


def regenerated(text: str, blocks: Mapping[str, Callable[[], str]] = BLOCKS) -> str:
    """Return a page with all its blocks updated; an unknown name is a KeyError."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{blocks[block['name']]()}\n{block[3]}", text)


WIDTH = 100
HEADERS: dict[Scope, str] = {
    "cluster": "The settings that all nodes share. Copy this file to env/cluster.env; without it, "
    "every key has its default. Remove the `#` before a key to set it.",
    "node": "One machine. Copy this file to env/<node>.env, for example env/spark1.env: the file's "
    "name is the node's name. Remove the `#` before a key to set it.",
}
VARIABLES_PASS = (
    "Variables with these prefixes are passed to the nodes unchanged: "
    f"{', '.join(PREFIXES)}. A node's own file overrides cluster.env, and both override what the "
    f"project sets. The value is masked in all output if the name contains "
    f"{', '.join(sorted(SECRET_WORDS)[:-1])} or {max(SECRET_WORDS)}, or if it is a URL with a "
    "login."
)
VARIABLE_EXAMPLES: dict[Scope, tuple[str, ...]] = {
    "cluster": ("HF_TOKEN=hf_yours", "NCCL_DEBUG=INFO"),
    "node": ("NCCL_DEBUG=INFO",),
}


def example_file(scope: Scope) -> str:
    """Return the text of `env/<scope>.env.example`."""
    keys = (_paragraph(key) for key in KEYS[scope].values())
    variables = (_comment(VARIABLES_PASS), *(f"#{line}" for line in VARIABLE_EXAMPLES[scope]))
    return "\n\n".join((_comment(HEADERS[scope]), *keys, "\n".join(variables))) + "\n"


def _paragraph(key: Key) -> str:
    mark = "" if key.required or key.advised else "#"
    return f"{_comment(key.meaning)}\n{mark}{key.name}={key.default or key.example}"


def _comment(sentences: str) -> str:
    return fill(sentences, WIDTH, initial_indent="# ", subsequent_indent="# ")
