"""Text for people: columns, suggestions, sizes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.text import aligned, as_typed, data_size, did_you_mean, nearest


def test_aligned() -> None:
    """A column is as wide as its widest cell, and no line ends in spaces."""
    rows = (("node", "role", "since"), ("spark1", "head", "now"), ("s2", "worker", ""))
    expected = """\
node    role    since
spark1  head    now
s2      worker"""

    assert expected == aligned(rows)


def test_no_rows() -> None:
    """No rows are no lines."""
    assert "" == aligned(())


@pytest.mark.parametrize(
    "word,expected",
    [("ETH_INF", "ETH_IF"), ("host_ip", "HOST_IP"), ("HOSTIP", "HOST_IP"), ("COLOUR", "")],
)
def test_nearest(word: str, expected: str) -> None:
    """The most similar candidate is found whatever its case; an unrelated word has none."""
    assert expected == nearest(word, ["HOST_IP", "ETH_IF", "IB_IF"])


def test_did_you_mean() -> None:
    """A similar candidate is suggested as a question; otherwise the default is returned."""
    assert "did you mean spark1?" == did_you_mean("sprak1", ["spark1", "gold"], "list them")
    assert "list them" == did_you_mean("x", ["spark1", "gold"], "list them")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("spark1: is not running (`inv up`)", "spark1: is not running (`./inv up`)"),
        ("# all nodes: Check\ninv doctor --fast\n", "# all nodes: Check\n./inv doctor --fast\n"),
        ("inv serve: --tp: 3 GPUs wanted", "./inv serve: --tp: 3 GPUs wanted"),
        ("inv: no such verb", "./inv: no such verb"),
        ("Wait for `inv`\ninv", "Wait for `./inv`\n./inv"),
        ("`DOCKER_HOST=ssh://NODE inv build`", "`DOCKER_HOST=ssh://NODE ./inv build`"),
        ("the verb inv up, `invoke`, inventory", "the verb inv up, `invoke`, inventory"),
        ("`docker exec x inv up`", "`docker exec x inv up`"),
    ],
)
def test_as_typed(text: str, expected: str) -> None:
    """A command that the reader is to type calls the program as the user called it."""
    assert expected == as_typed(text, "./inv")


@given(st.text())
def test_as_typed_in_json(command: str) -> None:
    """JSON stays JSON, whatever the path of the program looks like."""
    result = {"remedy": "`inv up`"}
    expected = {"remedy": f"`{command} up`"}

    assert expected == json.loads(as_typed(json.dumps(result), command))


@pytest.mark.parametrize(
    "count, expected",
    [
        (0, "0.0 MB"),
        (99_949_999, "99.9 MB"),
        (100_000_000, "0.10 GB"),
        (25_000_000_000, "25.00 GB"),
    ],
)
def test_data_size(count: int, expected: str) -> None:
    """Numbers of bytes are in decimal units."""
    assert expected == data_size(count)
