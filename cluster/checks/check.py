"""A check: a rule about nodes, its page, and what it reports.

The docstring of a rule is the page that `inv doctor --explain` prints.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Literal

from cluster.checks.node_report import NodeReport, node_names
from cluster.errors import Problem

Severity = Literal["blocks", "slow", "note"]
"""The cluster will not work; it will work, but not well; worth knowing."""
SEVERITIES: tuple[Severity, ...] = ("blocks", "slow", "note")
Reports = tuple[NodeReport, ...]
"""Nodes that answered, the head first."""
Rule = Callable[[Reports], Iterator[Problem]]
SECTIONS = {"looks_at": "Looks at", "why": "Why", "remedy": "Do", "source": "Known from"}
"""The fields of a check that its page has below the title, in its order, and their headings."""
PAGE = re.compile(r"(.*)\. " + " ".join(f"{heading}: (.*)" for heading in SECTIONS.values()))


def _any_node(_report: NodeReport) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that keeps clusters from working, or from working well."""

    name: str
    """What `inv doctor --explain` takes: small letters and hyphens."""
    severity: Severity
    title: str
    """What should be true, as a sentence without a full stop."""
    looks_at: str
    """The files and commands that the facts come from."""
    why: str
    """What happens otherwise, in a sentence or two."""
    remedy: str
    """What to do in general; a finding names the exact command."""
    source: str
    """Where this is known from, for people to read: document, issue, source file."""
    rule: Rule = field(repr=False)
    applies_to: Callable[[NodeReport], bool] = field(default=_any_node, repr=False)
    """Which nodes the rule is about."""
    requires: tuple[str, ...] = ()
    """Names of earlier checks: a node with a finding of one of them is left out.

    That finding explains what this check would report.
    """
    only_blocks_serving: bool = False
    """Whether the cluster starts all the same, and only the server does not."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check reports."""

    check: Check
    problem: Problem
    """Its place is the node, or `spark1, spark2` for what is between nodes."""


def check(
    name: str,
    severity: Severity,
    applies_to: Callable[[NodeReport], bool] = _any_node,
    *,
    requires: tuple[str, ...] = (),
    only_blocks_serving: bool = False,
) -> Callable[[Rule], Check]:
    """Turn a rule into a check, whose page is the rule's docstring: a title, then all sections."""

    def declare(rule: Rule) -> Check:
        [(title, *texts)] = PAGE.findall(" ".join(str(rule.__doc__).split()))
        return Check(
            name=name,
            severity=severity,
            title=title,
            **dict(zip(SECTIONS, texts, strict=True)),
            rule=rule,
            applies_to=applies_to,
            requires=requires,
            only_blocks_serving=only_blocks_serving,
        )

    return declare


def each(rule: Callable[[NodeReport], Iterator[Problem]]) -> Rule:
    """Turn a rule about one node into a rule about all of them, one after the other."""

    @wraps(rule)
    def rule_of_all(reports: Reports) -> Iterator[Problem]:
        return (problem for report in reports for problem in rule(report))

    return rule_of_all


def findings(checks: tuple[Check, ...], reports: Reports) -> Iterator[Finding]:
    """Yield what the checks report, check by check."""
    places: dict[str, frozenset[str]] = {}
    for check in checks:
        explained = {name for required in check.requires for name in places.get(required, ())}
        subjects = tuple(
            report
            for report in reports
            if check.applies_to(report) and report.node.name not in explained
        )
        problems = tuple(check.rule(subjects)) if subjects else ()
        places[check.name] = frozenset(
            name for problem in problems for name in problem.place.split(", ")
        )
        yield from (Finding(check=check, problem=problem) for problem in problems)


def differences(
    subject: str,
    reports: Reports,
    value_of: Callable[[NodeReport], str],
    remedy: Callable[[Reports], str],
) -> Iterator[Problem]:
    """Report which nodes have which value, as one problem of all of them, unless all agree.

    A node whose value is empty is not compared; `remedy` receives the nodes that are.
    """
    compared = tuple(report for report in reports if value_of(report))
    groups = {
        value: node_names(report for report in compared if value_of(report) == value)
        for value in dict.fromkeys(value_of(report) for report in compared)
    }
    if len(groups) > 1:
        values = "; ".join(f"{value} on {names}" for value, names in groups.items())
        yield Problem(
            place=node_names(compared), message=f"{subject}: {values}", remedy=remedy(compared)
        )
