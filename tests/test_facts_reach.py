"""The peers that a machine reaches: output of iputils 20221126, bash 5.2 and iproute2 6.1."""

from ipaddress import IPv4Address

import pytest

from cluster.facts.reach import PeerRoute, Ping, PortAnswer, PortAttempt, Reach, reach

PEER, OTHER = IPv4Address("192.168.177.12"), IPv4Address("192.168.177.99")
SUMS = "--- 192.168.177.12 ping statistics --- 1 packets transmitted"
ANSWER = """\
ping enp1s0f1np1 192.168.177.12 9000 1 PING 192.168.177.12 (192.168.177.12) from 192.168.177.11 \
enp1s0f1np1: 8972(9000) bytes of data. ping: local error: message too long, mtu=1500 \
--- 192.168.177.12 ping statistics --- 1 packets transmitted, 0 received, +1 errors, 100% packet \
loss, time 0ms
port 192.168.177.12 6379 0
ping enp1s0f1np1 192.168.177.12 84 0 PING 192.168.177.12 (192.168.177.12) from 192.168.177.11 \
enp1s0f1np1: 56(84) bytes of data. 64 bytes from 192.168.177.12: icmp_seq=1 ttl=64 time=0.376 ms \
--- 192.168.177.12 ping statistics --- 1 packets transmitted, 1 received, 0% packet loss, time \
0ms rtt min/avg/max/mdev = 0.376/0.376/0.376/0.000 ms
port 192.168.177.12 22 0
route 192.168.177.99 2 RTNETLINK answers: Network is unreachable
route 192.168.177.12 0 [{"dst":"192.168.177.12","dev":"enp1s0f1np1","prefsrc":"192.168.177.11",\
"flags":[],"uid":1000,"cache":[]}]
"""
EXPECTED = Reach(
    pings=(
        Ping(interface="enp1s0f1np1", peer=PEER, size=84, answered=True),
        Ping(
            interface="enp1s0f1np1",
            peer=PEER,
            size=9000,
            answered=False,
            message="ping: local error: message too long, mtu=1500",
        ),
    ),
    ports=(
        PortAttempt(peer=PEER, port=22, answer="open"),
        PortAttempt(peer=PEER, port=6379, answer="open"),
    ),
    routes=(PeerRoute(peer=PEER, device="enp1s0f1np1"), PeerRoute(peer=OTHER, device="")),
)


def test_reach() -> None:
    """Attempts are sorted by peer, whenever they ended."""
    assert EXPECTED == reach(ANSWER)


def test_one_lost() -> None:
    """A ping counts as answered if one of the two replies arrives."""
    text = (
        "ping enp1s0f1np1 192.168.177.12 84 0 PING 192.168.177.12 (192.168.177.12) from "
        "192.168.177.11 enp1s0f1np1: 56(84) bytes of data. 64 bytes from 192.168.177.12: "
        f"icmp_seq=2 ttl=64 time=0.376 ms {SUMS}, 1 received, 50% packet loss, time 201ms\n"
    )

    assert Reach(pings=EXPECTED.pings[:1]) == reach(text)


def test_nothing() -> None:
    """Without attempts there are no results."""
    assert Reach() == reach("")


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            (
                "1 PING 192.168.177.12 (192.168.177.12) from 192.168.177.11 enp1s0f1np1: 56(84) "
                f"bytes of data. {SUMS}, 0 received, 100% packet loss, time 0ms"
            ),
            "",
        ),
        (
            (
                "1 PING 192.168.177.12 (192.168.177.12) from 192.168.177.11 enp1s0f1np1: 56(84) "
                "bytes of data. From 192.168.177.11 icmp_seq=1 Destination Host Unreachable "
                f"{SUMS}, 0 received, +1 errors, 100% packet loss, time 0ms"
            ),
            "From 192.168.177.11 icmp_seq=1 Destination Host Unreachable",
        ),
        (
            "2 ping: SO_BINDTODEVICE enp1s0f1np1: No such device",
            "ping: SO_BINDTODEVICE enp1s0f1np1: No such device",
        ),
        (
            (
                "1 PING 127.0.0.1 (127.0.0.1) from 127.0.0.1 lo: 8972(9000) bytes of data. "
                "ping: local error: message too long, mtu=1500 "
                "ping: local error: message too long, mtu=1500 "
                "--- 127.0.0.1 ping statistics --- 2 packets transmitted, 0 received, +2 errors, "
                "100% packet loss, time 207ms"
            ),
            "ping: local error: message too long, mtu=1500",
        ),
        (
            (
                "1 PING 192.168.177.12 (192.168.177.12) from 192.168.177.11 enp1s0f1np1: 56(84) "
                "bytes of data. From 192.168.177.11 icmp_seq=1 Destination Host Unreachable "
                "From 192.168.177.11 icmp_seq=2 Destination Host Unreachable "
                f"{SUMS}, 0 received, +2 errors, 100% packet loss, time 201ms pipe 2"
            ),
            "From 192.168.177.11 icmp_seq=1 Destination Host Unreachable",
        ),
        ("127 sh: 128: ping: not found", "ping: not found"),
        ("127 sh: line 128: ping: command not found", "ping: not found"),
    ],
)
def test_silence(text: str, expected: str) -> None:
    """The message of an unanswered ping is its output without header and statistics."""
    ping = Ping(interface="enp1s0f1np1", peer=PEER, size=84, answered=False, message=expected)

    assert Reach(pings=(ping,)) == reach(f"ping enp1s0f1np1 192.168.177.12 84 {text}\n")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0", "open"),
        (
            (
                "1 bash: connect: Connection refused bash: line 1: "
                "/dev/tcp/192.168.177.12/6379: Connection refused"
            ),
            "refused",
        ),
        ("124", "silent"),
        ("137", "silent"),
        ("1 bash: connect: Connection timed out bash: line 1: x: Connection timed out", "silent"),
        ("1 bash: connect: No route to host bash: line 1: x: No route to host", "unreachable"),
        ("1 bash: connect: Network is unreachable bash: line 1: x: a", "unreachable"),
    ],
)
def test_port(text: str, expected: PortAnswer) -> None:
    """A port is open, refused, silent or unreachable."""
    assert Reach(ports=(PortAttempt(peer=PEER, port=6379, answer=expected),)) == reach(
        f"port 192.168.177.12 6379 {text}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "port 192.168.177.12 6379 127 timeout: failed to run command 'bash': No such file\n",
        "route 192.168.177.12 127 timeout: failed to run command 'ip': No such file\n",
    ],
)
def test_without_program(text: str) -> None:
    """Without its program an attempt has no result."""
    assert Reach() == reach(text)


@pytest.mark.parametrize("output", ["124", '124 [{"dst":"192.', "2 RTNETLINK answers: a"])
def test_no_route(output: str) -> None:
    """An incomplete answer is no route."""
    assert Reach(routes=(PeerRoute(peer=PEER, device=""),)) == reach(
        f"route 192.168.177.12 {output}\n"
    )
