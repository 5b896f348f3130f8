"""What keeps a refresh refreshed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.build.stamps import Stamps, labelled, read, write

OLD = Stamps(system="1", deps="2", vllm="3")
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
        (True, False, Stamps(system="1", deps="2", vllm="9")),
        (False, True, Stamps(system="9", deps="9", vllm="9")),
    ],
)
def test_refreshed(fast: bool, full: bool, expected: Stamps) -> None:  # noqa: FBT001 (a table)
    """A plain build keeps what the ones before have refreshed; `fast` and `full` add to it."""
    assert expected == OLD.refreshed(9, fast=fast, full=full)


def test_arguments() -> None:
    """Only what was ever asked for is an argument; the Dockerfile's own values say the rest."""
    assert () == Stamps().arguments
    assert (("CACHEBUST_DEPS", "2"), ("CACHEBUST_VLLM", "3")) == Stamps(
        deps="2", vllm="3"
    ).arguments


def test_read_what_was_written() -> None:
    """Each device has stamps of its own."""
    stamps = {"cpu": OLD, "cuda": Stamps(vllm="7")}

    assert stamps == read(write(stamps))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", {}),
        ("{", {}),
        ("[]", {}),
        ("7", {}),
        ('{"cpu": []}', {}),
        ('{"cpu": {}}', {"cpu": Stamps()}),
        ('{"cpu": {"vllm": "3; rm", "deps": 2, "other": "4"}}', {"cpu": Stamps(deps="2")}),
    ],
)
def test_read_what_was_not(text: str, expected: dict[str, Stamps]) -> None:
    """A file that is lost, half written or edited holds no stamps, and nothing but numbers."""
    assert expected == read(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        (json.dumps(LABELS), {"cpu": Stamps(deps="2", vllm="3")}),
        ('{"a": "b"}', {}),
        ('{"spark-vllm-cluster.device": "cpu"}', {"cpu": Stamps()}),
        ("null", {}),
        ("", {}),
    ],
)
def test_labelled(text: str, expected: dict[str, Stamps]) -> None:
    """The image itself remembers with which stamps it was built."""
    assert expected == labelled(text)


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_text(text: str) -> None:
    """No text raises."""
    assert isinstance(read(text), dict)
    assert isinstance(labelled(text), dict)
