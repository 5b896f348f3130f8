"""The reader that a plan uses when no other one is given."""

from cluster.plan.log_reader import PlainReader, ServiceLog
from tests.clusters import SPARKS

LINES = ("Traceback (most recent call last):", "  a", "  b", "KeyError: 1")


def test_plain_reader() -> None:
    """The plain reader shows the end of a log and knows no phases, fatal lines or causes."""
    reader = PlainReader()
    log = ServiceLog(node="spark1", service="ray", lines=LINES)

    assert LINES[1:] == reader.excerpt(LINES)
    assert (False, "") == (reader.is_fatal(LINES[-1]), reader.phase(LINES[-1]))
    assert reader.likely_cause(SPARKS, [log]) is None
    assert "ray on spark1" == log.title
