"""Failure signatures: each on real lines of logs, and none on the logs of good runs."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.checks.checks import CHECKS
from cluster.logs.explain import Told, explain
from cluster.logs.signature import Signature, advice
from cluster.logs.signatures import SIGNATURES
from cluster.node_context import NodeContext
from tests.clusters import HEAD, REHEARSAL, ROOT, SPARKS, WORKER

CAPTURES = ROOT / "tests" / "captures"
GOOD = ["ray-head-good", "ray-worker-good", "serve-good"]
NAMES = [it.name for it in SIGNATURES]
NOTES = {it.name for it in SIGNATURES if it.note}
NO_CHECKS = {"host"}
"""What is in backticks and one small word, but no check."""
EXAMPLE = Signature(
    name="example",
    words=("^took {seconds} s…of {all}.", "(took) [long]"),
    meaning="m",
    next="n",
    source="s",
)


def samples() -> list[tuple[str, str, str]]:
    """Return the real lines, each with its signature and its source."""
    found = []
    heading = ["", "", ""]
    for line in (CAPTURES / "signatures" / "lines.txt").read_text("utf-8").split("\n"):
        if line.startswith("# "):
            heading = line.split(" ", 2)
        elif line:
            found.append((heading[1], line, heading[2]))
    return found


def filled(signature: Signature) -> list[str]:
    """Return what is told when all blanks are `x`, for each of the words that may be said."""
    site = NodeContext(cluster=SPARKS, node=WORKER)
    return [
        advice(template, site, dict.fromkeys(fields, "x"))
        for fields in signature.fields
        for template in (signature.meaning, signature.next)
    ]


def names(lines: list[str]) -> list[str]:
    """Return the signatures that are found in a log."""
    found = explain(SPARKS, [Told(node="spark2", service="ray", lines=lines)])
    return [it.name for it in found]


@pytest.mark.parametrize("name, line, source", samples())
def test_real_lines(name: str, line: str, source: str) -> None:
    """A line that somebody's program said is known, and known as the right thing."""
    assert source
    assert [name] == names([line])


def test_every_signature_has_a_real_line() -> None:
    """No signature is there that no line proves, and no name is there twice."""
    assert sorted(NAMES) == sorted({name for name, _, _ in samples()})


@pytest.mark.parametrize("capture", GOOD)
def test_no_false_alarm(capture: str) -> None:
    """In the logs of good runs no failure is seen, in none of their lines by itself either."""
    lines = (CAPTURES / f"{capture}.log").read_bytes().decode("utf-8").splitlines()
    alone = {name for line in lines for name in names([line])}

    assert set(names(lines)) <= {"one-gpu-a-node"}
    assert alone <= NOTES


@pytest.mark.parametrize("signature", SIGNATURES, ids=NAMES)
def test_form(signature: Signature) -> None:
    """A name is a few small words; a sentence has no full stop, and blanks that are always told.

    What to do comes into brackets, so that it has none itself.
    """
    told = filled(signature)

    assert re.fullmatch(r"[a-z]+(?:-[a-z]+)*", signature.name)
    assert [] == [text for text in told if text.endswith(".") or "{" in text]
    assert "(" not in signature.next
    assert signature.source
    assert signature.soft or not signature.note


def test_checks_that_are_named_exist() -> None:
    """Where a signature sends people to a check of `inv doctor`, there is one."""
    words = {
        word
        for signature in SIGNATURES
        for text in filled(signature)
        for word in re.findall(r"`([a-z]+(?:-[a-z]+)*)`|--explain ([a-z-]+)`", text)
    }
    named = {first or second for first, second in words} - NO_CHECKS

    assert set() == named - {check.name for check in CHECKS}


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
def test_words(text: str, expected: dict[str, str] | None) -> None:
    """Words are found anywhere or at the beginning; blanks are words, a gap is anything."""
    assert expected == EXAMPLE.told(text)


def test_words_for_people() -> None:
    """Blanks are shown as gaps."""
    assert ("took … s…of ….", "(took) [long]") == EXAMPLE.shown
    assert (frozenset({"seconds", "all"}), frozenset()) == EXAMPLE.fields
    assert ("took ", "(took) [long]") == EXAMPLE.literals


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Whatever a program says can be compared with all signatures."""
    told = [signature.told(text) for signature in SIGNATURES]

    assert len(SIGNATURES) == len(told)


@pytest.mark.parametrize(
    "template, expected",
    [
        ("{inv:status}", "`inv status --cluster lab`"),
        ("{inv:logs --node {node}}", "`inv logs --node spark1 --cluster lab`"),
        ("{on:df -h}", "`ssh -t spark1 df -h`"),
        ("{on:dmesg | tail}", "`ssh -t spark1 'dmesg | tail'`"),
        ("{own}, {shared}", "env/lab/spark1.env, env/lab/cluster.env"),
        ("{renew}", "`inv build --cluster lab`, then `inv ship --cluster lab`"),
        ("{free} of {all}", "1 of 2"),
    ],
)
def test_advice(template: str, expected: str) -> None:
    """Commands are those of the cluster and of the node."""
    site = NodeContext(cluster=replace(SPARKS, name="lab"), node=HEAD)

    assert expected == advice(template, site, {"free": "1", "all": "2"})


def test_advice_for_this_machine() -> None:
    """The nodes of a rehearsal are on this machine, so nothing needs SSH."""
    site = NodeContext(cluster=REHEARSAL, node=REHEARSAL.head)

    assert "`df -h`" == advice("{on:df -h}", site, {})
