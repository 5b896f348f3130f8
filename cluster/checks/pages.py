"""What people and programs read: a diagnosis as text and as JSON, and the page of a check."""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from cluster.checks.check import Check, Finding, Severity
from cluster.checks.checks import CHECKS
from cluster.checks.diagnosis import Diagnosis
from cluster.checks.summary import summary
from cluster.errors import Problem, RefusedError
from cluster.facts.facts import Facts
from cluster.text import aligned, did_you_mean

WIDTH = 100
HEADINGS: dict[Severity, str] = {
    "blocks": "Blocks: the cluster will not work",
    "slow": "Slows: the cluster will work, but not well",
    "note": "Notes: worth knowing",
}
COUNTED: dict[Severity, dict[int, str]] = {
    "blocks": {0: "nothing blocks", 1: "1 blocks"},
    "slow": {0: "nothing slows", 1: "1 slows"},
    "note": {0: "no notes", 1: "1 note"},
}
"""How none and one are said."""
MANY: dict[Severity, str] = {"blocks": "block", "slow": "slow", "note": "notes"}
"""How more are said, after their number."""
WHOLE = re.compile(r"`[^`]*`")
"""What is to be copied in one piece."""
SPACE = "\0"
"""Stands for a space at which a line must not end."""


def text(found: Diagnosis) -> str:
    """Return what was found, by severity, and the verdict as the last line."""
    return "\n".join((*_groups(found), f"{verdict(found)}\n"))


def verdict(found: Diagnosis) -> str:
    """Return the whole in one line: `2 nodes, 47 checks: nothing blocks, 1 slows, 2 notes`."""
    counts = ", ".join(_counted(its, len(found.of(its))) for its in found.severities)
    return f"{_number(found.nodes, 'node')}, {found.checks} checks: {counts}"


def as_json(found: Diagnosis) -> str:
    """Return everything that was found, for programs."""
    whole = {
        "cluster": found.cluster,
        "nodes": {name: _node(found.facts.get(name)) for name in found.nodes},
        "checks": found.checks,
        "findings": [_fields(its) for its in found.findings],
        "counts": {its: len(found.of(its)) for its in found.severities},
        "verdict": verdict(found),
        "exit_code": found.exit_code,
    }
    return f"{json.dumps(whole, indent=2)}\n"


def explained(name: str, checks: tuple[Check, ...] = CHECKS) -> str:
    """Return the page of a check, or without a name a line for each.

    A RefusedError says which name was probably meant.
    """
    if not name:
        return f"{aligned(tuple((its.name, its.severity, its.title) for its in checks))}\n"
    its = _named(name, checks)
    lines = (
        _wrapped(f"{its.name} ({its.severity}): {its.title}", ""),
        "",
        _wrapped(f"Looks at: {its.looks_at}", "", "  "),
        _wrapped(f"Why: {its.why}", "", "  "),
        _wrapped(f"Do: {its.remedy}", "", "  "),
        _wrapped(f"Known from: {its.source}", "", "  "),
    )
    return "".join(f"{line}\n" for line in lines)


def explained_as_json(name: str, checks: tuple[Check, ...] = CHECKS) -> str:
    """Return the same for programs: a list of checks."""
    its = (_named(name, checks),) if name else checks
    keys = ("name", "severity", "title", "looks_at", "why", "remedy", "source")
    rows = [{key: getattr(one, key) for key in keys} for one in its]
    return f"{json.dumps(rows, indent=2)}\n"


def _named(name: str, checks: tuple[Check, ...]) -> Check:
    known = {its.name: its for its in checks}
    if name not in known:
        remedy = did_you_mean(name, known, "`inv doctor --explain` lists all")
        raise RefusedError(
            Problem(place="--explain", message=f"no such check: `{name}`", remedy=remedy)
        )
    return known[name]


def _groups(found: Diagnosis) -> Iterator[str]:
    """Yield the headings that have findings, and what stands below each."""
    for severity in found.severities:
        if its := found.of(severity):
            yield f"{HEADINGS[severity]}\n"
            yield from (_paragraph(one, new) for one, new in _told(its))


def _told(findings: tuple[Finding, ...]) -> Iterator[tuple[Finding, bool]]:
    """Yield the findings, and whether each is the first of its check."""
    before = ""
    for one in findings:
        yield one, one.check.name != before
        before = one.check.name


def _paragraph(its: Finding, new: bool) -> str:  # noqa: FBT001 (of a pair)
    """Say what was found, why it matters unless that has just been said, and what to do."""
    message = _wrapped(
        f"[{its.check.name}] {its.problem.place}: {its.problem.message}", "  ", "    "
    )
    why = (_wrapped(f"Why: {its.check.why}", "    ", "      "),) if new else ()
    do = _wrapped(f"Do: {_remedy(its)}", "    ", "      ")
    return "\n".join((message, *why, f"{do}\n"))


def _remedy(its: Finding) -> str:
    return its.problem.remedy or its.check.remedy


def _wrapped(line: str, first: str, rest: str = "") -> str:
    """Break a line at `WIDTH`, but not what stands in backticks."""
    whole = WHOLE.sub(lambda found: found[0].replace(" ", SPACE), line)
    wrapped = textwrap.fill(
        whole,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped.replace(SPACE, " ")


def _counted(severity: Severity, count: int) -> str:
    return COUNTED[severity].get(count) or f"{count} {MANY[severity]}"


def _number(names: tuple[str, ...], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _node(facts: Facts | None) -> dict[str, Any]:
    return {"answered": True, "facts": summary(facts)} if facts else {"answered": False}


def _fields(its: Finding) -> dict[str, str]:
    return {
        "check": its.check.name,
        "severity": its.check.severity,
        "place": its.problem.place,
        "found": its.problem.message,
        "why": its.check.why,
        "remedy": _remedy(its),
    }
