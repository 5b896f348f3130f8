"""Whether a host name or an address belongs to this machine."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address


def is_local(host: str) -> bool:
    """Whether `host` is this machine's name or one of its addresses, loopback included."""
    hostname = socket.gethostname()
    if is_loopback(host) or host in {hostname, hostname.partition(".")[0]}:
        return True
    # Only an address that this machine has can be bound.
    with suppress(ValueError, OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((str(IPv4Address(host)), 0))
        return True
    return False


def is_loopback(host: str) -> bool:
    """Whether every machine would take `host` for itself."""
    with suppress(ValueError):
        return IPv4Address(host).is_loopback
    return host == "localhost"


def address_towards(address: str) -> str:
    """Return this machine's address on the route to another one; empty without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
