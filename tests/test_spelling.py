"""What somebody probably meant."""

import pytest

from cluster.spelling import did_you_mean, nearest


@pytest.mark.parametrize(
    "word,meant",
    [("ETH_INF", "ETH_IF"), ("host_ip", "HOST_IP"), ("HOSTIP", "HOST_IP"), ("COLOUR", "")],
)
def test_nearest(word: str, meant: str) -> None:
    """The nearest known word is found whatever its capitals, and a strange word has none."""
    assert meant == nearest(word, ["HOST_IP", "ETH_IF", "IB_IF"])


def test_did_you_mean() -> None:
    """A near word is a question."""
    assert did_you_mean("sprak1", ["spark1", "gold"], "list them") == "did you mean spark1?"


def test_did_you_mean_nothing() -> None:
    """Without a near word the remedy is the other one."""
    assert did_you_mean("x", ["spark1", "gold"], "list them") == "list them"
