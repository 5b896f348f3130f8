"""Which names and addresses are this machine's."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address


def is_here(host: str) -> bool:
    """Tell whether a name is this machine's own, or an address that it has: none else can bind."""
    own = socket.gethostname()
    if loops(host) or host in {own, own.partition(".")[0]}:
        return True
    with suppress(ValueError, OSError), socket.socket(type=socket.SOCK_DGRAM) as trial:
        trial.bind((str(IPv4Address(host)), 0))
        return True
    return False


def loops(host: str) -> bool:
    """Tell whether each machine calls itself so."""
    with suppress(ValueError):
        return IPv4Address(host).is_loopback
    return host == "localhost"
