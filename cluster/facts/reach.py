"""Whom a machine reaches, and by which interface."""

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from cluster.facts.part import Part

Answer = Literal["open", "refused", "silent", "unreachable"]
"""Of a port: somebody listens; nobody does; packets vanish; the network says no."""
PING = re.compile(r"^ping (\S+) (\S+) (\d+) (\d+) ?(.*)$", re.MULTILINE)
PORT = re.compile(r"^port (\S+) (\d+) (\d+) ?(.*)$", re.MULTILINE)
WAY = re.compile(r"^way (\S+) (\d+) ?(.*)$", re.MULTILINE)
TWICE = re.compile(r"(.*?)(icmp_seq=1 )?(.+) \1(?:icmp_seq=2 )?\3")
"""The same said of both requests."""
AROUND = re.compile(r"^PING .*? bytes of data\. ?| ?--- .*$")


@dataclass(frozen=True, kw_only=True)
class Ping:
    """Echo requests with the don't-fragment bit, sent out of one interface."""

    interface: str
    peer: IPv4Address
    size: int
    """Bytes of the IP packet, which must fit the MTU of all on the way."""
    answered: bool
    """Whether one of them was: a lost packet is no broken link."""
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
    """Empty when it knows none."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All attempts of a machine."""

    pings: tuple[Ping, ...] = ()
    ports: tuple[Port, ...] = ()
    ways: tuple[Way, ...] = ()


SILENT = (124, 137)
"""What timeout(1) ends with."""
NOT_RUN = (125, 126, 127)
"""What timeout(1) and the shell end with where a program is not there, or is none."""


def reach(text: str) -> Reach:
    """Read what came of all attempts, which end in any order."""
    ports = (_port(*row) for row in PORT.findall(text))
    ways = (_way(*row) for row in WAY.findall(text))
    return Reach(
        pings=tuple(sorted((_ping(*row) for row in PING.findall(text)), key=_ping_order)),
        ports=tuple(sorted(filter(None, ports), key=lambda port: (port.peer, port.port))),
        ways=tuple(sorted(filter(None, ways), key=lambda way: way.peer)),
    )


def _ping(interface: str, peer: str, size: str, code: str, said: str) -> Ping:
    """Read an attempt; nobody listens to what ping says of one that was answered."""
    answered = code == "0"
    words = "ping: not found" if int(code) in NOT_RUN else _words(said)
    return Ping(
        interface=interface,
        peer=IPv4Address(peer),
        size=int(size),
        answered=answered,
        said="" if answered else words,
    )


def _words(said: str) -> str:
    """Leave out ping's first words and its sums, which say nothing, and what is said again."""
    words = AROUND.sub("", said)
    twice = TWICE.fullmatch(words)
    return "".join(twice.groups("")) if twice else words


def _ping_order(ping: Ping) -> tuple[str, IPv4Address, int]:
    return ping.interface, ping.peer, ping.size


def _port(peer: str, port: str, code: str, said: str) -> Port | None:
    answer = _answer(int(code), said)
    return Port(peer=IPv4Address(peer), port=int(port), answer=answer) if answer else None


def _answer(code: int, said: str) -> Answer | None:
    """Tell an answer by what bash ended with and said; None where there is no bash."""
    if code in NOT_RUN:
        return None
    if code == 0:
        return "open"
    if code in SILENT or "timed out" in said:
        return "silent"
    return "refused" if "refused" in said else "unreachable"


def _way(peer: str, code: str, said: str) -> Way | None:
    """Read a route, which `ip` may have words instead of; None where there is no `ip`."""
    if int(code) in NOT_RUN:
        return None
    rows = json.loads(said) if code == "0" and said.startswith("[") else ()
    return Way(peer=IPv4Address(peer), device=next((row["dev"] for row in rows), ""))


REACH = Part(name="reach", parse=reach)
