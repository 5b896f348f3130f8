"""Which names and addresses count as this machine's."""

import socket

import pytest

from cluster.machine.local_addresses import is_local, is_loopback

HOSTNAME = socket.gethostname()


@pytest.mark.parametrize(
    "host, expected",
    [
        ("localhost", (True, True)),
        ("127.0.0.1", (True, True)),
        ("127.0.1.1", (True, True)),
        (HOSTNAME, (True, False)),
        (HOSTNAME.partition(".")[0], (True, False)),
        ("0.0.0.0", (True, False)),  # noqa: S104 (nobody listens)
        ("192.0.2.1", (False, False)),
        ("me@localhost", (False, False)),
        ("spark1.invalid", (False, False)),
    ],
)
def test_local_addresses(host: str, expected: tuple[bool, bool]) -> None:
    """A machine is known by its host name, its addresses and the loopback names that all share."""
    assert expected == (is_local(host), is_loopback(host))
