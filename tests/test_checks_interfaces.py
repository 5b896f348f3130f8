"""The findings of the checks of interface, address and link: the exact text, and no other."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.checks.interfaces import INTERFACES
from cluster.checks.node_report import NodeReport
from cluster.checks.rdma import RDMA
from cluster.checks.twins import TWINS
from cluster.facts.links import RJ45, Interface, Links, Route
from cluster.facts.rdma import Rdma
from tests.clusters import HEAD, REHEARSAL, SPARKS
from tests.node_reports import (
    at,
    findings,
    healthy,
    node_report,
    ring,
    with_facts,
    with_interface,
    with_settings,
)

LINK = "enp1s0f1np1"
OTHER = "enP2p1s0f1np1"
CABLE = (
    "(check the cable and its other end with `ssh -t spark1 ibdev2netdev`,"
    " or write the port that the cable is in as ETH_IF and IB_IF in env/spark1.env)"
)
CHECKS = (*INTERFACES, *TWINS, *RDMA)
SPARK = node_report()
ALONE = node_report(cluster=replace(SPARKS, nodes=(HEAD,)))
NO_RDMA = with_settings(with_facts(SPARK, rdma=Rdma()), ib_if=())
ADDRESS = (
    "[address] spark1: HOST_IP 192.168.177.11 is on no interface; ETH_IF enp1s0f1np1 has no IPv4"
    " address (`ssh -t spark1 sudo ip address add 192.168.177.11/24 dev enp1s0f1np1`,"
    " and keep it in netplan)"
)
SLOW_PORT = with_interface(
    with_interface(SPARK, LINK, addresses=()), RJ45, addresses=at("192.168.177.11")
)


def virtual() -> NodeReport:
    """Return a node in a network namespace: one veth with the name of a Spark's interface."""
    veth = Interface(name=LINK, kind="veth", addresses=at("192.168.177.11"))
    before = with_settings(SPARK, ib_if=())
    return with_facts(before, links=Links(interfaces=(veth,)), rdma=Rdma())


@pytest.mark.parametrize(
    "reports",
    [
        pytest.param(healthy(), id="two Sparks"),
        pytest.param((ALONE,), id="one Spark"),
        pytest.param((ring(),), id="a ring"),
        pytest.param((virtual(),), id="a virtual link"),
        pytest.param((NO_RDMA,), id="sockets only"),
        pytest.param(
            (with_facts(replace(SPARK, cluster=REHEARSAL), links=Links(), rdma=Rdma()),),
            id="a namespace that is made later",
        ),
    ],
)
def test_healthy(reports: tuple[NodeReport, ...]) -> None:
    """A healthy node has no findings, whatever kind of link it has."""
    assert [] == findings(CHECKS, *reports)


def test_the_cable_in_the_other_port() -> None:
    """A cable in the other port than the settings say is the only finding."""
    spark = node_report()
    swapped = with_settings(spark, eth_if="enp1s0f0np0", ib_if=("rocep1s0f0", "roceP2p1s0f0"))
    empty = with_interface(with_interface(swapped, LINK, addresses=()), OTHER, addresses=())

    assert [
        (
            "[cable] spark1: ETH_IF enp1s0f0np0 has no link; interfaces with a link: enp1s0f1np1,"
            f" enP2p1s0f1np1, enP7s7 {CABLE}"
        )
    ] == findings(CHECKS, empty)
    assert [
        (
            "[address] spark1: HOST_IP 192.168.177.11 is on enp1s0f1np1, not on ETH_IF"
            " enp1s0f0np0, which has no IPv4 address (write ETH_IF=enp1s0f1np1 in env/spark1.env)"
        )
    ] == findings(CHECKS, swapped)


