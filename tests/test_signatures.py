"""Failure signatures: each matches real lines of logs, and none matches a log of a good run."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.checks.checks import CHECKS
from cluster.logs.explain import SIGNATURES, explain
from cluster.logs.signature import Signature, advice
from cluster.node_context import NodeContext
from cluster.plan.log_reader import ServiceLog
from tests.clusters import HEAD, REHEARSAL, ROOT, SPARKS, WORKER

CAPTURES = ROOT / "tests" / "captures"
GOOD = ["ray-head-good", "ray-worker-good", "serve-good"]
NAMES = [signature.name for signature in SIGNATURES]
NOTES = {signature.name for signature in SIGNATURES if signature.note}
NO_CHECKS = {"host"}
"""Words in backticks that are no names of checks."""
EXAMPLE = Signature(
    name="example",
    patterns=("^took {seconds} s…of {all}.", "(took) [long]"),
    meaning="m",
    remedy="n",
    source="s",
)


def samples() -> list[tuple[str, str, str]]:
    """Return the real lines, each with its signature and its source."""
    result = []
    heading = ["", "", ""]
    for line in (CAPTURES / "signatures" / "lines.txt").read_text("utf-8").split("\n"):
        if line.startswith("# "):
            heading = line.split(" ", 2)
        elif line:
            result.append((heading[1], line, heading[2]))
    return result


def filled(signature: Signature) -> list[str]:
    """Return meaning and remedy for each pattern, with `x` as the value of all its fields."""
    context = NodeContext(cluster=SPARKS, node=WORKER)
    return [
        advice(template, context, dict.fromkeys(fields, "x"))
        for fields in signature.fields
        for template in (signature.meaning, signature.remedy)
    ]


def names(lines: list[str]) -> list[str]:
    """Return the signatures that match a log."""
    explanations = explain(SPARKS, [ServiceLog(node="spark2", service="ray", lines=lines)])
    return [explanation.signature for explanation in explanations]


@pytest.mark.parametrize("name, line, source", samples())
def test_real_lines(name: str, line: str, source: str) -> None:
    """A line that a program really logged matches the right signature, and no other."""
    assert source
    assert [name] == names([line])


def test_every_signature_has_a_real_line() -> None:
    """Every signature has a real line as its proof, and a unique name."""
    assert sorted(NAMES) == sorted({name for name, _, _ in samples()})


@pytest.mark.parametrize("capture", GOOD)
def test_no_false_alarm(capture: str) -> None:
    """A log of a good run shows no failure, neither as a whole nor line by line."""
    lines = (CAPTURES / f"{capture}.log").read_bytes().decode("utf-8").splitlines()
    alone = {name for line in lines for name in names([line])}

    assert set(names(lines)) <= {"one-gpu-a-node"}
    assert alone <= NOTES


@pytest.mark.parametrize("signature", SIGNATURES, ids=NAMES)
def test_form(signature: Signature) -> None:
    """A name has a few lower-case words; a sentence has no full stop, and its fields have values.

    A remedy is printed in brackets, so it has none itself.
    """
    texts = filled(signature)

    assert re.fullmatch(r"[a-z]+(?:-[a-z]+)*", signature.name)
    assert [] == [text for text in texts if text.endswith(".") or "{" in text]
    assert "(" not in signature.remedy
    assert signature.source
    assert signature.any_level or not signature.note


def test_checks_that_are_named_exist() -> None:
    """Every check of `inv doctor` that a signature refers to exists."""
    words = {
        word
        for signature in SIGNATURES
        for text in filled(signature)
        for word in re.findall(r"`([a-z]+(?:-[a-z]+)*)`|--explain ([a-z-]+)`", text)
    }
    references = {first or second for first, second in words} - NO_CHECKS

    assert set() == references - {check.name for check in CHECKS}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("took 5 s, 3 of 7.", {"seconds": "5", "all": "7"}),
        ("it took 5 s, 3 of 7.", None),
        ("took 5 m, 3 of 7.", None),
        ("a (took) [long] one", {}),
        ("", None),
    ],
)
def test_match(text: str, expected: dict[str, str] | None) -> None:
    """A pattern matches anywhere or at the beginning; a field is a word, a gap any text."""
    assert expected == EXAMPLE.match(text)


def test_readable_patterns() -> None:
    """People read the fields of a pattern as gaps."""
    assert ("took … s…of ….", "(took) [long]") == EXAMPLE.readable_patterns
    assert (frozenset({"seconds", "all"}), frozenset()) == EXAMPLE.fields
    assert ("took ", "(took) [long]") == EXAMPLE.literals


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Any text can be compared with all signatures."""
    matches = [signature.match(text) for signature in SIGNATURES]

    assert len(SIGNATURES) == len(matches)


@pytest.mark.parametrize(
    "template, expected",
    [
        ("{inv:status}", "`inv status --cluster lab`"),
        ("{inv:logs --node {node}}", "`inv logs --node spark1 --cluster lab`"),
        ("{run:df -h}", "`ssh -t spark1 df -h`"),
        ("{run:dmesg | tail}", "`ssh -t spark1 'dmesg | tail'`"),
        ("{node_file}, {cluster_file}", "env/lab/spark1.env, env/lab/cluster.env"),
        ("{new_image}", "`inv build --cluster lab`, then `inv ship --cluster lab`"),
        ("{free} of {all}", "1 of 2"),
    ],
)
def test_advice(template: str, expected: str) -> None:
    """Advice names the commands for the cluster and for the node."""
    context = NodeContext(cluster=replace(SPARKS, name="lab"), node=HEAD)

    assert expected == advice(template, context, {"free": "1", "all": "2"})


def test_advice_for_this_machine() -> None:
    """The nodes of a rehearsal are on this machine, so no command needs SSH."""
    context = NodeContext(cluster=REHEARSAL, node=REHEARSAL.head)

    assert "`df -h`" == advice("{run:df -h}", context, {})
