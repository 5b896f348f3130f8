"""The flags of `inv ship`."""

from cluster.ship.ship_options import ShipOptions
from tests.clusters import REHEARSAL, SPARKS


def test_good_options() -> None:
    """Every value of a flag has no problem."""
    assert () == ShipOptions(via="chain", compress="zstd").problems(SPARKS)


def test_unknown_values() -> None:
    """An unknown value of a flag is a problem, with the one that was probably meant."""
    problems = ShipOptions(via="chian", compress="lzma").problems(SPARKS)
    expected = [
        "--via: no such value: `chian` (did you mean chain?)",
        "--compress: no such value: `lzma` (one of auto, none, zstd)",
    ]

    assert expected == [str(problem) for problem in problems]


def test_namespaces() -> None:
    """Nodes that are namespaces of this machine have its image."""
    (problem,) = ShipOptions().problems(REHEARSAL)

    assert "rehearsal: its nodes are namespaces of this machine, there is nothing to ship" == str(
        problem
    )
