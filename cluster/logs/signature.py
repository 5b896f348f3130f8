"""A known failure: the text of its log line, its meaning, and the next command."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cluster.node_context import NodeContext

BLANK = re.compile(r"\\\{(?P<name>\w+)\\\}|(?P<gap>…)")
"""A field or a gap of a pattern, after `re.escape`."""
FIELD = re.compile(r"\{(\w+)\}")
GAP = re.compile(r"\{\w+\}|…")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A failure that Ray, vLLM, PyTorch, NCCL, the Hub or the kernel logs in known words.

    `meaning` and `remedy` are templates for `advice`: `{name}` is the value of a pattern's field.
    """

    name: str
    patterns: tuple[str, ...]
    """Any of these: `{name}` captures a word, `…` is any text, `^` the beginning of the line."""
    meaning: str
    """The cause, in a sentence without a full stop."""
    remedy: str
    """The next command to run, or an instruction."""
    source: str
    """Where the line or its meaning is documented: a URL, or a file of the program."""
    distance: int = 0
    """From the cause, as `Failure.distance`."""
    note: bool = False
    """Whether it only looks like a failure, or is worth knowing."""
    any_level: bool = False
    """Whether an information or a warning of the program counts as well."""
    recovery: str = ""
    """Text later in the same log that shows that the problem is over."""

    def match(self, text: str) -> dict[str, str] | None:
        """Return the values of the fields in a text; None if no pattern matches."""
        matches = (_compiled(pattern).search(text) for pattern in self.patterns)
        return next((match.groupdict() for match in matches if match), None)

    @property
    def literals(self) -> tuple[str, ...]:
        """The longest part of each pattern without fields and gaps: quicker to search for."""
        patterns = (pattern.removeprefix("^") for pattern in self.patterns)
        return tuple(max(GAP.split(pattern), key=len) for pattern in patterns)

    @property
    def fields(self) -> tuple[frozenset[str], ...]:
        """The names of the fields of each pattern."""
        return tuple(frozenset(FIELD.findall(pattern)) for pattern in self.patterns)

    @property
    def readable_patterns(self) -> tuple[str, ...]:
        """The patterns as people read them: each field is a gap."""
        return tuple(FIELD.sub("…", text.removeprefix("^").strip()) for text in self.patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    anchor = "^" if pattern.startswith("^") else ""
    return re.compile(anchor + BLANK.sub(_blank, re.escape(pattern.removeprefix("^"))))


def _blank(match: re.Match[str]) -> str:
    return ".*?" if match["gap"] else rf"(?P<{match['name']}>[^\s,;)'\"`<>]+)"


@dataclass(frozen=True)
class _CommandField:
    """A field whose format specification is a command."""

    render: Callable[[str], str]

    def __format__(self, command: str) -> str:
        return self.render(command)


def advice(template: str, context: NodeContext, values: Mapping[str, str]) -> str:
    """Fill in a template: the values of a pattern's fields, and what it takes to help the node.

    `{node}` is its name, `{node_file}` its env file and `{cluster_file}` that of all nodes;
    `{new_image}` says how every node gets a new image; `{run:df -h}` is a command on the node, and
    `{inv:logs}` a verb of this project.
    """
    is_remote = context.cluster.runtime == "docker"
    fields = {
        "node": context.node.name,
        "node_file": context.node_file,
        "cluster_file": context.cluster_file,
        "new_image": context.new_image,
        "inv": _CommandField(context.cluster.inv),
        "run": _CommandField(lambda text: context.command(text) if is_remote else f"`{text}`"),
    }
    return template.format_map({**values, **fields})
