"""The findings of the checks of RDMA devices: the exact text, and no other."""

from dataclasses import replace

import pytest

from cluster.checks.node_report import NodeReport
from cluster.checks.rdma import RDMA
from cluster.facts.rdma import Device, Rdma
from tests.clusters import HEAD, SPARKS, extra_worker
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
from tests.test_checks_interfaces import CABLE, CHECKS, LINK
from tests.test_checks_twins import ON_RJ45, ordinary, renamed, vlan

SPARK = node_report()
ALONE = node_report(cluster=replace(SPARKS, nodes=(HEAD,)))
BOTH = ("rocep1s0f1", "roceP2p1s0f1")
FOUR = (*BOTH, "rocep1s0f0", "roceP2p1s0f0")
CARD = "0000:5e:00.0"
THREE = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
RESTART = "(restart spark1, or the machine at the other end of the cable)"
THERE = "roceP2p1s0f0 (DOWN), roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN), rocep1s0f1 (ACTIVE)"
WRITE = "(write IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env)"


def without(before: NodeReport, *names: str) -> NodeReport:
    """Return the same node without these RDMA devices."""
    rdma = before.facts.rdma
    devices = tuple(device for device in rdma.devices if device.name not in names)
    return with_facts(before, rdma=replace(rdma, devices=devices))


def both_cabled() -> NodeReport:
    """Return a node with a cable in each of its ports."""
    nodes = replace(ring(), node=HEAD, cluster=SPARKS)
    return with_settings(nodes, ib_if=BOTH)


def both_cabled_all() -> NodeReport:
    """Return a node with a cable in each of its ports, which are both used."""
    return with_settings(both_cabled(), ib_if=FOUR)


def uncabled(before: NodeReport) -> NodeReport:
    """Return the same node without the cable of its first port."""
    for name, name_of_device in (("enp1s0f0np0", "rocep1s0f0"), ("enP2p1s0f0np0", "roceP2p1s0f0")):
        before = with_device(
            with_interface(before, name, carrier=False), name_of_device, state="DOWN"
        )
    return before


def other_card(before: NodeReport) -> NodeReport:
    """Return the same node with one more card, not a Spark's and without a link."""
    links, rdma = before.facts.links, before.facts.rdma
    interface = replace(links.interfaces[0], name="enp9s0", carrier=False, addresses=(), pci=CARD)
    card = replace(rdma.devices[0], name="mlx5_1", netdev="enp9s0", state="DOWN", pci=CARD)
    return with_facts(
        before,
        links=replace(links, interfaces=(*links.interfaces, interface)),
        rdma=replace(rdma, devices=(*rdma.devices, card)),
    )


def adapter(before: NodeReport) -> NodeReport:
    """Return the same node with an InfiniBand adapter, which has no interface, in IB_IF as well."""
    rdma = before.facts.rdma
    adapter_device = Device(name="mlx5_9", state="ACTIVE", link_layer="InfiniBand", rate=400)
    devices = (*rdma.devices, adapter_device)
    return with_settings(
        with_facts(before, rdma=replace(rdma, devices=devices)), ib_if=(*BOTH, "mlx5_9")
    )


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(
            both_cabled_all(),
            id="two cables, four devices",
        ),
        pytest.param(both_cabled(), id="two cables, two devices"),
        pytest.param(with_settings(SPARK, ib_if=FOUR), id="one cable, four devices"),
        pytest.param(
            with_settings(SPARK, ib_if=(*BOTH, "rocep1s0f0")), id="one cable, a device without one"
        ),
        pytest.param(
            replace(with_settings(vlan(SPARK), ib_if=FOUR), cluster=THREE),
            id="a VLAN, and four devices",
        ),
        pytest.param(replace(uncabled(ring()), cluster=SPARKS), id="two nodes, one of two cables"),
        pytest.param(
            with_device(
                with_device(both_cabled_all(), "rocep1s0f0", state="INIT"), "roceP2p1s0f0", state=""
            ),
            id="a second port that is not active",
        ),
        pytest.param(
            with_settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0", "mlx5_1")),
            id="a card without a link beside one that has it",
        ),
        pytest.param(
            with_settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0",)),
            id="a card without a link that nobody uses",
        ),
        pytest.param(
            with_device(
                with_interface(
                    with_settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0", "mlx5_1")),
                    "enp9s0",
                    carrier=True,
                ),
                "mlx5_1",
                state="INIT",
            ),
            id="a card that is not active beside one that is",
        ),
        pytest.param(adapter(SPARK), id="an InfiniBand adapter"),
        pytest.param(
            with_device(adapter(SPARK), "mlx5_9", state="DOWN"),
            id="an InfiniBand adapter without link",
        ),
        pytest.param(with_device(ALONE, "rocep1s0f1", state="DOWN"), id="one node"),
        pytest.param(
            replace(with_settings(SPARK, ib_if=()), cluster=replace(SPARKS, accelerator="none")),
            id="no GPU",
        ),
        pytest.param(
            with_settings(
                with_facts(
                    without(SPARK, "rocep1s0f1", "roceP2p1s0f1"),
                    links=SPARK.facts.links,
                ),
                ib_if=(),
            ),
            id="no device of the port",
        ),
    ],
)
def test_healthy(before: NodeReport) -> None:
    """Devices that are used correctly have no findings."""
    assert [] == findings(RDMA, before)


