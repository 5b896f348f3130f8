"""From facts to findings: their order, what is left out, and the exit code."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.checks import checks
from cluster.checks import diagnosis as diagnosis_room
from cluster.checks.check import Check, Finding, Reports, Rule, Severity, each
from cluster.checks.diagnosis import Answers, Diagnosis, diagnosis
from cluster.checks.node_report import NodeReport
from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.reach import PeerRoute, Ping, PortAttempt, Reach
from tests.clusters import HEAD, SPARKS, WORKER, extra_worker

MEMORY = Memory(total=8, available=8, free=8, cached=0, swap_total=0, swap_free=0)
NOBODY = Reach()
SILENT = Problem(place="spark2", message="spark2 does not answer", remedy="`ssh -v spark2`")


def facts(name: str, reach: Reach = NOBODY) -> Facts:
    """Return the facts of a machine with this name."""
    return Facts(machine=MachineFacts(hostname=name, memory=MEMORY), reach=reach)


def check(name: str, severity: Severity, rule: Rule) -> Check:
    """Return a check with this rule."""
    return Check(
        name=name,
        severity=severity,
        title=name,
        looks_at=name,
        why=name,
        remedy=name,
        source=name,
        rule=rule,
    )


def on(name: str, severity: Severity, *nodes: str, message: str = "") -> Check:
    """Return a check that reports these nodes."""

    def rule(report: NodeReport) -> Iterator[Problem]:
        if report.node.name in nodes:
            yield report.problem(message or f"has {name}", f"cure {name}")

    return check(name, severity, each(rule))


def reported(result: Diagnosis) -> list[tuple[str, str]]:
    """Return the check and the place of each finding."""
    return [(entry.check.name, entry.problem.place) for entry in result.findings]


NAMES = ("spark1", "spark2")
BOTH: Answers = {name: facts(name) for name in NAMES}


def test_findings_are_ordered() -> None:
    """Blocking findings come first, whatever the order of checks; then check by check."""
    made = (
        on("swap", "note", "spark1"),
        on("clock", "slow", "spark1"),
        on("mtu", "blocks", *NAMES),
        on("gpu", "blocks", "spark1"),
    )
    seen = diagnosis(SPARKS, BOTH, checks=made)
    expected = [
        ("mtu", "spark1"),
        ("mtu", "spark2"),
        ("gpu", "spark1"),
        ("clock", "spark1"),
        ("swap", "spark1"),
    ]

    assert expected == reported(seen)
    assert ("default", NAMES, BOTH, 4) == (seen.cluster, seen.nodes, seen.facts, seen.checks)
    assert tuple(seen.findings[:3]) == seen.of("blocks")


@pytest.mark.parametrize("worst, code", [("", 0), ("note", 0), ("slow", 1), ("blocks", 4)], ids=str)
def test_exit_code(worst: str, code: int) -> None:
    """The worst finding decides."""
    made = tuple(on(severity, severity, "spark1") for severity in ("note", "slow", "blocks"))
    names = [severity.name for severity in made]
    few = made[: names.index(worst) + 1 if worst else 0]

    assert code == diagnosis(SPARKS, BOTH, checks=few).exit_code


def test_fast() -> None:
    """The fast form makes only blocking checks, without those that block only the server."""
    serving = replace(on("memory", "blocks", "spark1"), only_blocks_serving=True)
    made = (on("swap", "note", "spark1"), on("mtu", "blocks", "spark1"), serving)
    seen = diagnosis(SPARKS, BOTH, fast=True, checks=made)

    assert ([("mtu", "spark1")], 1, ("blocks",)) == (reported(seen), seen.checks, seen.severities)


def test_the_same_words_twice() -> None:
    """Two findings with the same text at the same place become one, of the worse severity."""
    both = on("disk", "blocks", *NAMES)
    first = on("disk", "blocks", "spark1")
    made = (replace(both, name="models", severity="note"), first, replace(first, name="again"))
    seen = diagnosis(SPARKS, BOTH, checks=made)

    assert [("disk", "spark1"), ("models", "spark2")] == reported(seen)


def test_silent_node() -> None:
    """A node without an answer is a blocking finding; the others are checked all the same."""
    made = (on("mtu", "blocks", *NAMES), on("swap", "note", *NAMES))
    seen = diagnosis(SPARKS, {"spark1": facts("spark1"), "spark2": SILENT}, checks=made)
    silence = Finding(check=checks.silent_node, problem=SILENT)
    mtu = Problem(place="spark1", message="has mtu", remedy="cure mtu")

    assert [("answer", "spark2"), ("mtu", "spark1"), ("swap", "spark1")] == reported(seen)
    assert (silence, ["spark1"], 4) == (seen.findings[0], list(seen.facts), seen.exit_code)
    assert (SILENT, mtu) == tuple(finding.problem for finding in seen.of("blocks"))


def test_no_answers() -> None:
    """Without an answer no check is made."""

    def rule(reports: Reports) -> Iterator[Problem]:
        yield reports[0].problem("", "")

    seen = diagnosis(SPARKS, {"spark2": SILENT}, checks=(check("any", "blocks", rule),))

    assert [("answer", "spark2")] == reported(seen)


def test_silent_node_has_one_finding() -> None:
    """That other nodes do not reach a silent machine is no further finding."""
    three = replace(SPARKS, nodes=(HEAD, WORKER, extra_worker()))
    reached, silent = IPv4Address("192.168.177.13"), WORKER.host_ip

    def tried(*peers: IPv4Address) -> Reach:
        return Reach(
            pings=tuple(
                Ping(interface="a", peer=peer, size=1500, answered=peer == reached)
                for peer in peers
            ),
            ports=tuple(PortAttempt(peer=peer, port=10002, answer="silent") for peer in peers),
            routes=tuple(PeerRoute(peer=peer, device="a") for peer in peers),
        )

    seen: list[Reach] = []

    def rule(reports: Reports) -> Iterator[Problem]:
        seen.extend(report.facts.reach for report in reports)
        yield from ()

    answers: Answers = {"spark1": facts("spark1", tried(silent, reached)), "spark2": SILENT}
    diagnosis(three, answers, checks=(check("reach", "blocks", rule),))

    assert [tried(reached)] == seen


def test_reports() -> None:
    """Checks get the nodes that answered, the head first, each with its whole cluster."""
    seen: list[NodeReport] = []

    def rule(reports: Reports) -> Iterator[Problem]:
        seen.extend(reports)
        yield from ()

    answers = {name: BOTH[name] for name in reversed(NAMES)}
    diagnosis(SPARKS, answers, checks=(check("any", "note", rule),))

    assert [(SPARKS, HEAD, BOTH["spark1"]), (SPARKS, WORKER, BOTH["spark2"])] == [
        (entry.cluster, entry.node, entry.facts) for entry in seen
    ]


def test_this_machine() -> None:
    """The nodes that are this machine are marked as local, and no other."""
    seen: list[tuple[str, bool]] = []

    def rule(reports: Reports) -> Iterator[Problem]:
        seen.extend((report.node.name, report.is_local) for report in reports)
        yield from ()

    diagnosis(SPARKS, BOTH, local={"spark1"}, checks=(check("any", "note", rule),))

    assert [("spark1", True), ("spark2", False)] == seen


def test_what_keeps_the_server_alone() -> None:
    """Memory is the only blocking check that `inv up` does not make."""
    assert ["memory"] == [entry.name for entry in checks.CHECKS if entry.only_blocks_serving]


def test_explained_findings() -> None:
    """A node with a finding of a required check is left out; the other nodes are not."""
    cause = on("cable", "blocks", "spark1")
    effect = replace(on("mtu", "blocks", *NAMES), requires=("cable",))
    result = diagnosis(SPARKS, BOTH, checks=(cause, effect))

    assert [("cable", "spark1"), ("mtu", "spark2")] == reported(result)


def test_findings_between_nodes_explain_all_of_them() -> None:
    """A finding about several nodes counts for each; a check without nodes is not made."""

    def rule(reports: Reports) -> Iterator[Problem]:
        yield Problem(place=", ".join(report.node.name for report in reports), message="swapped")

    cause = check("twice", "blocks", rule)
    effect = replace(check("route", "blocks", rule), requires=("twice",))

    assert [("twice", "spark1, spark2")] == reported(
        diagnosis(SPARKS, BOTH, checks=(cause, effect))
    )


def test_checks_of_some_nodes() -> None:
    """A check is about the nodes that it applies to."""
    heads = replace(on("gpu", "note", *NAMES), applies_to=lambda report: report.node.role == "head")

    assert [("gpu", "spark1")] == reported(diagnosis(SPARKS, BOTH, checks=(heads,)))


def test_required_checks_come_first() -> None:
    """A check requires earlier checks; a check of the fast form requires only others of it."""
    names = [entry.name for entry in checks.CHECKS]
    fast = {entry.name for entry in checks.CHECKS if diagnosis_room._is_fast(entry)}

    assert [] == [
        (entry.name, required)
        for number, entry in enumerate(checks.CHECKS)
        for required in entry.requires
        if required not in names[:number] or (entry.name in fast and required not in fast)
    ]


def test_names_of_checks() -> None:
    """Every check has a unique name of small letters and hyphens."""
    names = [entry.name for entry in checks.CHECKS]

    assert sorted(set(names)) == sorted(names)
    assert [] == [
        entry for entry in names if not entry.replace("-", "").isalpha() or entry != entry.lower()
    ]


def test_every_check_has_a_page() -> None:
    """Every check has a complete page; titles have no full stop, reasons have one."""
    words = [
        (entry.name, text)
        for entry in checks.CHECKS
        for text in (entry.title, entry.looks_at, entry.why, entry.remedy, entry.source)
    ]

    assert [] == [name for name, text in words if not text.strip() or "\n" in text]
    assert [] == [entry.name for entry in checks.CHECKS if entry.title.endswith(".")]
    assert [] == [entry.name for entry in checks.CHECKS if not entry.why.endswith(".")]


def test_answer_has_no_findings() -> None:
    """The check of the answer has no findings among nodes that answered."""
    assert [] == list(checks.silent_node.rule(()))
