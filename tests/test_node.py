"""Nodes and clusters as values."""

from dataclasses import replace

import pytest

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
    assert expected == replace(SPARKS, name=name).inv("logs", "--node", "spark2")
