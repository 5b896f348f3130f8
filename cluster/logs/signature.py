"""A failure signature: the words of a log line, what they mean, and what to do then."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cluster.node_context import NodeContext

BLANK = re.compile(r"\\\{(?P<name>\w+)\\\}|(?P<anything>…)")
"""What stands for something else in the words, after `re.escape`."""
FIELD = re.compile(r"\{(\w+)\}")
GAP = re.compile(r"\{\w+\}|…")


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Words that Ray, vLLM, PyTorch, NCCL, the Hub or the kernel say when something is wrong.

    `meaning` and `next` name what the words told as `{name}`. `next` also knows the `{node}` that
    said it, its env file `{own}`, that of all nodes `{shared}`, how a new image comes to every
    node `{renew}`, a command on the node `{on:dmesg}`, and our own verbs `{inv:logs}`.
    """

    name: str
    words: tuple[str, ...]
    """Any of these: `{name}` is a word that is kept, `…` is anything, `^` the line's beginning."""
    meaning: str
    """The cause, in a sentence without a full stop."""
    next: str
    """The next command to run, or an instruction."""
    source: str
    """Where the words or their meaning are known from: a URL, or a file of the program."""
    indirect: int = 0
    """As `Failure.indirect`: 0 may be the cause, 1 is its effect on others, 2 a mere repetition."""
    note: bool = False
    """It is no failure, but looks like one, or is worth knowing."""
    soft: bool = False
    """A mere note or warning of the program counts as well."""
    until: str = ""
    """Words in the same log after which it is over."""

    def told(self, text: str) -> dict[str, str] | None:
        """Return what the words tell in this text; None when it does not have them."""
        found = (_compiled(words).search(text) for words in self.words)
        return next((it.groupdict() for it in found if it), None)

    @property
    def literals(self) -> tuple[str, ...]:
        """Of each of the words the longest part without blanks: quicker to look for."""
        return tuple(max(GAP.split(words.removeprefix("^")), key=len) for words in self.words)

    @property
    def fields(self) -> tuple[frozenset[str], ...]:
        """The names of what each of the words tells."""
        return tuple(frozenset(FIELD.findall(words)) for words in self.words)

    @property
    def shown(self) -> tuple[str, ...]:
        """The words for people."""
        return tuple(FIELD.sub("…", words.removeprefix("^").strip()) for words in self.words)


@cache
def _compiled(words: str) -> re.Pattern[str]:
    begin, rest = ("^", words[1:]) if words.startswith("^") else ("", words)
    return re.compile(begin + BLANK.sub(_blank, re.escape(rest)))


def _blank(found: re.Match[str]) -> str:
    return ".*?" if found["anything"] else rf"(?P<{found['name']}>[^\s,;)'\"`<>]+)"


@dataclass(frozen=True)
class _Command:
    """A field whose format specification is a command."""

    spelled: Callable[[str], str]

    def __format__(self, words: str) -> str:
        return self.spelled(words)


def advice(template: str, site: NodeContext, told: Mapping[str, str]) -> str:
    """Fill a template with what the words told, and what is known of the node."""
    remote = site.cluster.runtime == "docker"
    known = {
        "node": site.node.name,
        "own": site.node_file,
        "shared": site.cluster_file,
        "renew": site.new_image,
        "inv": _Command(site.cluster.inv),
        "on": _Command(lambda words: site.command(words) if remote else f"`{words}`"),
    }
    return template.format_map({**told, **known})
