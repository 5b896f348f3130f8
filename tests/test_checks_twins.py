"""The findings of the checks of a port's twins: the exact text, and no other."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.checks.node_report import NodeReport
from cluster.facts.links import RJ45, Interface, Links
from cluster.facts.rdma import Rdma
from tests.clusters import SPARKS
from tests.node_reports import (
    at,
    findings,
    node_report,
    ring,
    with_device,
    with_facts,
    with_interface,
    with_settings,
)
from tests.situations import ALL, situation
from tests.test_checks_interfaces import CHECKS, LINK, NO_RDMA, OTHER

SPARK = node_report()
SLOWLY = tuple(
    replace(node, eth_if=RJ45, host_ip=IPv4Address(f"10.0.0.1{number}"))
    for number, node in enumerate(SPARKS.nodes, 1)
)
ON_RJ45 = replace(SPARK, node=SLOWLY[0], cluster=replace(SPARKS, nodes=SLOWLY))


def unplugged(before: NodeReport) -> NodeReport:
    """Return a node whose ports all lack a link."""
    for name, device_name in ((LINK, "rocep1s0f1"), (OTHER, "roceP2p1s0f1")):
        before = with_device(with_interface(before, name, carrier=False), device_name, state="DOWN")
    return before


def renamed(before: NodeReport) -> NodeReport:
    """Return the same node with other names for its RDMA devices, and without their interfaces."""
    devices = tuple(
        replace(device, name=f"mlx5_{number}", netdev="")
        for number, device in enumerate(before.facts.rdma.devices)
    )
    rdma = replace(before.facts.rdma, devices=devices)
    return with_settings(with_facts(before, rdma=rdma), ib_if=("mlx5_3", "mlx5_1"))


def vlan(before: NodeReport) -> NodeReport:
    """Return the same node with its address on a VLAN of the port."""
    vlan_interface = Interface(
        name=f"{LINK}.7", kind="vlan", addresses=at("192.168.177.11"), mtu=9000
    )
    bare = with_interface(with_interface(before, LINK, addresses=()), OTHER, addresses=())
    links = replace(bare.facts.links, interfaces=(*bare.facts.links.interfaces, vlan_interface))
    return with_settings(with_facts(bare, links=links), eth_if=vlan_interface.name)


def ordinary(before: NodeReport) -> NodeReport:
    """Return a node with a card of one port, not a Spark's: 25 Gb/s, two lanes."""
    interfaces = (
        replace(SPARK.facts.links.interfaces[1], speed=25_000, pcie_width=2, pci="0000:3b:00.0"),
    )
    devices = (
        replace(SPARK.facts.rdma.devices[3], name="mlx5_0", netdev=LINK, pci="0000:3b:00.0"),
    )
    rdma = replace(before.facts.rdma, devices=devices)
    return with_settings(
        with_facts(before, links=Links(interfaces=interfaces), rdma=rdma), ib_if=("mlx5_0",)
    )


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(renamed(SPARK), id="other names"),
        pytest.param(ordinary(SPARK), id="no Spark"),
        pytest.param(
            with_interface(
                with_interface(SPARK, LINK, speed=None), OTHER, pcie_width=None, pcie_speed=""
            ),
            id="unknown speeds",
        ),
        pytest.param(with_interface(SPARK, LINK, pcie_speed="64.0 GT/s PCIe"), id="newer PCIe"),
        pytest.param(with_interface(SPARK, LINK, pcie_speed="Unknown"), id="unknown PCIe"),
        pytest.param(
            with_settings(
                with_facts(NO_RDMA, links=SPARK.facts.links),
                eth_if="docker0",
                host_ip=IPv4Address("172.17.0.1"),
            ),
            id="a virtual interface",
        ),
        pytest.param(with_settings(ring(), ib_if=()), id="a ring without RDMA"),
        pytest.param(vlan(SPARK), id="a VLAN on the port"),
    ],
)
def test_healthy(before: NodeReport) -> None:
    """Twins are recognised by their PCI addresses; unknown facts are no findings."""
    assert [] == [line for line in findings(CHECKS, before) if "[rdma-unused]" not in line]


