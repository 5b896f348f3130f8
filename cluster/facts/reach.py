"""Whom a machine reaches, and by which interface."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

Answer = Literal["open", "refused", "silent", "unreachable"]
"""Of a port: somebody listens; nobody does; packets vanish; the network says no."""


@dataclass(frozen=True, kw_only=True)
class Ping:
    """One echo request with the don't-fragment bit, sent out of one interface."""

    interface: str
    peer: IPv4Address
    size: int
    """Bytes of the IP packet, which must fit the MTU of all on the way."""
    answered: bool
    said: str = ""
    """What ping said when nothing came back."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """One attempt to connect."""

    peer: IPv4Address
    port: int
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Way:
    """The route that the kernel takes to a peer."""

    peer: IPv4Address
    device: str


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All attempts of a machine."""

    pings: tuple[Ping, ...] = ()
    ports: tuple[Port, ...] = ()
    ways: tuple[Way, ...] = ()
