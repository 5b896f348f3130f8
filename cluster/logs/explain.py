"""Explains the failures in the logs of all services: the cause first, each with a next command."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cluster.errors import Problem
from cluster.logs import logline
from cluster.logs.cluster_signatures import NETWORK, RAY
from cluster.logs.failure import NOISE, WIDTH, WRAPPER, Failure, failures
from cluster.logs.logline import Line
from cluster.logs.model_signatures import MACHINE, MEMORY, MODEL
from cluster.logs.signature import Signature, advice
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext
from cluster.plan.log_reader import ServiceLog

SIGNATURES: tuple[Signature, ...] = (*RAY, *NETWORK, *MEMORY, *MODEL, *MACHINE)
"""All signatures, in the order in which a line is compared with them: the first match counts."""
LITERALS = [(literal, signature) for signature in SIGNATURES for literal in signature.literals]
"""Text that a line must contain before its signature is tried: a log may have 100000 lines."""
READY = ("Application startup complete.", "Ray runtime started.")
"""A program that logs this has survived all earlier failures in its log."""
CODE = " " * 4
"""Lines of code in a traceback begin with this: they may contain the words of their errors."""
ADDRESS = re.compile(r" ?\bip=(?P<address>\S+)")
LAST = "~"
"""Sorts after every time."""
REPETITION = 2
"""As `Failure.distance`."""
UNKNOWN = Signature(
    name="",
    patterns=(),
    meaning="no known failure; this is the first error",
    remedy="next: {inv:logs --node {node}}",
    source="",
)
"""Stands in for the signature of an error that matches none."""

SHOWN = 3
"""Lines of an explanation, and errors of a log."""
COMPARED = 60
"""Two lines that share this many characters at the beginning count as the same."""
LOUD = ("C", "E", "F")
"""First letters of the levels of errors."""
KINDS = ("cause", "effect", "repetition")
"""What `Explanation.distance` is called in JSON."""

Match = tuple[Signature, Mapping[str, str]]
"""The signature of a line, and the values of its fields."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A line of a log, what it means, and what to do."""

    signature: str
    """The name of the signature; empty for an error that no signature matches."""
    node: str
    """The node on which it happened."""
    log: str
    """The title of the log with the line."""
    author: str
    """The process that logged it, and its rank; empty if the line does not name one."""
    time: str
    """As in the log, without the year; empty if the log has no times."""
    moment: str
    """The time, or that of an earlier line, to sort by."""
    lines: tuple[str, ...]
    """The line without its decoration; of an unknown error the message."""
    meaning: str
    """The cause, in a sentence."""
    remedy: str
    """The next command, or an instruction."""
    distance: int
    """From the cause, as `Failure.distance`."""
    note: bool
    """Whether it is worth knowing, but no failure."""

    @property
    def problem(self) -> Problem:
        """The explanation as a problem of its node."""
        return Problem(self.node, self.meaning, self.remedy)

    def reason(self, shown: Sequence[str]) -> tuple[str, ...]:
        """Return the cause in a line, after the line of the log unless that is already shown."""
        line = self.lines[0]
        is_shown = any(line[:COMPARED] in text for text in shown)
        quote = () if is_shown else (f"{self.log}: {line}"[:WIDTH],)
        return (*quote, f"likely cause, on {self.node}: {self.meaning}")


def explain(cluster: Cluster, logs: Sequence[ServiceLog]) -> tuple[Explanation, ...]:
    """Return the explanations of the failures in these logs, the likely cause first, notes last.

    If no signature matches a cause, the first error of the rank that failed first takes its place.
    """
    readers = [_Explainer(cluster=cluster, log=log) for log in logs]
    matched = [explanation for reader in readers for explanation in reader.matched()]
    distances = [explanation.distance for explanation in matched if not explanation.note]
    unmatched: list[Explanation] = []
    if 0 not in distances:
        limit = 0 if distances else REPETITION
        unmatched = [explanation for reader in readers for explanation in reader.unmatched(limit)]
    return _unique([*matched, *sorted(unmatched, key=_order)[:1]])


def likely_cause(explanations: Sequence[Explanation]) -> Explanation | None:
    """Return the likely cause; None if no signature matches it."""
    first = next((row for row in explanations if not row.note), None)
    return first if first and first.signature else None


def has_failed(explanations: Sequence[Explanation]) -> bool:
    """Whether any of the explanations is about a failure."""
    return not all(explanation.note for explanation in explanations)


def text(explanations: Sequence[Explanation], logs: Sequence[ServiceLog]) -> str:
    """Return the explanations as text; if nothing failed, with the last errors of the logs."""
    lines = [line for explanation in explanations for line in _lines(explanation)]
    if not has_failed(explanations):
        errors = (f"    {error}" for error in _last_errors(logs))
        lines = ["all logs: no known failure found", *errors, *lines]
    return "".join(f"{line}\n" for line in lines)