@pytest.mark.parametrize(
    "before, sentence",
    [
        pytest.param(
            with_interface(with_interface(SPARK, LINK, speed=100_000), OTHER, speed=100_000),
            "[link-speed] spark1: enp1s0f1np1, enP2p1s0f1np1 run at 100 of 200 Gb/s"
            " (`ssh -t spark1 sudo ethtool enp1s0f1np1` shows what the cable and its other end can"
            " do; on a switch, set 200 Gb/s without auto-negotiation)",
            id="half the speed",
        ),
        pytest.param(
            with_interface(SPARK, LINK, speed=2_500),
            "[link-speed] spark1: enp1s0f1np1 runs at 2.5 of 200 Gb/s"
            " (`ssh -t spark1 sudo ethtool enp1s0f1np1` shows what the cable and its other end can"
            " do; on a switch, set 200 Gb/s without auto-negotiation)",
            id="one of them slow",
        ),
        pytest.param(
            ON_RJ45,
            "[link-speed] spark1: ETH_IF enP7s7 is the 10 Gb/s port; ConnectX ports with a link:"
            " enp1s0f1np1, enP2p1s0f1np1"
            " (choose one, and write its interface as ETH_IF, and its address as HOST_IP, in"
            " env/spark1.env)",
            id="the slow port",
        ),
        pytest.param(
            with_settings(unplugged(ON_RJ45), ib_if=()),
            "[link-speed] spark1: ETH_IF enP7s7 is the 10 Gb/s port; ConnectX ports with a link:"
            " none (plug a cable in, and write its interface as ETH_IF, and its address as"
            " HOST_IP, in env/spark1.env)",
            id="the slow port, and no cable",
        ),
        pytest.param(
            with_settings(with_facts(ON_RJ45, rdma=Rdma()), ib_if=()),
            "[link-speed] spark1: ETH_IF enP7s7 is the 10 Gb/s port; ConnectX ports with a link:"
            " none (plug a cable in, and write its interface as ETH_IF, and its address as"
            " HOST_IP, in env/spark1.env)",
            id="the slow port of a Spark without drivers",
        ),
        pytest.param(
            with_settings(with_interface(ON_RJ45, RJ45, name="wlP9s9"), eth_if="wlP9s9"),
            "[link-speed] spark1: ETH_IF wlP9s9 is not a ConnectX port; ConnectX ports with a link:"
            " enp1s0f1np1, enP2p1s0f1np1"
            " (choose one, and write its interface as ETH_IF, and its address as HOST_IP, in"
            " env/spark1.env)",
            id="wireless",
        ),
        pytest.param(
            with_device(with_interface(SPARK, OTHER, carrier=False), "roceP2p1s0f1", state="DOWN"),
            "[twin-cable] spark1: enP2p1s0f1np1, the twin of enp1s0f1np1, has no link"
            " (plug the cable in again, or restart spark1: both share one cable)",
            id="one twin with a link",
        ),
        pytest.param(
            with_device(
                with_interface(SPARK, OTHER, enabled=False, addresses=()),
                "roceP2p1s0f1",
                state="DOWN",
            ),
            "[twin-cable] spark1: enP2p1s0f1np1, the twin of enp1s0f1np1, is switched off"
            " (`ssh -t spark1 sudo ip link set enP2p1s0f1np1 up`, and keep it in netplan)",
            id="one twin switched off",
        ),
        pytest.param(
            with_interface(SPARK, OTHER, addresses=()),
            "[twin-address] spark1: enP2p1s0f1np1 has no IPv4 address, but IB_IF names its"
            " roceP2p1s0f1 (give enP2p1s0f1np1 an address in netplan, in a network of its own)",
            id="one twin with an address",
        ),
        pytest.param(
            with_interface(SPARK, OTHER, addresses=at("192.168.177.111")),
            "[twin-subnets] spark1: enp1s0f1np1 and enP2p1s0f1np1 are in one network,"
            " 192.168.177.0/24 (give enP2p1s0f1np1 an address in another network, in netplan)",
            id="both in one network",
        ),
        pytest.param(
            with_interface(ring(), "enp1s0f0np0", addresses=at("192.168.177.111")),
            "[twin-subnets] spark1: enp1s0f0np0 and enp1s0f1np1 are in one network,"
            " 192.168.177.0/24 (give enp1s0f1np1 an address in another network, in netplan)",
            id="a ring's cables in one network",
        ),
        pytest.param(
            with_interface(SPARK, OTHER, pcie_width=2),
            "[pcie-width] spark1: enP2p1s0f1np1 has 2 of 4 PCIe lanes"
            " (`ssh -t spark1 sudo fwupdmgr update`, then restart it)",
            id="two lanes",
        ),
        pytest.param(
            with_interface(SPARK, LINK, pcie_speed="16.0 GT/s PCIe"),
            "[pcie-width] spark1: enp1s0f1np1 has PCIe lanes of 16.0 of 32 GT/s"
            " (`ssh -t spark1 sudo fwupdmgr update`, then restart it)",
            id="slow lanes",
        ),
    ],
)
def test_one_fault(before: NodeReport, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(CHECKS, before)


NO_ADDRESS = [
    f"[address] spark{n}: HOST_IP 192.168.177.1{n} is on no interface; ETH_IF enp1s0f1np1 has no"
    f" IPv4 address (`ssh -t spark{n} sudo ip address add 192.168.177.1{n}/24 dev enp1s0f1np1`,"
    " and keep it in netplan)"
    for n in (1, 2)
]
NO_OTHER_ADDRESS = [
    f"[twin-address] spark{n}: enP2p1s0f1np1 has no IPv4 address, but IB_IF names its roceP2p1s0f1"
    " (give enP2p1s0f1np1 an address in netplan, in a network of its own)"
    for n in (1, 2)
]
ONE_SUBNET = [
    f"[twin-subnets] spark{n}: enp1s0f0np0 and enP2p1s0f0np0 are in one network, 192.168.200.0/24"
    " (give enP2p1s0f0np0 an address in another network, in netplan)"
    for n in (1, 2)
]


@pytest.mark.parametrize("name", ALL)
def test_situations(name: str) -> None:
    """Whole machines have findings for their faults alone, however they are wired."""
    case = situation(name)
    reports = (
        NodeReport(cluster=case.cluster, node=node, facts=case.facts[node.name])
        for node in case.cluster.nodes
    )
    expected = {"no-address": [*NO_ADDRESS, *NO_OTHER_ADDRESS], "one-subnet": ONE_SUBNET}

    assert expected.get(name, []) == findings(CHECKS, *reports)


def test_sockets_need_one_twin() -> None:
    """Without IB_IF the other twin needs neither a link nor an address."""
    before = with_settings(with_interface(SPARK, OTHER, carrier=False, addresses=()), ib_if=())
    cpu = replace(before, cluster=replace(before.cluster, accelerator="none"))

    assert [] == findings(CHECKS, cpu)
