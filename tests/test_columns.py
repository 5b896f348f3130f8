"""Rows of text as aligned columns."""

from cluster.columns import aligned


def test_aligned() -> None:
    """A column is as wide as its widest cell, and no line ends in spaces."""
    rows = (("node", "role", "since"), ("spark1", "head", "now"), ("s2", "worker", ""))
    expected = """\
node    role    since
spark1  head    now
s2      worker"""

    assert expected == aligned(rows)


def test_nothing() -> None:
    """No rows are no lines."""
    assert "" == aligned(())
