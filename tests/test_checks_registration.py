"""The findings of the checks of GID tables and of the kernel's memory: the exact text."""

from dataclasses import replace

import pytest

from cluster.checks.node_report import NodeReport
from cluster.checks.rdma import RDMA
from cluster.checks.system import SYSTEM
from cluster.facts.machine import MachineFacts
from cluster.facts.rdma import Gid
from cluster.words import Environment
from tests.clusters import SPARKS
from tests.node_reports import (
    at,
    findings,
    node_report,
    with_device,
    with_facts,
    with_interface,
    with_settings,
)
from tests.test_checks_interfaces import OTHER

NAMES = ("gid-index", "kernel-memory")
REGISTRATION = tuple(check for check in (*RDMA, *SYSTEM) if check.name in NAMES)
SPARK = node_report()
FORCED = (("NCCL_IB_GID_INDEX", "3"),)
LAST = SPARK.facts.rdma.devices[1].gids[3]


def forced(value: str = "3") -> NodeReport:
    """Return a node in a cluster that forces a row."""
    return node_report(cluster=replace(SPARKS, variables=(("NCCL_IB_GID_INDEX", value),)))


def row(**changes: str) -> NodeReport:
    """Return a node with another last row on one device, which is forced on all."""
    gids = SPARK.facts.rdma.devices[1].gids[:3]
    changed = Gid(
        index=3,
        value=changes.get("value", LAST.value),
        kind=changes.get("kind", LAST.kind),
        netdev=changes.get("netdev", LAST.netdev),
    )
    return with_device(forced(), "roceP2p1s0f1", gids=(*gids, changed))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(SPARK, id="nothing forced"),
        pytest.param(forced(), id="the right row"),
        pytest.param(forced("-1"), id="NCCL's own choice"),
        pytest.param(row(netdev=""), id="a row of nobody knows whom"),
        pytest.param(
            with_device(row(kind="IB/RoCE v1"), "roceP2p1s0f1", link_layer="InfiniBand"),
            id="InfiniBand",
        ),
        pytest.param(
            with_device(forced(), "roceP2p1s0f1", state="DOWN", gids=()),
            id="a port that is not active",
        ),
        pytest.param(with_settings(forced("7"), variables=FORCED), id="the node's own file wins"),
        pytest.param(with_settings(forced("7"), ib_if=()), id="no RDMA"),
    ],
)
def test_rows_that_fit(before: NodeReport) -> None:
    """A row that is RoCE v2 and an address of its interface on every device is fine."""
    assert [] == findings(REGISTRATION, before)


@pytest.mark.parametrize(
    "before, wrong",
    [
        pytest.param(
            forced("7"),
            "7 is used unchecked: rocep1s0f1 has no such row, roceP2p1s0f1 has no such row",
            id="no row",
        ),
        pytest.param(
            row(kind="IB/RoCE v1"),
            "3 is used unchecked: roceP2p1s0f1 has IB/RoCE v1 there, not RoCE v2",
            id="RoCE v1",
        ),
        pytest.param(
            row(kind=""),
            "3 is used unchecked: roceP2p1s0f1 has an unknown kind there, not RoCE v2",
            id="no kind",
        ),
        pytest.param(
            row(netdev="vlan7"),
            "3 is used unchecked: roceP2p1s0f1 has a row of vlan7 there",
            id="another interface",
        ),
        pytest.param(
            with_interface(forced(), OTHER, addresses=at("192.168.178.21")),
            "3 is used unchecked: roceP2p1s0f1 has 192.168.178.11 there,"
            " no IPv4 address of enP2p1s0f1np1",
            id="an address of yesterday",
        ),
        pytest.param(
            forced("1"),
            "1 is used unchecked:"
            " rocep1s0f1 has fe80:0000:0000:0000:4ebb:47ff:fe2c:0a10 there,"
            " no IPv4 address of enp1s0f1np1,"
            " roceP2p1s0f1 has fe80:0000:0000:0000:4ebb:47ff:fe2c:2a10 there,"
            " no IPv4 address of enP2p1s0f1np1",
            id="no IPv4 address",
        ),
        pytest.param(
            forced("three"), "three is used unchecked: it is not a number", id="no number"
        ),
    ],
)
def test_rows_that_do_not_fit(before: NodeReport, wrong: str) -> None:
    """A forced row is reported with what each device has there."""
    assert [
        (
            f"[gid-index] spark1: NCCL_IB_GID_INDEX {wrong}"
            " (remove it from env/cluster.env: NCCL finds the row by itself)"
        )
    ] == findings(REGISTRATION, before)


def test_the_file_that_forces_it() -> None:
    """The remedy names the file that counts: the node's own before the shared one."""
    variables: Environment = (("NCCL_DEBUG", "INFO"), ("NCCL_IB_GID_INDEX", "7"))

    assert [
        (
            "[gid-index] spark1: NCCL_IB_GID_INDEX 7 is used unchecked: rocep1s0f1 has no such"
            " row, roceP2p1s0f1 has no such row"
            " (remove it from env/spark1.env: NCCL finds the row by itself)"
        )
    ] == findings(REGISTRATION, with_settings(forced(), variables=variables))


def kernel(release: str, total: int | None, free: int | None, words: str = "ro") -> NodeReport:
    """Return a node with a kernel, and the memory that it keeps for devices, in KiB."""
    machine: MachineFacts = SPARK.facts.machine
    memory = replace(
        machine.memory,
        cma_total=None if total is None else total << 10,
        cma_free=None if free is None else free << 10,
    )
    return with_facts(
        SPARK, machine=replace(machine, kernel=release, command_line=words, memory=memory)
    )


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(kernel("7.0.0-1019-nvidia", 0, 0, "ro kho=off"), id="switched off"),
        pytest.param(kernel("7.0.0-1019-nvidia", 131072, 65536), id="enough"),
        pytest.param(kernel("6.17.0-1031-nvidia", 0, 0), id="another kernel without any"),
        pytest.param(kernel("6.1.0-37-amd64", None, None), id="no such row"),
        pytest.param(
            with_settings(kernel("7.0.0-1019-nvidia", 0, 0), ib_if=()), id="a node without RDMA"
        ),
    ],
)
def test_kernels_that_register(before: NodeReport) -> None:
    """Only a node with RDMA and the symptoms of that kernel has a finding."""
    assert [] == findings(REGISTRATION, before)


@pytest.mark.parametrize(
    "before, has",
    [
        pytest.param(
            kernel("7.0.0-1019-nvidia", 0, None), "CmaTotal 0 kB, CmaFree 0 kB", id="nothing kept"
        ),
        pytest.param(
            kernel("7.0.0-1019-nvidia", 131072, 9752576),
            "CmaTotal 131072 kB, CmaFree 9752576 kB",
            id="more free than there is",
        ),
    ],
)
def test_a_kernel_that_does_not_register(before: NodeReport, has: str) -> None:
    """The kernel's own numbers show the fault."""
    assert [
        (
            "[kernel-memory] spark1: kernel 7.0.0-1019-nvidia keeps memory that RDMA cannot"
            f" register: {has} (boot kernel 6.17; or add kho=off to GRUB_CMDLINE_LINUX in"
            " /etc/default/grub, then `ssh -t spark1 sudo update-grub` and restart)"
        )
    ] == findings(REGISTRATION, before)