@pytest.mark.parametrize(
    "before, sentence",
    [
        pytest.param(with_interface(SPARK, LINK, addresses=()), ADDRESS, id="no address"),
        pytest.param(
            with_interface(SPARK, LINK, addresses=at("192.168.177.21")),
            "[address] spark1: HOST_IP 192.168.177.11 is on no interface; ETH_IF enp1s0f1np1 has"
            " 192.168.177.21 (write HOST_IP=192.168.177.21 in env/spark1.env)",
            id="another address",
        ),
        pytest.param(
            with_interface(
                with_interface(SPARK, LINK, addresses=at("192.168.178.11", "192.168.179.11")),
                OTHER,
                addresses=at("192.168.177.11"),
            ),
            "[address] spark1: HOST_IP 192.168.177.11 is on enP2p1s0f1np1, not on ETH_IF"
            " enp1s0f1np1, which has 192.168.178.11, 192.168.179.11"
            " (write ETH_IF=enP2p1s0f1np1 or HOST_IP=192.168.178.11 in env/spark1.env)",
            id="the other twin of the port",
        ),
        pytest.param(
            with_interface(SLOW_PORT, LINK, addresses=at("192.168.177.21")),
            "[address] spark1: HOST_IP 192.168.177.11 is on enP7s7, the 10 Gb/s port, not on"
            " ETH_IF enp1s0f1np1, which has 192.168.177.21"
            " (write HOST_IP=192.168.177.21 in env/spark1.env)",
            id="the slow port's address",
        ),
        pytest.param(
            with_interface(SLOW_PORT, LINK, addresses=at("169.254.7.7/16")),
            "[address] spark1: HOST_IP 192.168.177.11 is on enP7s7, the 10 Gb/s port, not on"
            " ETH_IF enp1s0f1np1, which has 169.254.7.7"
            " (give enp1s0f1np1 an address, and write it as HOST_IP in env/spark1.env)",
            id="the slow port's address, and a link-local one",
        ),
        pytest.param(
            with_settings(SPARK, host_ip=IPv4Address("172.17.0.1")),
            "[address] spark1: HOST_IP 172.17.0.1 is on docker0, not on ETH_IF enp1s0f1np1, which"
            " has 192.168.177.11 (write HOST_IP=192.168.177.11 in env/spark1.env)",
            id="Docker's address",
        ),
        pytest.param(
            with_interface(SPARK, LINK, name="eth1"),
            "[interface] spark1: ETH_IF enp1s0f1np1 does not exist; interfaces: enp1s0f0np0 (no"
            " IPv4 address), eth1 (192.168.177.11), enP2p1s0f0np0 (no IPv4 address), enP2p1s0f1np1"
            " (192.168.178.11), enP7s7 (10.0.0.11)"
            " (write ETH_IF=eth1 in env/spark1.env: it has HOST_IP 192.168.177.11)",
            id="another name",
        ),
        pytest.param(
            with_facts(NO_RDMA, links=Links(interfaces=SLOW_PORT.facts.links.interfaces[-2:])),
            "[interface] spark1: ETH_IF enp1s0f1np1 does not exist; interfaces: enP7s7"
            " (192.168.177.11) (write the name of the ConnectX link's interface in env/spark1.env)",
            id="the slow port alone",
        ),
        pytest.param(
            with_interface(SPARK, LINK, name="enp1s0f1", addresses=()),
            "[interface] spark1: ETH_IF enp1s0f1np1 does not exist; interfaces: enp1s0f0np0 (no"
            " IPv4 address), enp1s0f1 (no IPv4 address), enP2p1s0f0np0 (no IPv4 address),"
            " enP2p1s0f1np1 (192.168.178.11), enP7s7 (10.0.0.11) (did you mean enP2p1s0f1np1?)",
            id="neither name nor address",
        ),
        pytest.param(
            with_facts(NO_RDMA, links=Links()),
            "[interface] spark1: ETH_IF enp1s0f1np1 does not exist; interfaces: none"
            " (write the name of the ConnectX link's interface in env/spark1.env)",
            id="no interface",
        ),
        pytest.param(
            with_settings(ring(), eth_if="enP7s8"),
            "[interface] spark1: ETH_IF enP7s8 does not exist; interfaces: enp1s0f0np0"
            " (192.168.179.11), enP2p1s0f0np0 (192.168.180.11), enp1s0f1np1 (192.168.177.11),"
            " enP2p1s0f1np1 (192.168.178.11), enP7s7 (10.0.0.11)"
            " (write ETH_IF=enP7s7 in env/spark1.env: it has HOST_IP 10.0.0.11)",
            id="another name in a ring",
        ),
        pytest.param(
            with_interface(SPARK, LINK, enabled=False),
            "[interface] spark1: ETH_IF enp1s0f1np1 is switched off"
            " (`ssh -t spark1 sudo ip link set enp1s0f1np1 up`, and keep it in netplan)",
            id="switched off",
        ),
        pytest.param(
            with_facts(NO_RDMA, links=Links(error="Cannot open netlink socket")),
            "[interface] spark1: cannot list its interfaces: Cannot open netlink socket"
            " (`ssh -t spark1 sudo apt install iproute2`)",
            id="no ip",
        ),
        pytest.param(
            with_interface(with_interface(SPARK, LINK, carrier=False), OTHER, carrier=False),
            f"[cable] spark1: ETH_IF enp1s0f1np1 has no link; interfaces with a link:"
            f" enP7s7 {CABLE}",
            id="no cable",
        ),
        pytest.param(
            with_facts(
                NO_RDMA,
                links=Links(
                    interfaces=(
                        Interface(name=LINK, addresses=at("192.168.177.11"), carrier=False),
                    )
                ),
            ),
            f"[cable] spark1: ETH_IF enp1s0f1np1 has no link; interfaces with a link: none {CABLE}",
            id="no other interface",
        ),
        pytest.param(
            with_settings(
                with_interface(SPARK, LINK, addresses=at("169.254.7.7/16")),
                host_ip=IPv4Address("169.254.7.7"),
            ),
            "[link-local] spark1: HOST_IP 169.254.7.7 is link-local: after a restart the node has"
            " another one (give enp1s0f1np1 an address in netplan, and write it as HOST_IP in"
            " env/spark1.env)",
            id="an address that does not last",
        ),
        pytest.param(
            with_facts(
                SPARK,
                links=replace(
                    SPARK.facts.links,
                    routes=(
                        Route(destination="default", device=LINK),
                        Route(destination="default", device=LINK, metric=9),
                        *SPARK.facts.links.routes,
                    ),
                ),
            ),
            "[default-route] spark1: a default route goes over enp1s0f1np1, the cluster's link"
            " (remove its gateway from /etc/netplan/, then `ssh -t spark1 sudo netplan apply`)",
            id="a default route",
        ),
    ],
)
def test_one_fault(before: NodeReport, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(CHECKS, before)


def test_one_node_needs_no_cable() -> None:
    """A cluster of one node needs no link, but its address all the same."""
    assert [] == findings(CHECKS, with_interface(ALONE, LINK, carrier=False))
    assert [ADDRESS] == findings(CHECKS, with_interface(ALONE, LINK, carrier=False, addresses=()))


def test_an_interface_that_leads_elsewhere() -> None:
    """A node on the slow port gets the finding, with the right interface; the others do not."""
    slow = {
        name: with_settings(node_report(name), eth_if=RJ45, host_ip=IPv4Address(f"10.0.0.{last}"))
        for name, last in (("spark1", 11), ("spark2", 12))
    }
    head, worker = slow["spark1"], slow["spark2"]

    assert [
        (
            "[address] spark1: HOST_IP 10.0.0.11 is on enP7s7, the 10 Gb/s port; spark2's"
            " 192.168.177.12 is in the network of enp1s0f1np1"
            " (write ETH_IF=enp1s0f1np1 and HOST_IP=192.168.177.11 in env/spark1.env)"
        )
    ] == findings(CHECKS, head, replace(node_report("spark2"), cluster=head.cluster))
    assert [
        (
            "[address] spark2: HOST_IP 10.0.0.12 is on enP7s7, the 10 Gb/s port; spark1's"
            " 192.168.177.11 is in the network of enp1s0f0np0"
            " (write ETH_IF=enp1s0f0np0 and HOST_IP=192.168.177.12 in env/spark2.env)"
        )
    ] == findings(CHECKS, replace(SPARK, cluster=worker.cluster), worker)


def test_addresses_of_others() -> None:
    """An address on another node's machine is reported by the check of conflicts alone."""
    first, second = healthy()
    swapped = (
        with_interface(first, LINK, addresses=at("192.168.177.12")),
        with_interface(second, "enp1s0f0np0", addresses=at("192.168.177.11")),
    )

    assert [] == findings((*INTERFACES, *TWINS), *swapped)


def test_commands_and_files_of_another_cluster() -> None:
    """Commands and files in remedies are those of the cluster."""
    before = node_report(cluster=replace(SPARKS, name="lab"))
    lab = with_settings(with_interface(before, LINK, addresses=()), ssh_host="me@spark-01")

    assert [ADDRESS.replace("-t spark1", "-t me@spark-01").replace("env/", "env/lab/")] == findings(
        CHECKS, lab
    )
