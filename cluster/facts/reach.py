"""The peers that a machine reaches, and the interfaces that lead to them."""

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from cluster.facts.part import Part

PortAnswer = Literal["open", "refused", "silent", "unreachable"]
"""A process listens on the port; none does; packets get lost; the network refuses."""
PING = re.compile(r"^ping (\S+) (\S+) (\d+) (\d+) ?(.*)$", re.MULTILINE)
PORT = re.compile(r"^port (\S+) (\d+) (\d+) ?(.*)$", re.MULTILINE)
ROUTE = re.compile(r"^route (\S+) (\d+) ?(.*)$", re.MULTILINE)
TWICE = re.compile(r"(.*?)(icmp_seq=1 )?(.+) \1(?:icmp_seq=2 )?\3")
"""The same message for both requests."""
AROUND = re.compile(r"^PING .*? bytes of data\. ?| ?--- .*$")


@dataclass(frozen=True, kw_only=True)
class Ping:
    """Echo requests with the don't-fragment bit, sent out of one interface."""

    interface: str
    peer: IPv4Address
    size: int
    """Bytes of the IP packet, which must fit the MTU of every interface on the route."""
    answered: bool
    """Whether one of them was answered: a lost packet is no broken link."""
    message: str = ""
    """What ping printed if nothing came back."""


@dataclass(frozen=True, kw_only=True)
class PortAttempt:
    """One attempt to connect."""

    peer: IPv4Address
    port: int
    answer: PortAnswer


@dataclass(frozen=True, kw_only=True)
class PeerRoute:
    """The route that the kernel takes to a peer."""

    peer: IPv4Address
    device: str
    """Empty if it has no route."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """All attempts of a machine to reach its peers."""

    pings: tuple[Ping, ...] = ()
    ports: tuple[PortAttempt, ...] = ()
    routes: tuple[PeerRoute, ...] = ()


SILENT = (124, 137)
"""Exit codes of timeout(1)."""
NOT_RUN = (125, 126, 127)
"""Exit codes of timeout(1) and the shell if a program is missing or cannot be run."""


def reach(text: str) -> Reach:
    """Parse all attempts, which end in any order."""
    ports = (_port(*row) for row in PORT.findall(text))
    routes = (_route(*row) for row in ROUTE.findall(text))
    return Reach(
        pings=tuple(sorted((_ping(*row) for row in PING.findall(text)), key=_ping_order)),
        ports=tuple(sorted(filter(None, ports), key=lambda port: (port.peer, port.port))),
        routes=tuple(sorted(filter(None, routes), key=lambda route: route.peer)),
    )


def _ping(interface: str, peer: str, size: str, code: str, output: str) -> Ping:
    """Parse an attempt; the output of an answered ping is dropped."""
    answered = code == "0"
    message = "ping: not found" if int(code) in NOT_RUN else _message(output)
    return Ping(
        interface=interface,
        peer=IPv4Address(peer),
        size=int(size),
        answered=answered,
        message="" if answered else message,
    )


def _message(output: str) -> str:
    """Return ping's message without its header, its statistics and repetitions."""
    message = AROUND.sub("", output)
    twice = TWICE.fullmatch(message)
    return "".join(twice.groups("")) if twice else message


def _ping_order(ping: Ping) -> tuple[str, IPv4Address, int]:
    return ping.interface, ping.peer, ping.size


def _port(peer: str, port: str, code: str, output: str) -> PortAttempt | None:
    answer = _answer(int(code), output)
    return PortAttempt(peer=IPv4Address(peer), port=int(port), answer=answer) if answer else None


def _answer(code: int, output: str) -> PortAnswer | None:
    """Return the answer, by bash's exit code and message; None if there is no bash."""
    if code in NOT_RUN:
        return None
    if code == 0:
        return "open"
    if code in SILENT or "timed out" in output:
        return "silent"
    return "refused" if "refused" in output else "unreachable"


def _route(peer: str, code: str, output: str) -> PeerRoute | None:
    """Parse a route, or the message of `ip` instead of one; None if there is no `ip`."""
    if int(code) in NOT_RUN:
        return None
    routes = json.loads(output) if code == "0" and output.startswith("[") else ()
    return PeerRoute(peer=IPv4Address(peer), device=next((route["dev"] for route in routes), ""))


REACH = Part(name="reach", parse=reach)
