"""Problems and errors, as the user reads them."""

import pytest

from cluster.errors import ClusterError, NodeError, Problem, RefusedError, SettingsError


def test_problem() -> None:
    """A problem has a place, a message and a remedy."""
    problem = Problem(place="spark2", message="has no GPU", remedy="plug one in")

    assert "spark2: has no GPU (plug one in)" == str(problem)


def test_problem_without_a_remedy() -> None:
    """Without a remedy there are no parentheses."""
    assert "spark2: has no GPU" == str(Problem(place="spark2", message="has no GPU"))


def test_error() -> None:
    """An error prints one line for each problem, in their order."""
    problems = (
        Problem(place="b", message="one"),
        Problem(place="a", message="two", remedy="three"),
    )
    error = ClusterError(*problems)

    assert "b: one\na: two (three)" == str(error)
    assert problems == error.problems


@pytest.mark.parametrize(
    "kind, code", [(ClusterError, 1), (SettingsError, 2), (RefusedError, 3), (NodeError, 4)]
)
def test_exit_codes(kind: type[ClusterError], code: int) -> None:
    """Each kind of error has its own exit code, and all have one base."""
    assert code == kind.exit_code
    assert issubclass(kind, ClusterError)
