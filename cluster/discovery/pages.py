"""What `inv probe` prints: diffs, what is open and odd, lines of drift, or JSON."""

import json
from difflib import unified_diff

from cluster.discovery.envtext import lines, unsecret
from cluster.discovery.outcome import Change, Outcome
from cluster.discovery.remark import Remark

NO_NEWLINE = "\n\\ No newline at end of file\n"
"""As diff(1) says it."""


def text(outcome: Outcome) -> str:
    """Return the changes and what is to be known, as a person reads it; no secret is shown."""
    diffs = "".join(diff(change) for change in outcome.changed)
    remarks = (*_remarks("warning", outcome.warnings), *_remarks("question", outcome.questions))
    return diffs + "".join(f"{its}\n" for its in remarks)


def drift(outcome: Outcome) -> str:
    """Return a line for each place where a file and the machines differ, and what is open."""
    return "".join(
        f"{its}\n" for its in (*outcome.drifts, *_remarks("question", outcome.questions))
    )


def diff(change: Change) -> str:
    """Return what a file gains and loses."""
    before = lines(unsecret(change.before or ""))
    name = f"{change.path} (new)" if change.before is None else change.path
    rows = unified_diff(before, lines(unsecret(change.after)), name, change.path)
    return "".join(row if row.endswith(("\n", "\r")) else f"{row}{NO_NEWLINE}" for row in rows)


def as_json(outcome: Outcome) -> str:
    """Return all of it as JSON."""
    found = {
        "topology": outcome.kind,
        "files": {its.path: _file(its) for its in outcome.changes},
        "drift": [str(problem) for problem in outcome.drifts],
        "warnings": [_remark(its) for its in outcome.warnings],
        "questions": [_remark(its) for its in outcome.questions],
    }
    return json.dumps(found, indent=2) + "\n"


def ending(outcome: Outcome, command: str) -> str:
    """Return the last line: what to do next; `command` is what writes."""
    if outcome.questions:
        return "Nothing is written before all is decided.\n"
    if outcome.changed:
        return f"{command} writes this.\n"
    return "The env files say what the machines say.\n"


def written(outcome: Outcome) -> str:
    """Return what has been written, a line for each file."""
    return "".join(f"wrote {its.path}\n" for its in outcome.changed) or ending(outcome, "")


def _remarks(kind: str, its: tuple[Remark, ...]) -> tuple[str, ...]:
    return tuple(f"{kind}: {one}" for one in its)


def _file(change: Change) -> dict[str, object]:
    return {
        "new": change.before is None,
        "changed": change.before != change.after,
        "values": {its.key: {"value": its.value, "source": its.why} for its in change.entries},
    }


def _remark(its: Remark) -> dict[str, object]:
    problem = its.problem
    return {
        "place": problem.place,
        "what": problem.message,
        "remedy": problem.remedy,
        "lines": list(its.lines),
    }
