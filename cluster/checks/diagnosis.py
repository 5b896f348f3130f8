"""From the facts of all nodes to what is wrong with the cluster, the worst first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from cluster.checks.check import SEVERITIES, Check, Finding, Reports, Severity, findings
from cluster.checks.checks import CHECKS, silent_node
from cluster.checks.node_report import NodeReport
from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.reach import Reach
from cluster.node import Cluster, Node

Answers = Mapping[str, Facts | Problem]
"""The facts of each node, or why it did not answer, by its name."""
EXIT_CODES: dict[Severity, int] = {"blocks": 4, "slow": 1, "note": 0}
"""Of `inv doctor`, by the worst finding."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings about a cluster."""

    cluster: str
    """Its name."""
    nodes: tuple[str, ...]
    """The names of the nodes that were asked."""
    facts: Mapping[str, Facts] = field(default_factory=dict, repr=False)
    """The facts of the nodes that answered, by their names."""
    checks: int
    """How many checks were made."""
    severities: tuple[Severity, ...] = SEVERITIES
    """What these checks can report."""
    findings: tuple[Finding, ...] = ()
    """By severity, the worst first; within a severity in the order of the checks."""

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.check.severity == severity)

    @property
    def exit_code(self) -> int:
        """0 without findings but notes, 1 if something is slow, 4 if something blocks."""
        return max((EXIT_CODES[finding.check.severity] for finding in self.findings), default=0)


def diagnosis(
    cluster: Cluster,
    answers: Answers,
    *,
    fast: bool = False,
    local: Collection[str] = (),
    checks: tuple[Check, ...] = CHECKS,
) -> Diagnosis:
    """Return what the checks report about the nodes that were asked; the others are ignored.

    `fast` makes only the checks that block `inv up`. `local` has the names of the nodes that are
    this machine.
    """
    nodes = tuple(node for node in cluster.nodes if node.name in answers)
    made = tuple(check for check in checks if not fast or _is_fast(check))
    reports = _reports(cluster, nodes, answers, local)
    silences = (
        Finding(check=silent_node, problem=answer)
        for node in nodes
        if isinstance(answer := answers[node.name], Problem)
    )
    return Diagnosis(
        cluster=cluster.name,
        nodes=tuple(node.name for node in nodes),
        facts={report.node.name: report.facts for report in reports},
        checks=len(made),
        severities=SEVERITIES[:1] if fast else SEVERITIES,
        findings=_ordered((*silences, *findings(made, reports))),
    )


def _is_fast(check: Check) -> bool:
    """Whether a check is made before a start: it blocks the cluster, and not only the server."""
    return check.severity == "blocks" and not check.only_blocks_serving


def _reports(
    cluster: Cluster, nodes: tuple[Node, ...], answers: Answers, local: Collection[str]
) -> Reports:
    """Return the nodes that answered, without what they know about silent ones.

    A machine that is switched off cannot be reached from any other: that is one finding, and not
    one for each node.
    """
    silent = tuple(node.host_ip for node in nodes if isinstance(answers[node.name], Problem))
    return tuple(
        NodeReport(
            cluster=cluster,
            node=node,
            is_local=node.name in local,
            facts=replace(facts, reach=_without(facts.reach, silent)),
        )
        for node in nodes
        if not isinstance(facts := answers[node.name], Problem)
    )


def _without(reach: Reach, silent: tuple[IPv4Address, ...]) -> Reach:
    return Reach(
        pings=tuple(ping for ping in reach.pings if ping.peer not in silent),
        ports=tuple(port for port in reach.ports if port.peer not in silent),
        routes=tuple(route for route in reach.routes if route.peer not in silent),
    )


def _ordered(unordered: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Sort findings by severity; of those with the same text at the same place, keep the first."""
    by_severity = sorted(unordered, key=lambda finding: SEVERITIES.index(finding.check.severity))
    first = {finding.problem: finding for finding in reversed(by_severity)}
    return tuple(finding for finding in by_severity if first[finding.problem] is finding)
