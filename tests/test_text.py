"""Text for people: columns, and the word that somebody probably meant."""

import pytest

from cluster.text import aligned, did_you_mean, nearest


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
    "word,meant",
    [("ETH_INF", "ETH_IF"), ("host_ip", "HOST_IP"), ("HOSTIP", "HOST_IP"), ("COLOUR", "")],
)
def test_nearest(word: str, meant: str) -> None:
    """The nearest known word is found whatever its case, and an unrelated word has none."""
    assert meant == nearest(word, ["HOST_IP", "ETH_IF", "IB_IF"])


def test_did_you_mean() -> None:
    """A near word is a question; without one the remedy is the alternative."""
    assert "did you mean spark1?" == did_you_mean("sprak1", ["spark1", "gold"], "list them")
    assert "list them" == did_you_mean("x", ["spark1", "gold"], "list them")
