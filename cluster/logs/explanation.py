"""The log of a service and the explanations of its failures, as text and JSON."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.logs import logline
from cluster.plan.log_reader import ServiceLog

WIDTH = 300
"""Characters of a line."""
SHOWN = 3
"""Lines of an explanation, and errors of a log."""
COMPARED = 60
"""Two lines that share this many characters at the beginning count as the same."""
LOUD = ("C", "E", "F")
"""First letters of the levels of errors."""
KINDS = ("cause", "effect", "repetition")
"""What `Explanation.distance` is called in JSON."""


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


def _lines(explanation: Explanation) -> Iterator[str]:
    yield str(explanation.problem)
    lines = [line for text in explanation.lines for line in textwrap.wrap(text, WIDTH)]
    author = f"logged by {explanation.author}, " if explanation.author else ""
    time = f" at {explanation.time}" if explanation.time else ""
    for line in (*lines[:SHOWN], f"{author}in the log of {explanation.log}{time}"):
        yield f"    {line}"


def _last_errors(logs: Sequence[ServiceLog]) -> Iterator[str]:
    """Yield the last errors of each log."""
    for log in logs:
        parsed = map(logline.read, log.lines)
        errors = [line.text for line in parsed if line.level in LOUD and line.text]
        yield from (f"{log.title}: {error[:WIDTH]}" for error in errors[-SHOWN:])