def as_json(explanations: Sequence[Explanation], logs: Sequence[ServiceLog]) -> str:
    """Return the explanations as JSON; if nothing failed, with the last errors of the logs."""
    failed = has_failed(explanations)
    content = {
        "failed": failed,
        "explanations": [
            {
                "signature": explanation.signature,
                "kind": "note" if explanation.note else KINDS[explanation.distance],
                "node": explanation.node,
                "log": explanation.log,
                "who": explanation.author,
                "time": explanation.time,
                "said": list(explanation.lines),
                "meaning": explanation.meaning,
                "next": explanation.remedy,
            }
            for explanation in explanations
        ],
        "errors": [] if failed else list(_last_errors(logs)),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _order(explanation: Explanation) -> tuple[int, str]:
    return (explanation.distance, explanation.moment)


def _unique(unsorted: list[Explanation]) -> tuple[Explanation, ...]:
    """Sort the explanations, keep the first of each signature and node, and put the notes last."""
    unique: dict[tuple[str, str], Explanation] = {}
    for explanation in sorted(unsorted, key=_order):
        name = explanation.signature
        is_explained = name in {signature for signature, _ in unique}
        if not (is_explained and explanation.distance == REPETITION):
            unique.setdefault((name, explanation.node), explanation)
    return tuple(sorted(unique.values(), key=lambda explanation: explanation.note))


@dataclass(frozen=True, kw_only=True)
class _Explainer:
    """Explains the failures of one log."""

    cluster: Cluster
    log: ServiceLog

    @cached_property
    def lines(self) -> list[Line]:
        """The parsed lines."""
        return [logline.read(line) for line in self.log.lines]

    @cached_property
    def times(self) -> list[str]:
        """The time of each line; a line without one has that of its process's line before."""
        latest = {"": LAST}
        times = []
        for line in self.lines:
            latest[""] = latest[line.process] = line.time or latest.get(line.process, latest[""])
            times.append(latest[line.process])
        return times

    @cached_property
    def ready(self) -> int:
        """The number of the line that says that the service is ready; 0 if none does."""
        numbers = (n for n, line in enumerate(self.lines) if line.text.startswith(READY))
        return max(numbers, default=0)

    @cached_property
    def failures(self) -> list[Failure]:
        """The failures that the log reports, the likely cause first."""
        return failures(self.log.lines)

    @cached_property
    def authors(self) -> dict[str, str]:
        """The process that logged a message first, if a second one passed it on."""
        reported = reversed(self.failures)
        return {text: failure.author for failure in reported for text in failure.message}

    def matched(self) -> Iterator[Explanation]:
        """Yield an explanation of each line that matches a signature."""
        for number, line in enumerate(self.lines):
            match = _line_match(line)
            if match and not self._is_over(match[0], number):
                text = NOISE.sub("", line.text)
                author = self.authors.get(text, line.author)
                distance = REPETITION if WRAPPER.search(line.text) else 0
                failure = Failure((text.strip(),), author, number=number, distance=distance)
                yield self._explained(failure, *match)

    def unmatched(self, limit: int) -> Iterator[Explanation]:
        """Yield the failures that match no signature, up to this distance from the cause."""
        for failure in self.failures:
            is_unknown = not any(map(_text_match, failure.message))
            if is_unknown and failure.number >= self.ready and failure.distance <= limit:
                yield self._explained(failure, UNKNOWN, {})

    def _is_over(self, signature: Signature, number: int) -> bool:
        """Whether the service survived the failure, or a later line says that it is over."""
        later = self.lines[number:] if signature.recovery else []
        is_survived = number < self.ready and not signature.note
        return is_survived or any(signature.recovery in line.text for line in later)

    def _explained(
        self, failure: Failure, signature: Signature, values: Mapping[str, str]
    ) -> Explanation:
        address = ADDRESS.search(failure.author)
        node = self._node(values.get("address") or (address["address"] if address else ""))
        context = NodeContext(cluster=self.cluster, node=node)
        names = {str(member.host_ip): member.name for member in self.cluster.nodes}
        values = {field: names.get(value, value) for field, value in values.items()}
        return Explanation(
            signature=signature.name,
            node=node.name,
            log=self.log.title,
            author=ADDRESS.sub("", failure.author),  # people know the address as the node's name
            time=self.lines[failure.number].time,
            moment=self.times[failure.number],
            lines=tuple(filter(None, (*failure.message, failure.location))),
            meaning=advice(signature.meaning, context, values),
            remedy=advice(signature.remedy, context, values),
            distance=max(signature.distance, failure.distance),
            note=signature.note,
        )

    def _node(self, address: str) -> Node:
        """Return the node with an address, or the node of the log if there is none."""
        nodes = self.cluster.nodes
        owner = next(node for node in nodes if node.name == self.log.node)
        return next((node for node in nodes if str(node.host_ip) == address), owner)


def _line_match(line: Line) -> Match | None:
    """Return the signature that a line matches, unless the line is code or only a warning."""
    match = None if line.text.startswith(CODE) else _text_match(line.text)
    return None if match and line.is_quiet and not match[0].any_level else match


def _text_match(text: str) -> Match | None:
    matches = ((row, row.match(text)) for literal, row in LITERALS if literal in text)
    return next(((row, values) for row, values in matches if values is not None), None)


def _lines(explanation: Explanation) -> Iterator[str]:
    yield str(explanation.problem)
    lines = [line for text in explanation.lines for line in textwrap.wrap(text, WIDTH)]
    author = f"logged by {explanation.author}, " if explanation.author else ""
    time = f" at {explanation.time}" if explanation.time else ""
    for line in (*lines[:SHOWN], f"{author}in the log of {explanation.log}{time}"):
        yield f"    {line}"


def _last_errors(logs: Sequence[ServiceLog]) -> Iterator[str]:
    for log in logs:
        parsed = map(logline.read, log.lines)
        errors = [line.text for line in parsed if line.level in LOUD and line.text]
        yield from (f"{log.title}: {error[:WIDTH]}" for error in errors[-SHOWN:])
