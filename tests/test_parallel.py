"""Calls that run at the same time, with their results and errors."""

from threading import Barrier

import pytest

from cluster.errors import NodeError, Problem
from cluster.machine.parallel import in_background, side_by_side

SECONDS = 10.0
"""Time limit for two calls to meet."""


def failing(node: str) -> str:
    """Fail on each node but the head."""
    if node == "spark1":
        return node
    raise NodeError(Problem(place=node, message="no answer"))


def test_side_by_side() -> None:
    """All calls run at once, and their results keep the order of the items."""
    barrier = Barrier(2)

    def call(item: str) -> str:
        barrier.wait(SECONDS)
        return item.upper()

    assert ["B", "A"] == side_by_side(call, ("b", "a"))
    assert [] == side_by_side(call, ())


def test_problems_of_all_calls() -> None:
    """The problems of all calls are raised together; any other exception is raised as it is."""
    with pytest.raises(NodeError) as caught:
        side_by_side(failing, ("spark2", "spark1", "spark3"))

    assert "spark2: no answer\nspark3: no answer" == str(caught.value)
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, (1, 0))


def test_in_background() -> None:
    """A call in the background runs while the program goes on, and returns its result or error."""
    barrier = Barrier(2)
    result = in_background(lambda: barrier.wait(SECONDS))
    error = in_background(lambda: failing("spark2"))

    assert {0, 1} == {barrier.wait(SECONDS), result()}
    with pytest.raises(NodeError):
        error()
