"""RDMA devices, from sysfs as the kernel writes it and from `ibdev2netdev`."""

from ipaddress import IPv4Address

import pytest

from cluster.facts.rdma import Device, Gid, Rdma, rdma

DEVICES = """\
/sys/class/infiniband/mlx5_4
/sys/class/infiniband/rocep1s0f0
/sys/class/infiniband/rocep1s0f1
/sys/class/infiniband/rocep1s0f1/device/net/enp1s0f1np1
/sys/class/infiniband/rocep1s0f1/device/net/enp1s0f1np1v0
/dev/infiniband/by-ibdev
/dev/infiniband/rdma_cm
/dev/infiniband/uverbs0
/sys/class/infiniband/rocep1s0f1/device/uevent:PCI_SLOT_NAME=0000:01:00.1
/sys/class/infiniband/rocep1s0f0/ports/1/state:1: DOWN
/sys/class/infiniband/rocep1s0f1/ports/1/state:4: ACTIVE
/sys/class/infiniband/rocep1s0f1/ports/1/link_layer:Ethernet
/sys/class/infiniband/rocep1s0f0/ports/1/rate:2.5 Gb/sec (1X SDR)
/sys/class/infiniband/rocep1s0f1/ports/1/rate:200 Gb/sec (4X HDR)
/sys/class/infiniband/rocep1s0f1/ports/1/gids/1:fe80:0000:0000:0000:4ebb:47ff:fe2c:7d5e
/sys/class/infiniband/rocep1s0f1/ports/1/gids/10:0000:0000:0000:0000:0000:ffff:c0a8:b10c
/sys/class/infiniband/rocep1s0f1/ports/1/gids/3:0000:0000:0000:0000:0000:ffff:c0a8:b10b
/sys/class/infiniband/rocep1s0f1/ports/1/gid_attrs/types/1:RoCE v2
/sys/class/infiniband/rocep1s0f1/ports/1/gid_attrs/types/2:IB/RoCE v1
/sys/class/infiniband/rocep1s0f1/ports/1/gid_attrs/types/3:RoCE v2
/sys/class/infiniband/rocep1s0f1/ports/1/gid_attrs/ndevs/1:enp1s0f1np1
/sys/class/infiniband/rocep1s0f1/ports/1/gid_attrs/ndevs/3:enp1s0f1np1
"""
NETDEVS = """\
mlx5_4 port 1 ==> enp9s0 (Up)
rocep1s0f0 port 1 ==> enp1s0f0np0 (Down)
rocep1s0f1 port 1 ==> wrong0 (Up)
rocep1s0f1 port 2 ==> wrong1 (Up)
"""
LINK_LOCAL = Gid(
    index=1,
    value="fe80:0000:0000:0000:4ebb:47ff:fe2c:7d5e",
    kind="RoCE v2",
    netdev="enp1s0f1np1",
)
MAPPED = Gid(
    index=3,
    value="0000:0000:0000:0000:0000:ffff:c0a8:b10b",
    kind="RoCE v2",
    netdev="enp1s0f1np1",
)
ACTIVE = Device(
    name="rocep1s0f1",
    netdev="enp1s0f1np1",
    pci="0000:01:00.1",
    state="ACTIVE",
    link_layer="Ethernet",
    rate=200,
    gids=(LINK_LOCAL, MAPPED, Gid(index=10, value="0000:0000:0000:0000:0000:ffff:c0a8:b10c")),
)
DOWN = Device(name="rocep1s0f0", state="DOWN", rate=2)
BARE = Device(name="mlx5_4")
FILES = ("by-ibdev", "rdma_cm", "uverbs0")


def test_rdma() -> None:
    """A device has the facts of its files, whichever exist; its GIDs keep the order of rows."""
    expected = Rdma(devices=(BARE, DOWN, ACTIVE), device_files=FILES)

    assert expected == rdma({"devices": DEVICES})


def test_ibdev2netdev() -> None:
    """NVIDIA's own list names the interfaces of devices whose files name none."""
    facts = rdma({"devices": DEVICES, "netdevs": NETDEVS})

    assert ["enp9s0", "enp1s0f0np0", "enp1s0f1np1"] == [device.netdev for device in facts.devices]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/sys/class/infiniband/*\n/sys/class/infiniband/*/device/net/*\n/dev/infiniband/*\n",
    ],
)
def test_no_device(text: str) -> None:
    """A pattern without a match is no device."""
    assert Rdma() == rdma({"devices": text})


def test_gone_meanwhile() -> None:
    """A device that appeared after the list was printed is included."""
    text = "/sys/class/infiniband/rocep1s0f0/ports/1/state:1: DOWN\n"

    assert Rdma(devices=(Device(name="rocep1s0f0", state="DOWN"),)) == rdma({"devices": text})


def test_named() -> None:
    """A device is found by its name, and is active or not."""
    facts = Rdma(devices=(BARE, ACTIVE))

    assert (ACTIVE, None) == (facts.named("rocep1s0f1"), facts.named("rocep1s0f0"))
    assert [False, True] == [device.active for device in facts.devices]


def test_address() -> None:
    """A row may stand for an IPv4 address."""
    assert [None, IPv4Address("192.168.177.11")] == [LINK_LOCAL.address, MAPPED.address]
