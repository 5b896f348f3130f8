"""The next command, as errors name it."""

from dataclasses import replace

import pytest

from cluster.advice import inv
from tests.clusters import SPARKS


@pytest.mark.parametrize(
    "name, expected",
    [
        ("default", "`inv logs --node spark2`"),
        ("", "`inv logs --node spark2`"),
        ("lab", "`inv logs --node spark2 --cluster lab`"),
    ],
)
def test_inv(name: str, expected: str) -> None:
    """A command can be typed as it stands: it names the cluster unless that is the default."""
    assert expected == inv(replace(SPARKS, name=name), "logs", "--node", "spark2")
