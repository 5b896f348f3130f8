"""The findings of the checks between nodes: the exact text, one for each fault."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cluster.checks.address_conflicts import ADDRESS_CONFLICTS
from cluster.checks.ray_ports import RAY_PORTS
from cluster.checks.reach import REACH
from cluster.facts.firewall import Firewall
from cluster.facts.links import RJ45, Links
from cluster.facts.reach import Reach
from tests.clusters import REHEARSAL
from tests.node_reports import at, findings, with_facts, with_interface
from tests.reaching import (
    THREE,
    UNREACHABLE,
    Nodes,
    cut,
    large,
    led,
    pinged,
    reaching,
    stopped,
)

BETWEEN = (*ADDRESS_CONFLICTS, *REACH, *RAY_PORTS)
SPARK, OTHER = TWO = reaching()
LINK, TWIN = "enp1s0f1np1", "enP2p1s0f1np1"
LOOK = "is it one cable or one switch?"
PING = f"{LOOK} `ssh -t spark1 ping -c 3 -I {LINK} 192.168.177.12`, with the cable in the other"
DROPS = Firewall(ufw=False, drops=("ip filter INPUT",))
ACCEPT = (
    "`ssh -t spark1 sudo nft insert rule ip filter INPUT iifname enp1s0f1np1 accept`,"
    " and keep it in the firewall's files"
)
NOT_BOUND = "ping: SO_BINDTODEVICE enp1s0f1np1: Operation not permitted"
HEAD_PORT = (
    "[head-port] spark1, spark2: spark2 cannot connect to port 6379 (HEAD_PORT) of spark1"
    " at 192.168.177.11:"
)
RULES = (
    "everything must be let in on enp1s0f1np1: `ssh -t spark1 sudo nft list ruleset` shows what"
    " keeps"
)


def walled(nodes: Nodes, firewall: Firewall) -> Nodes:
    """Return the nodes, the first with a firewall."""
    return (with_facts(nodes[0], firewall=firewall), *nodes[1:])


def unheard(nodes: Nodes, output: str = "ping: not found") -> Nodes:
    """Return the nodes without `ping`, or without the right to use it."""
    for source, target in (("spark1", "spark2"), ("spark2", "spark1")):
        nodes = pinged(nodes, source, target, lambda _: True, output)
    return nodes


def deaf(nodes: Nodes) -> Nodes:
    """Return the nodes when no ping is answered, although connections are accepted."""
    for source, target in (("spark1", "spark2"), ("spark2", "spark1")):
        nodes = pinged(nodes, source, target, lambda _: True)
    return nodes


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param((), id="nobody"),
        pytest.param((SPARK,), id="one"),
        pytest.param(TWO, id="two Sparks"),
        pytest.param(reaching(THREE), id="three"),
        pytest.param(tuple(with_facts(report, reach=Reach()) for report in TWO), id="nobody tried"),
        pytest.param(unheard(TWO), id="no ping"),
        pytest.param(unheard(TWO, NOT_BOUND), id="no ping that may be bound"),
        pytest.param(
            cut(unheard(TWO, NOT_BOUND), "spark1", "spark2", NOT_BOUND),
            id="no ping that may be bound, and no way",
        ),
        pytest.param(pinged(TWO, "spark1", "spark2", large), id="large pings get lost one way"),
        pytest.param(deaf(TWO), id="pings are not answered, connections are"),
        pytest.param(
            pinged(TWO, "spark1", "spark2", lambda _: True), id="one does not answer pings"
        ),
        pytest.param(
            tuple(replace(report, cluster=REHEARSAL) for report in cut(TWO, "spark1", "spark2")),
            id="namespaces",
        ),
        pytest.param(
            (with_interface(SPARK, LINK, mtu=1500), OTHER), id="another MTU that is let through"
        ),
        pytest.param(
            (
                with_interface(SPARK, TWIN, addresses=at("192.168.177.111")),
                *led(TWO, "spark1", "spark2", TWIN)[1:],
            ),
            id="both twins in one network",
        ),
    ],
)
def test_no_findings(nodes: Nodes) -> None:
    """Nodes that reach each other have no findings."""
    assert [] == findings(BETWEEN, *nodes)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda report: with_facts(report, links=Links(error="ip: not found")), id="unknown"
        ),
        pytest.param(
            lambda report: with_interface(report, LINK, name="eth7"), id="no such interface"
        ),
        pytest.param(lambda report: with_interface(report, LINK, enabled=False), id="switched off"),
        pytest.param(lambda report: with_interface(report, LINK, carrier=False), id="no cable"),
        pytest.param(lambda report: with_interface(report, LINK, addresses=()), id="no address"),
        pytest.param(
            lambda report: with_interface(
                with_interface(report, LINK, addresses=()), RJ45, addresses=at("192.168.177.11")
            ),
            id="on another interface",
        ),
    ],
)
def test_a_node_that_is_broken_itself(change: Callable[..., object]) -> None:
    """A fault of a node itself is no finding about its pairs."""
    first, second = led(cut(TWO, "spark1", "spark2"), "spark2", "spark1", RJ45)

    assert [] == findings(BETWEEN, change(first), second)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nodes, sentence",
    [
        pytest.param(
            cut(TWO, "spark1", "spark2", UNREACHABLE),
            "[reach] spark1, spark2: no ping is answered between 192.168.177.11 (enp1s0f1np1) and"
            f" 192.168.177.12 (enp1s0f0np0): {UNREACHABLE} ({PING} port too)",
            id="nothing passes",
        ),
        pytest.param(
            pinged(
                cut(TWO, "spark1", "spark2", UNREACHABLE),
                "spark1",
                "spark2",
                lambda _: True,
                NOT_BOUND,
            ),
            "[reach] spark1, spark2: no ping is answered between 192.168.177.11 (enp1s0f1np1) and"
            f" 192.168.177.12 (enp1s0f0np0): {UNREACHABLE} ({PING} port too)",
            id="nothing passes, and one cannot try",
        ),
        pytest.param(
            pinged(
                pinged(TWO, "spark1", "spark2", large),
                "spark2",
                "spark1",
                lambda _: True,
                NOT_BOUND,
            ),
            "[mtu] spark1, spark2: packets of 9000 bytes, their MTU, do not pass between them;"
            " small ones do (a switch between them must let 9000 bytes pass; or"
            " `ssh -t spark1 sudo ip link set enp1s0f1np1 mtu 1500`,"
            " `ssh -t spark2 sudo ip link set enp1s0f0np0 mtu 1500`)",
            id="MTU of a switch, tried one way",
        ),
        pytest.param(
            walled(cut(TWO, "spark1", "spark2"), DROPS),
            "[reach] spark1, spark2: no ping is answered between 192.168.177.11 (enp1s0f1np1) and"
            f" 192.168.177.12 (enp1s0f0np0) ({ACCEPT})",
            id="a firewall drops everything",
        ),
        pytest.param(
            walled(cut(TWO, "spark1", "spark2"), replace(DROPS, ufw=True)),
            "[reach] spark1, spark2: no ping is answered between 192.168.177.11 (enp1s0f1np1) and"
            f" 192.168.177.12 (enp1s0f0np0) ({PING} port too)",
            id="ufw lets pings in",
        ),
        pytest.param(
            cut(reaching(THREE), "spark2", "spark3"),
            "[reach] spark2, spark3: no ping is answered between 192.168.177.12 (enp1s0f0np0) and"
            f" 192.168.177.13 (enp1s0f0np0) ({LOOK} `ssh -t spark2 ping -c 3 -I enp1s0f0np0"
            " 192.168.177.13`, with the cable in the other port too)",
            id="one pair of three",
        ),
        pytest.param(
            cut(cut(reaching(THREE), "spark1", "spark3"), "spark2", "spark3"),
            "[reach] spark3: reaches no other node over ETH_IF enp1s0f0np0 ("
            f"{LOOK} `ssh -t spark1 ping -c 3 -I {LINK} 192.168.177.13`, with the cable in the"
            " other port too)",
            id="one of three reaches nobody",
        ),
        pytest.param(
            cut(
                cut(cut(reaching(THREE), "spark1", "spark2"), "spark1", "spark3"),
                "spark2",
                "spark3",
            ),
            f"[reach] spark1, spark2, spark3: no node reaches another over ETH_IF ({PING}"
            f" port too)",
            id="no switch",
        ),
        pytest.param(
            pinged(
                (with_interface(SPARK, LINK, mtu=1500), OTHER), "spark2", "spark1", large, "message"
            ),
            "[mtu-same] spark1, spark2: MTUs differ, and large packets do not arrive:"
            " 1500 on spark1; 9000 on spark2"
            " (`ssh -t spark1 sudo ip link set enp1s0f1np1 mtu 9000`, and keep it in netplan)",
            id="MTU",
        ),
        pytest.param(
            pinged(pinged(TWO, "spark1", "spark2", large), "spark2", "spark1", large),
            "[mtu] spark1, spark2: packets of 9000 bytes, their MTU, do not pass between them;"
            " small ones do (a switch between them must let 9000 bytes pass; or"
            " `ssh -t spark1 sudo ip link set enp1s0f1np1 mtu 1500`,"
            " `ssh -t spark2 sudo ip link set enp1s0f0np0 mtu 1500`)",
            id="MTU of a switch",
        ),
        pytest.param(
            cut(led(TWO, "spark1", "spark2", "wlP9s9"), "spark1", "spark2"),
            "[route] spark1: the kernel's route to spark2 (192.168.177.12) goes over wlP9s9, not"
            " over ETH_IF enp1s0f1np1 (remove that network from wlP9s9; or `ssh -t spark1 sudo ip"
            " route add 192.168.177.12 dev enp1s0f1np1 src 192.168.177.11`, and keep it"
            " in netplan)",
            id="another interface with this network",
        ),
        pytest.param(
            led(
                (with_interface(SPARK, LINK, addresses=at("192.168.177.11/32")), OTHER),
                "spark1",
                "spark2",
                "",
            ),
            "[route] spark1: the kernel has no route to spark2 (192.168.177.12) over"
            " ETH_IF enp1s0f1np1 (`ssh -t spark1 sudo ip address add 192.168.177.11/24 dev"
            " enp1s0f1np1`, and keep it in netplan)",
            id="a network without the other",
        ),
        pytest.param(
            led(led(reaching(THREE), "spark1", "spark2", RJ45), "spark1", "spark3", RJ45),
            "[route] spark1: the kernel's route to spark2 (192.168.177.12), spark3 (192.168.177.13)"
            " goes over enP7s7, not over ETH_IF enp1s0f1np1 (remove that network from enP7s7; or"
            " `ssh -t spark1 sudo ip route add 192.168.177.12 dev enp1s0f1np1"
            " src 192.168.177.11`, and keep it in netplan)",
            id="to all others",
        ),
        pytest.param(
            stopped(TWO, "spark2", "spark1", "silent"),
            f"{HEAD_PORT} packets vanish ({RULES} it out)",
            id="rules that nobody knows",
        ),
        pytest.param(
            walled(stopped(TWO, "spark2", "spark1", "unreachable"), replace(DROPS, ufw=True)),
            f"{HEAD_PORT} it is rejected; ufw is switched on at spark1"
            " (`ssh -t spark1 sudo ufw allow in on enp1s0f1np1`)",
            id="ufw",
        ),
        pytest.param(
            walled(
                pinged(
                    stopped(TWO, "spark2", "spark1", "silent"), "spark2", "spark1", lambda _: True
                ),
                DROPS,
            ),
            f"{HEAD_PORT} packets vanish; spark1 drops what no rule of `ip filter INPUT` lets in"
            f" ({ACCEPT})",
            id="a firewall that drops pings, too",
        ),
        pytest.param(
            stopped(
                stopped(reaching(THREE), "spark2", "spark1", "silent"), "spark3", "spark1", "silent"
            ),
            "[head-port] spark1, spark2, spark3: spark2, spark3 cannot connect to port 6379"
            f" (HEAD_PORT) of spark1 at 192.168.177.11: packets vanish ({RULES} it out)",
            id="the head's firewall",
        ),
        pytest.param(
            stopped(
                stopped(reaching(THREE), "spark1", "spark2", "silent"), "spark3", "spark2", "silent"
            ),
            "[worker-port] spark1, spark2, spark3: spark1, spark3 cannot connect to port 10002 (the"
            " first of Ray's workers) of spark2 at 192.168.177.12: packets vanish (everything must"
            " be let in on enp1s0f0np0: `ssh -t spark2 sudo nft list ruleset` shows what"
            " keeps it out)",
            id="a worker's firewall",
        ),
    ],
)
def test_one_fault(nodes: Nodes, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(BETWEEN, *nodes)
