"""What the checks of RDMA devices find: the exact sentences, and no other."""

from dataclasses import replace

import pytest

from cluster.checks.check import Patient
from cluster.checks.rdma import RDMA
from cluster.facts.rdma import Device, Rdma
from tests.clusters import HEAD, SPARKS, third
from tests.patients import at, device, findings, interface, patient, ring, settings, told
from tests.test_doctor_links import CABLE, CHECKS, LINK
from tests.test_doctor_twins import ON_RJ45, ordinary, renamed, vlan

SPARK = patient()
ALONE = patient(cluster=replace(SPARKS, nodes=(HEAD,)))
BOTH = ("rocep1s0f1", "roceP2p1s0f1")
FOUR = (*BOTH, "rocep1s0f0", "roceP2p1s0f0")
CARD = "0000:5e:00.0"
THREE = replace(SPARKS, nodes=(*SPARKS.nodes, third()))
RESTART = "(restart spark1, or the machine at the cable's other end)"
THERE = "roceP2p1s0f0 (DOWN), roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN), rocep1s0f1 (ACTIVE)"
WRITE = "(write IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env)"


def without(before: Patient, *names: str) -> Patient:
    """Return the same node without these RDMA devices."""
    rdma = before.facts.rdma
    devices = tuple(one for one in rdma.devices if one.name not in names)
    return told(before, rdma=replace(rdma, devices=devices))


def both_cabled() -> Patient:
    """Return a node with a cable in each of its ports."""
    nodes = replace(ring(), node=HEAD, cluster=SPARKS)
    return settings(nodes, ib_if=BOTH)


def both_cabled_all() -> Patient:
    """Return a node with a cable in each of its ports, which are both used."""
    return settings(both_cabled(), ib_if=FOUR)


def uncabled(before: Patient) -> Patient:
    """Return the same node without the cable of its first port."""
    for name, its in (("enp1s0f0np0", "rocep1s0f0"), ("enP2p1s0f0np0", "roceP2p1s0f0")):
        before = device(interface(before, name, carrier=False), its, state="DOWN")
    return before


def other_card(before: Patient) -> Patient:
    """Return the same node with one more card that is no Spark's, and has no link."""
    links, rdma = before.facts.links, before.facts.rdma
    one = replace(links.interfaces[0], name="enp9s0", carrier=False, addresses=(), pci=CARD)
    its = replace(rdma.devices[0], name="mlx5_1", netdev="enp9s0", state="DOWN", pci=CARD)
    return told(
        before,
        links=replace(links, interfaces=(*links.interfaces, one)),
        rdma=replace(rdma, devices=(*rdma.devices, its)),
    )


def adapter(before: Patient) -> Patient:
    """Return the same node with an InfiniBand adapter, which has no interface, in IB_IF as well."""
    rdma = before.facts.rdma
    more = Device(name="mlx5_9", state="ACTIVE", link_layer="InfiniBand", rate=400)
    devices = (*rdma.devices, more)
    return settings(told(before, rdma=replace(rdma, devices=devices)), ib_if=(*BOTH, "mlx5_9"))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(
            both_cabled_all(),
            id="two cables, four devices",
        ),
        pytest.param(both_cabled(), id="two cables, two devices"),
        pytest.param(settings(SPARK, ib_if=FOUR), id="one cable, four devices"),
        pytest.param(
            settings(SPARK, ib_if=(*BOTH, "rocep1s0f0")), id="one cable, a device without one"
        ),
        pytest.param(
            replace(settings(vlan(SPARK), ib_if=FOUR), cluster=THREE),
            id="a VLAN, and four devices",
        ),
        pytest.param(replace(uncabled(ring()), cluster=SPARKS), id="two nodes, one of two cables"),
        pytest.param(
            device(device(both_cabled_all(), "rocep1s0f0", state="INIT"), "roceP2p1s0f0", state=""),
            id="a second port that is not active",
        ),
        pytest.param(
            settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0", "mlx5_1")),
            id="a card without a link beside one that has it",
        ),
        pytest.param(
            settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0",)),
            id="a card without a link that nobody uses",
        ),
        pytest.param(
            device(
                interface(
                    settings(other_card(ordinary(SPARK)), ib_if=("mlx5_0", "mlx5_1")),
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
            device(adapter(SPARK), "mlx5_9", state="DOWN"), id="an InfiniBand adapter without link"
        ),
        pytest.param(device(ALONE, "rocep1s0f1", state="DOWN"), id="one node"),
        pytest.param(
            replace(settings(SPARK, ib_if=()), cluster=replace(SPARKS, accelerator="none")),
            id="no GPU",
        ),
        pytest.param(
            settings(
                told(
                    without(SPARK, "rocep1s0f1", "roceP2p1s0f1"),
                    links=SPARK.facts.links,
                ),
                ib_if=(),
            ),
            id="no device of the port",
        ),
    ],
)
def test_healthy(before: Patient) -> None:
    """Devices that are used as they should be leave nothing to be desired."""
    assert [] == findings(RDMA, before)


