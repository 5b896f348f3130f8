"""What people and programs read: a diagnosis as text and as JSON, and the page of a check."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.checks.check import SECTIONS, SEVERITIES, Check, Finding, Severity
from cluster.checks.checks import CHECKS
from cluster.checks.diagnosis import Diagnosis
from cluster.errors import Problem, RefusedError
from cluster.facts.facts import Facts
from cluster.text import aligned, did_you_mean

WIDTH = 100
HEADINGS: dict[Severity, str] = {
    "blocks": "Blocking: the cluster will not work",
    "slow": "Slow: the cluster will work, but not well",
    "note": "Notes: worth knowing",
}
QUOTED = re.compile(r"`[^`]*`")
"""What is to be copied in one piece."""
SPACE = "\0"
"""Stands for a space at which a line must not break."""


def text(result: Diagnosis) -> str:
    """Return the findings by severity, and the verdict as the last line."""
    return "\n".join((*_groups(result), f"{verdict(result)}\n"))


def verdict(result: Diagnosis) -> str:
    """Return a summary in one line: `2 nodes, 54 checks: 1 blocking, 0 slow, 2 notes`."""
    blocking, slow, notes = (len(result.of(severity)) for severity in SEVERITIES)
    counts = [f"{blocking} blocking", f"{slow} slow", _number(notes, "note")]
    shown = ", ".join(counts[: len(result.severities)])
    return f"{_number(len(result.nodes), 'node')}, {result.checks} checks: {shown}"


def as_json(result: Diagnosis) -> str:
    """Return the whole diagnosis for programs."""
    content = {
        "cluster": result.cluster,
        "nodes": {
            name: {"answered": True, "facts": summary(result.facts[name])}
            if name in result.facts
            else {"answered": False}
            for name in result.nodes
        },
        "checks": result.checks,
        "findings": [_fields(finding) for finding in result.findings],
        "counts": {severity: len(result.of(severity)) for severity in result.severities},
        "verdict": verdict(result),
        "exit_code": result.exit_code,
    }
    return f"{json.dumps(content, indent=2)}\n"


def explained(name: str, checks: tuple[Check, ...] = CHECKS) -> str:
    """Return the page of a check, or without a name a line for each check.

    A RefusedError names the check that was probably meant.
    """
    if not name:
        return f"{aligned(tuple((check.name, check.severity, check.title) for check in checks))}\n"
    check = _named(name, checks)
    title = _wrapped(f"{check.name} ({check.severity}): {check.title}", "")
    sections = (
        _wrapped(f"{heading}: {getattr(check, key)}", "", "  ") for key, heading in SECTIONS.items()
    )
    return "\n".join((title, "", *sections, ""))


def explained_as_json(name: str, checks: tuple[Check, ...] = CHECKS) -> str:
    """Return the same for programs: a list of checks."""
    chosen = (_named(name, checks),) if name else checks
    keys = ("name", "severity", "title", *SECTIONS)
    rows = [{key: getattr(check, key) for key in keys} for check in chosen]
    return f"{json.dumps(rows, indent=2)}\n"


def summary(facts: Facts) -> Mapping[str, Any]:
    """Return what a machine is, as plain values; what is unknown is None."""
    machine, docker = facts.machine, facts.docker
    return {
        "hostname": machine.hostname,
        "system": machine.system or None,
        "kernel": machine.kernel or None,
        "driver": next((gpu.driver for gpu in facts.gpus.gpus), None),
        "docker": {"version": docker.version or None, "store": docker.store or None},
        "memlock": machine.memlock,
        "mtu": {interface.name: interface.mtu for interface in facts.links.interfaces},
        "rdma": {
            device.name: {
                "netdev": device.netdev or None,
                "state": device.state or None,
                "rate": device.rate,
                "link_layer": device.link_layer or None,
            }
            for device in facts.rdma.devices
        },
    }


def _named(name: str, checks: tuple[Check, ...]) -> Check:
    names = {check.name: check for check in checks}
    if name not in names:
        remedy = did_you_mean(name, names, "`inv doctor --explain` lists all")
        raise RefusedError(
            Problem(place="--explain", message=f"no such check: `{name}`", remedy=remedy)
        )
    return names[name]


def _groups(result: Diagnosis) -> Iterator[str]:
    """Yield each heading that has findings, and its findings; each check's reason only once."""
    for severity in result.severities:
        group = result.of(severity)
        if group:
            yield f"{HEADINGS[severity]}\n"
        previous = ""
        for finding in group:
            yield _paragraph(finding, with_reason=finding.check.name != previous)
            previous = finding.check.name


def _paragraph(finding: Finding, *, with_reason: bool) -> str:
    """Return the finding, why it matters, and what to do."""
    check, problem = finding.check, finding.problem
    message = _wrapped(f"[{check.name}] {problem.place}: {problem.message}", "  ", "    ")
    why = (_wrapped(f"Why: {check.why}", "    ", "      "),) if with_reason else ()
    remedy = _wrapped(f"Do: {problem.remedy or check.remedy}", "    ", "      ")
    return "\n".join((message, *why, f"{remedy}\n"))


def _wrapped(line: str, first: str, following: str = "") -> str:
    """Break a line at `WIDTH`, but not what stands in backticks."""
    unbroken = QUOTED.sub(lambda match: match[0].replace(" ", SPACE), line)
    lines = textwrap.fill(
        unbroken,
        WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(SPACE, " ")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _fields(finding: Finding) -> dict[str, str]:
    check, problem = finding.check, finding.problem
    return {
        "check": check.name,
        "severity": check.severity,
        "place": problem.place,
        "found": problem.message,
        "why": check.why,
        "remedy": problem.remedy or check.remedy,
    }
