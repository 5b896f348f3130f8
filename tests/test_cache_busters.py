"""Cache busters: what keeps a refreshed part of the image refreshed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.build.cache_busters import CacheBusters, formatted, labelled, parsed

OLD = CacheBusters(system="1", deps="2", vllm="3")
LABELS = {
    "spark-vllm-cluster.device": "cpu",
    "spark-vllm-cluster.cachebust.system": "",
    "spark-vllm-cluster.cachebust.deps": "2",
    "spark-vllm-cluster.cachebust.vllm": "3",
}


@pytest.mark.parametrize(
    "fast, full, expected",
    [
        (False, False, OLD),
        (True, False, CacheBusters(system="1", deps="2", vllm="9")),
        (False, True, CacheBusters(system="9", deps="9", vllm="9")),
    ],
)
def test_refreshed(fast: bool, full: bool, expected: CacheBusters) -> None:  # noqa: FBT001 (a table)
    """A plain build keeps earlier refreshes; `fast` and `full` add to them."""
    assert expected == OLD.refreshed(9, fast=fast, full=full)


def test_arguments() -> None:
    """Only refreshed parts have an argument; the others have the Dockerfile's default."""
    assert () == CacheBusters().arguments
    assert (("CACHEBUST_DEPS", "2"), ("CACHEBUST_VLLM", "3")) == CacheBusters(
        deps="2", vllm="3"
    ).arguments


def test_round_trip() -> None:
    """Each device has its own cache busters."""
    busters = {"cpu": OLD, "cuda": CacheBusters(vllm="7")}

    assert busters == parsed(formatted(busters))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", {}),
        ("{", {}),
        ("[]", {}),
        ("7", {}),
        ('{"cpu": []}', {}),
        ('{"cpu": {}}', {"cpu": CacheBusters()}),
        ('{"cpu": {"vllm": "3; rm", "deps": 2, "other": "4"}}', {"cpu": CacheBusters(deps="2")}),
    ],
)
def test_damaged_file(text: str, expected: dict[str, CacheBusters]) -> None:
    """A file that is lost, half written or edited yields nothing but numbers."""
    assert expected == parsed(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        (json.dumps(LABELS), {"cpu": CacheBusters(deps="2", vllm="3")}),
        ('{"a": "b"}', {}),
        ('{"spark-vllm-cluster.device": "cpu"}', {"cpu": CacheBusters()}),
        ("null", {}),
        ("", {}),
    ],
)
def test_labelled(text: str, expected: dict[str, CacheBusters]) -> None:
    """The image's labels hold the cache busters of its build."""
    assert expected == labelled(text)


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_text(text: str) -> None:
    """No text raises."""
    assert isinstance(parsed(text), dict)
    assert isinstance(labelled(text), dict)