@pytest.mark.parametrize(
    "before, sentence",
    [
        pytest.param(
            told(SPARK, rdma=Rdma()),
            "[rdma-none] spark1: has no RDMA device, and IB_IF is rocep1s0f1,roceP2p1s0f1"
            " (`ssh -t spark1 sudo modprobe mlx5_ib`, or write IB_IF= in env/spark1.env,"
            " for sockets only)",
            id="no RDMA",
        ),
        pytest.param(
            without(SPARK, "rocep1s0f1"),
            "[rdma-names] spark1: IB_IF rocep1s0f1 does not exist; there are: roceP2p1s0f0 (DOWN),"
            " roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN) (did you mean rocep1s0f0?)",
            id="no such device, and none of ETH_IF",
        ),
        pytest.param(
            settings(renamed(SPARK), ib_if=BOTH),
            "[rdma-names] spark1: IB_IF rocep1s0f1, roceP2p1s0f1 do not exist; there are: mlx5_0"
            " (DOWN), mlx5_1 (ACTIVE), mlx5_2 (DOWN), mlx5_3 (ACTIVE)"
            " (write IB_IF=mlx5_3,mlx5_1 in env/spark1.env)",
            id="other names",
        ),
        pytest.param(
            settings(SPARK, ib_if=("rocep1s0f1", "rocep2p1s0f1")),
            f"[rdma-names] spark1: IB_IF rocep2p1s0f1 does not exist; there are: {THERE} {WRITE}",
            id="a typing error",
        ),
        pytest.param(
            device(SPARK, "rocep1s0f1", state=""),
            f"[rdma-half] spark1: rocep1s0f1 (no port) of IB_IF is not ACTIVE {RESTART}",
            id="no port",
        ),
        pytest.param(
            device(SPARK, "roceP2p1s0f1", state="INIT"),
            f"[rdma-half] spark1: roceP2p1s0f1 (INIT) of IB_IF is not ACTIVE {RESTART}",
            id="a link, and one twin is active",
        ),
        pytest.param(
            device(device(SPARK, "rocep1s0f1", state="INIT"), "roceP2p1s0f1", state="INIT"),
            "[rdma-port] spark1: IB_IF roceP2p1s0f1, rocep1s0f1: not ACTIVE; there are:"
            " roceP2p1s0f0 (DOWN), roceP2p1s0f1 (INIT), rocep1s0f0 (DOWN), rocep1s0f1 (INIT)"
            f" {CABLE}",
            id="a link, and no port is active",
        ),
        pytest.param(
            device(
                device(settings(SPARK, ib_if=FOUR), "rocep1s0f1", state="INIT"),
                "roceP2p1s0f1",
                state="INIT",
            ),
            "[rdma-port] spark1: IB_IF roceP2p1s0f1, rocep1s0f1: not ACTIVE; there are:"
            " roceP2p1s0f0 (DOWN), roceP2p1s0f1 (INIT), rocep1s0f0 (DOWN), rocep1s0f1 (INIT)"
            f" {CABLE}",
            id="four devices, and no port is active",
        ),
        pytest.param(
            device(settings(adapter(SPARK), ib_if=("mlx5_9",)), "mlx5_9", state="DOWN"),
            f"[rdma-port] spark1: IB_IF mlx5_9: not ACTIVE; there are: {THERE}, mlx5_9 (DOWN)"
            f" {CABLE}",
            id="an InfiniBand adapter without a link, alone",
        ),
        pytest.param(
            uncabled(ring()),
            "[rdma-port] spark1: IB_IF roceP2p1s0f0, rocep1s0f0: not ACTIVE; there are:"
            f" {THERE} {CABLE}",
            id="a ring's cable",
        ),
        pytest.param(
            settings(SPARK, ib_if=("rocep1s0f0", "roceP2p1s0f0")),
            "[rdma-pair] spark1: IB_IF rocep1s0f0, roceP2p1s0f0 are of another port than ETH_IF"
            f" enp1s0f1np1 {WRITE}",
            id="the other port",
        ),
        pytest.param(
            settings(both_cabled(), ib_if=("rocep1s0f0", "roceP2p1s0f0")),
            "[rdma-pair] spark1: IB_IF rocep1s0f0, roceP2p1s0f0 are of another port than ETH_IF"
            f" enp1s0f1np1 {WRITE}",
            id="the other cable",
        ),
        pytest.param(
            settings(SPARK, ib_if=("rocep1s0f1", "roceP2p1s0f0")),
            "[rdma-half] spark1: IB_IF rocep1s0f1,roceP2p1s0f0 leaves out roceP2p1s0f1, which is"
            f" ACTIVE {WRITE}",
            id="a twin of the other port",
        ),
        pytest.param(
            settings(SPARK, ib_if=("rocep1s0f0",)),
            "[rdma-pair] spark1: IB_IF rocep1s0f0 is of another port than ETH_IF enp1s0f1np1"
            f" {WRITE}",
            id="a twin of the other port alone",
        ),
        pytest.param(
            told(SPARK, rdma=replace(SPARK.facts.rdma, device_files=("rdma_cm",))),
            "[rdma-files] spark1: has no /dev/infiniband/uverbs*"
            " (`ssh -t spark1 sudo modprobe ib_uverbs`, or write IB_IF= in env/spark1.env,"
            " for sockets only)",
            id="no device file",
        ),
        pytest.param(
            settings(SPARK, ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, and rocep1s0f1, roceP2p1s0f1 are ACTIVE"
            f" {WRITE}",
            id="unused",
        ),
        pytest.param(
            settings(ordinary(SPARK), ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, and mlx5_0 is ACTIVE"
            " (write IB_IF=mlx5_0 in env/spark1.env)",
            id="one unused",
        ),
        pytest.param(
            settings(ring(), ib_if=()),
            "[rdma-unused] spark1: IB_IF is empty, and rocep1s0f0, rocep1s0f1, roceP2p1s0f0,"
            " roceP2p1s0f1 are ACTIVE"
            " (write IB_IF=rocep1s0f0,rocep1s0f1,roceP2p1s0f0,roceP2p1s0f1 in env/spark1.env)",
            id="unused in a ring",
        ),
        pytest.param(
            settings(SPARK, ib_if=("rocep1s0f1",)),
            "[rdma-half] spark1: IB_IF rocep1s0f1 leaves out roceP2p1s0f1, which is ACTIVE"
            f" {WRITE}",
            id="one twin",
        ),
        pytest.param(
            settings(ring(), ib_if=BOTH),
            "[rdma-half] spark1: IB_IF rocep1s0f1,roceP2p1s0f1 leaves out rocep1s0f0,"
            " roceP2p1s0f0, which are ACTIVE"
            " (write IB_IF=rocep1s0f1,roceP2p1s0f1,rocep1s0f0,roceP2p1s0f0 in env/spark1.env)",
            id="one port of a ring",
        ),
    ],
)
def test_one_thing_wrong(before: Patient, sentence: str) -> None:
    """Each thing that is wrong has its sentence, and brings no other with it."""
    assert [sentence] == findings(CHECKS, before)


def test_no_device_of_any_name() -> None:
    """Where neither ETH_IF nor a name is near, the files say what to look for."""
    before = settings(without(SPARK, *BOTH), ib_if=("ib0", "ib1"))

    assert [
        (
            "[rdma-names] spark1: IB_IF ib0, ib1 do not exist; there are: roceP2p1s0f0 (DOWN),"
            " rocep1s0f0 (DOWN) (write those of the ConnectX link in env/spark1.env)"
        )
    ] == findings(RDMA, before)


def test_wrong_interface_and_right_devices() -> None:
    """While ETH_IF is wrong, it is no measure for IB_IF."""
    elsewhere = settings(SPARK, eth_if="enp1s0f0np0")
    moved = interface(SPARK, LINK, addresses=at("192.168.177.21"))

    assert [] == findings(RDMA, elsewhere)
    assert [] == findings(RDMA, moved)
    assert [] == findings(RDMA, settings(SPARK, eth_if="enp9s9"))
    assert [] == findings(RDMA, ON_RJ45)