@pytest.mark.parametrize(
    "before, sentence",
    [
        pytest.param(
            with_facts(SPARK, rdma=Rdma()),
            "[rdma-none] spark1: has no RDMA device, but IB_IF is rocep1s0f1,roceP2p1s0f1"
            " (`ssh -t spark1 sudo modprobe mlx5_ib`, or write IB_IF= in env/spark1.env,"
            " for sockets only)",
            id="no RDMA",
        ),
        pytest.param(
            without(SPARK, "rocep1s0f1"),
            "[rdma-names] spark1: IB_IF rocep1s0f1 does not exist; RDMA devices: roceP2p1s0f0"
            " (DOWN), roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN) (did you mean rocep1s0f0?)",
            id="no such device, and none of ETH_IF",
        ),
        pytest.param(
            with_settings(renamed(SPARK), ib_if=BOTH),
            "[rdma-names] spark1: IB_IF rocep1s0f1, roceP2p1s0f1 do not exist; RDMA devices: mlx5_0"
            " (DOWN), mlx5_1 (ACTIVE), mlx5_2 (DOWN), mlx5_3 (ACTIVE)"
            " (write IB_IF=mlx5_3,mlx5_1 in env/spark1.env)",
            id="other names",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=("rocep1s0f1", "rocep2p1s0f1")),
            f"[rdma-names] spark1: IB_IF rocep2p1s0f1 does not exist; RDMA devices:"
            f" {THERE} {WRITE}",
            id="a typing error",
        ),
        pytest.param(
            with_device(SPARK, "rocep1s0f1", state=""),
            f"[rdma-half] spark1: rocep1s0f1 (no port) of IB_IF is not ACTIVE {RESTART}",
            id="no port",
        ),
        pytest.param(
            with_device(SPARK, "roceP2p1s0f1", state="INIT"),
            f"[rdma-half] spark1: roceP2p1s0f1 (INIT) of IB_IF is not ACTIVE {RESTART}",
            id="a link, and one twin is active",
        ),
        pytest.param(
            with_device(
                with_device(SPARK, "rocep1s0f1", state="INIT"), "roceP2p1s0f1", state="INIT"
            ),
            "[rdma-port] spark1: IB_IF roceP2p1s0f1, rocep1s0f1: not ACTIVE; RDMA devices:"
            " roceP2p1s0f0 (DOWN), roceP2p1s0f1 (INIT), rocep1s0f0 (DOWN), rocep1s0f1 (INIT)"
            f" {CABLE}",
            id="a link, and no port is active",
        ),
        pytest.param(
            with_device(
                with_device(with_settings(SPARK, ib_if=FOUR), "rocep1s0f1", state="INIT"),
                "roceP2p1s0f1",
                state="INIT",
            ),
            "[rdma-port] spark1: IB_IF roceP2p1s0f1, rocep1s0f1: not ACTIVE; RDMA devices:"
            " roceP2p1s0f0 (DOWN), roceP2p1s0f1 (INIT), rocep1s0f0 (DOWN), rocep1s0f1 (INIT)"
            f" {CABLE}",
            id="four devices, and no port is active",
        ),
        pytest.param(
            with_device(with_settings(adapter(SPARK), ib_if=("mlx5_9",)), "mlx5_9", state="DOWN"),
            f"[rdma-port] spark1: IB_IF mlx5_9: not ACTIVE; RDMA devices: {THERE}, mlx5_9 (DOWN)"
            f" {CABLE}",
            id="an InfiniBand adapter without a link, alone",
        ),
        pytest.param(
            uncabled(ring()),
            "[rdma-port] spark1: IB_IF roceP2p1s0f0, rocep1s0f0: not ACTIVE; RDMA devices:"
            f" {THERE} {CABLE}",
            id="a ring's cable",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=("rocep1s0f0", "roceP2p1s0f0")),
            "[rdma-pair] spark1: IB_IF rocep1s0f0, roceP2p1s0f0 are of another port than ETH_IF"
            f" enp1s0f1np1 {WRITE}",
            id="the other port",
        ),
        pytest.param(
            with_settings(both_cabled(), ib_if=("rocep1s0f0", "roceP2p1s0f0")),
            "[rdma-pair] spark1: IB_IF rocep1s0f0, roceP2p1s0f0 are of another port than ETH_IF"
            f" enp1s0f1np1 {WRITE}",
            id="the other cable",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=("rocep1s0f1", "roceP2p1s0f0")),
            "[rdma-half] spark1: IB_IF rocep1s0f1,roceP2p1s0f0 leaves out roceP2p1s0f1, which is"
            f" ACTIVE {WRITE}",
            id="a twin of the other port",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=("rocep1s0f0",)),
            "[rdma-pair] spark1: IB_IF rocep1s0f0 is of another port than ETH_IF enp1s0f1np1"
            f" {WRITE}",
            id="a twin of the other port alone",
        ),
        pytest.param(
            with_facts(SPARK, rdma=replace(SPARK.facts.rdma, device_files=("rdma_cm",))),
            "[rdma-files] spark1: RDMA devices cannot be used: no /dev/infiniband/uverbs*"
            " (`ssh -t spark1 sudo modprobe ib_uverbs`, or write IB_IF= in env/spark1.env,"
            " for sockets only)",
            id="no device file",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, but rocep1s0f1, roceP2p1s0f1 are ACTIVE"
            f" {WRITE}",
            id="unused",
        ),
        pytest.param(
            with_settings(ordinary(SPARK), ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, but mlx5_0 is ACTIVE"
            " (write IB_IF=mlx5_0 in env/spark1.env)",
            id="one unused",
        ),
        pytest.param(
            with_settings(ring(), ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, but rocep1s0f0, rocep1s0f1, roceP2p1s0f0,"
            " roceP2p1s0f1 are ACTIVE"
            " (write IB_IF=rocep1s0f0,rocep1s0f1,roceP2p1s0f0,roceP2p1s0f1 in env/spark1.env)",
            id="unused in a ring",
        ),
        pytest.param(
            with_settings(SPARK, ib_if=("rocep1s0f1",)),
            "[rdma-half] spark1: IB_IF rocep1s0f1 leaves out roceP2p1s0f1, which is ACTIVE"
            f" {WRITE}",
            id="one twin",
        ),
        pytest.param(
            with_settings(ring(), ib_if=BOTH),
            "[rdma-half] spark1: IB_IF rocep1s0f1,roceP2p1s0f1 leaves out rocep1s0f0,"
            " roceP2p1s0f0, which are ACTIVE"
            " (write IB_IF=rocep1s0f1,roceP2p1s0f1,rocep1s0f0,roceP2p1s0f0 in env/spark1.env)",
            id="one port of a ring",
        ),
    ],
)
def test_one_fault(before: NodeReport, sentence: str) -> None:
    """Each fault has its own finding, and no other."""
    assert [sentence] == findings(CHECKS, before)


def test_no_device_of_any_name() -> None:
    """Without a port of ETH_IF or a similar name, the remedy names the setting."""
    before = with_settings(without(SPARK, *BOTH), ib_if=("ib0", "ib1"))

    assert [
        (
            "[rdma-names] spark1: IB_IF ib0, ib1 do not exist; RDMA devices: roceP2p1s0f0 (DOWN),"
            " rocep1s0f0 (DOWN) (write the devices of the ConnectX link as IB_IF in env/spark1.env)"
        )
    ] == findings(RDMA, before)


def test_wrong_interface_and_right_devices() -> None:
    """While ETH_IF is wrong, IB_IF is not compared with it."""
    elsewhere = with_settings(SPARK, eth_if="enp1s0f0np0")
    moved = with_interface(SPARK, LINK, addresses=at("192.168.177.21"))

    assert [] == findings(RDMA, elsewhere)
    assert [] == findings(RDMA, moved)
    assert [] == findings(RDMA, with_settings(SPARK, eth_if="enp9s9"))
    assert [] == findings(RDMA, ON_RJ45)
