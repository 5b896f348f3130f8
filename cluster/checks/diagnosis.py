"""From what all nodes said to what is wrong with the cluster, in the order of its weight."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from cluster.checks.check import SEVERITIES, Check, Finding, Patient, Severity
from cluster.checks.checks import ANSWER, CHECKS
from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.reach import Reach
from cluster.node import Cluster, Node

Answers = Mapping[str, Facts | Problem]
"""What each node said, or why it said nothing, by its name."""
EXIT_CODES: dict[Severity, int] = {"blocks": 4, "slow": 1, "note": 0}
"""Of `inv doctor`, by the worst that it found."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found in a cluster."""

    cluster: str
    """Its name."""
    nodes: tuple[str, ...]
    """The names of those that were asked."""
    facts: Mapping[str, Facts] = field(default_factory=dict, repr=False)
    """What those said that could be asked, by their names."""
    checks: int
    """How many were made."""
    severities: tuple[Severity, ...] = SEVERITIES
    """What they can find."""
    findings: tuple[Finding, ...] = ()
    """What blocks comes first; what is alike, in the order of the checks."""

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(its for its in self.findings if its.check.severity == severity)

    @property
    def exit_code(self) -> int:
        """0 when all is well but for notes, 1 when something slows, 4 when something blocks."""
        return max((EXIT_CODES[its.check.severity] for its in self.findings), default=0)


def diagnosis(
    cluster: Cluster,
    answers: Answers,
    *,
    fast: bool = False,
    local: Collection[str] = (),
    checks: tuple[Check, ...] = CHECKS,
) -> Diagnosis:
    """Return what the checks find in what these nodes said; `fast` asks what blocks `inv up`.

    Nodes of the cluster without an answer were not asked, and nothing is said about them. Those
    named in `local`, are this machine.
    """
    asked = tuple(node for node in cluster.nodes if node.name in answers)
    severities = SEVERITIES[:1] if fast else SEVERITIES
    wanted = (check for check in checks if check.severity in severities)
    made = tuple(check for check in wanted if not (fast and check.serving))
    patients = _patients(cluster, asked, answers, local)
    return Diagnosis(
        cluster=cluster.name,
        nodes=tuple(node.name for node in asked),
        facts={its.node.name: its.facts for its in patients},
        checks=len(made),
        severities=severities,
        findings=_ordered((*_silences(asked, answers), *_found(made, patients))),
    )


def problems(found: Diagnosis) -> tuple[Problem, ...]:
    """Return what keeps the cluster from working."""
    return tuple(its.problem for its in found.of("blocks"))


def _patients(
    cluster: Cluster, asked: tuple[Node, ...], answers: Answers, local: Collection[str]
) -> tuple[Patient, ...]:
    """Return the nodes that answered, without what they know of the others.

    Whoever is switched off can be reached by nobody: that is one thing, and not one for each node.
    """
    said = tuple((node, answers[node.name]) for node in asked)
    off = tuple(node.host_ip for node, its in said if isinstance(its, Problem))
    return tuple(
        Patient(
            cluster=cluster,
            node=node,
            is_local=node.name in local,
            facts=replace(its, reach=_without(its.reach, off)),
        )
        for node, its in said
        if not isinstance(its, Problem)
    )


def _without(reach: Reach, off: tuple[IPv4Address, ...]) -> Reach:
    return Reach(
        pings=tuple(its for its in reach.pings if its.peer not in off),
        ports=tuple(its for its in reach.ports if its.peer not in off),
        ways=tuple(its for its in reach.ways if its.peer not in off),
    )


def _silences(asked: tuple[Node, ...], answers: Answers) -> Iterator[Finding]:
    for node in asked:
        if isinstance(its := answers[node.name], Problem):
            yield Finding(check=ANSWER, problem=its)


def _found(checks: tuple[Check, ...], patients: tuple[Patient, ...]) -> Iterator[Finding]:
    for check in checks:
        for problem in check.look(patients) if patients else ():
            yield Finding(check=check, problem=problem)


def _ordered(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Sort findings by severity; of those with the same words at the same place, keep the first."""
    by_weight = sorted(findings, key=lambda its: SEVERITIES.index(its.check.severity))
    first = {its.problem: its for its in reversed(by_weight)}
    return tuple(its for its in by_weight if first[its.problem] is its)
