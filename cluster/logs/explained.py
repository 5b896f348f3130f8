"""What `inv logs --explain` tells: each explanation with its line, as text or JSON."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from cluster.errors import Problem
from cluster.logs import logline
from cluster.logs.explain import Explanation, Told

WIDTH = 300
"""Characters of a line."""
SHOWN = 3
"""Lines of an explanation, and errors of a log."""
TELLING = 60
"""With so many characters in common, two lines are one."""
LOUD = ("C", "E", "F")
"""First letters of the levels of errors."""
KINDS = ("cause", "effect", "repetition")
"""How far an explanation is from the cause."""


def failed(found: Sequence[Explanation]) -> bool:
    """Tell whether anything went wrong."""
    return not all(it.note for it in found)


def text(found: Sequence[Explanation], logs: Sequence[Told]) -> str:
    """Return the explanations; where nothing went wrong, the last errors of the logs as well."""
    lines = [line for it in found for line in _lines(it)]
    if not failed(found):
        lines = ["all logs: nothing known went wrong", *_last(logs), *lines]
    return "".join(f"{line}\n" for line in lines)


def problem(it: Explanation) -> Problem:
    """Return an explanation as the one line of an error."""
    return Problem(place=it.node, message=it.meaning, remedy=it.next)


def reason(it: Explanation, shown: Sequence[str]) -> tuple[str, ...]:
    """Return the cause of a failure in a line, after what tells of it unless that is shown."""
    line = it.said[0]
    known = any(line[:TELLING] in text for text in shown)
    said = () if known else (f"{it.log}: {line}"[:WIDTH],)
    return (*said, f"likely cause, on {it.node}: {it.meaning}")


def _lines(it: Explanation) -> Iterator[str]:
    yield str(problem(it))
    said = [line for text in it.said for line in textwrap.wrap(text, WIDTH)]
    who = f"said by {it.who}, " if it.who else ""
    when = f" at {it.time}" if it.time else ""
    for line in (*said[:SHOWN], f"{who}in the log of {it.log}{when}"):
        yield f"    {line}"


def _last(logs: Sequence[Told]) -> Iterator[str]:
    """Return the last errors of each log."""
    for told in logs:
        read = (logline.read(line) for line in told.lines)
        loud = [line.text for line in read if line.level in LOUD and line.text]
        for line in loud[-SHOWN:]:
            yield f"    {told.service} on {told.node}: {line[:WIDTH]}"


def as_json(found: Sequence[Explanation], logs: Sequence[Told]) -> str:
    """Return the same for programs."""
    known = [
        {
            "signature": it.name,
            "kind": "note" if it.note else KINDS[it.indirect],
            "node": it.node,
            "log": it.log,
            "who": it.who,
            "time": it.time,
            "said": list(it.said),
            "meaning": it.meaning,
            "next": it.next,
        }
        for it in found
    ]
    errors = [line.strip() for line in _last(logs)] if not failed(found) else []
    content = {"failed": failed(found), "explanations": known, "errors": errors}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
