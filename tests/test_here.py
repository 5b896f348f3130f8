"""Which names and addresses this machine takes for its own."""

import socket

import pytest

from cluster.machine.here import is_here, loops

OWN = socket.gethostname()


@pytest.mark.parametrize(
    "host, expected",
    [
        ("localhost", (True, True)),
        ("127.0.0.1", (True, True)),
        ("127.0.1.1", (True, True)),
        (OWN, (True, False)),
        (OWN.partition(".")[0], (True, False)),
        ("0.0.0.0", (True, False)),  # noqa: S104 (nobody listens)
        ("192.0.2.1", (False, False)),
        ("me@localhost", (False, False)),
        ("spark1.invalid", (False, False)),
    ],
)
def test_here(host: str, expected: tuple[bool, bool]) -> None:
    """Its own names are this machine, and its addresses; some of them are those of each machine."""
    assert expected == (is_here(host), loops(host))
