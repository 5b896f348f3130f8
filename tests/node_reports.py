"""Reports of nodes for the tests of checks: two healthy Sparks, and changed ones."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from cluster.checks import check
from cluster.checks.check import Check
from cluster.checks.checks import CHECKS
from cluster.checks.node_report import NodeReport
from cluster.facts.docker import Docker
from cluster.facts.facts import Facts
from cluster.facts.firewall import Firewall, Listener
from cluster.facts.gpu import Gpu, Gpus
from cluster.facts.images import Image
from cluster.facts.links import RJ45, Interface, Links, Route
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.rdma import Device, Gid, Rdma
from cluster.facts.storage import Disk
from cluster.node import Cluster
from tests.clusters import SPARKS, extra_worker

GIB = 1 << 30
PORTS = {"spark1": 1, "spark2": 0}
"""Which of its two ports a Spark is cabled on, as its settings say."""
BOTH_PORTS = ("rocep1s0f0", "roceP2p1s0f0", "rocep1s0f1", "roceP2p1s0f1")
IMAGE = Image(architecture="arm64", layers=("sha256:aa", "sha256:bb"), configuration="{}")


def node_report(node: str = "spark1", cluster: Cluster = SPARKS, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Facts)
    """Return a node of a cluster with the facts of a healthy Spark, except for `changes`."""
    described = next(member for member in cluster.nodes if member.name == node)
    facts = spark(node, described.host_ip, PORTS.get(node, 0))
    return NodeReport(cluster=cluster, node=described, facts=replace(facts, **changes))


def healthy(cluster: Cluster = SPARKS) -> tuple[NodeReport, ...]:
    """Return all nodes of a cluster, healthy."""
    return tuple(node_report(node.name, cluster) for node in cluster.nodes)


def ring() -> NodeReport:
    """Return the head of a ring of three: both ports lead to a neighbour, and RJ45 to all."""
    nodes = tuple(
        replace(node, eth_if=RJ45, host_ip=IPv4Address(f"10.0.0.1{number}"), ib_if=BOTH_PORTS)
        for number, node in enumerate((*SPARKS.nodes, extra_worker()), 1)
    )
    before = node_report(cluster=replace(SPARKS, nodes=nodes))
    facts, second_port = before.facts, spark("spark1", IPv4Address("192.168.177.11"), 0)
    interfaces = tuple(
        replace(item, addresses=at(f"192.168.{179 + item.name.startswith('enP')}.11"))
        for item in second_port.links.interfaces
        if item.name.endswith("f0np0")
    )
    unchanged = (item for item in facts.links.interfaces if not item.name.endswith("f0np0"))
    pairs = zip(facts.rdma.devices, second_port.rdma.devices, strict=True)
    return with_facts(
        before,
        links=replace(facts.links, interfaces=(*interfaces, *unchanged)),
        rdma=replace(
            facts.rdma, devices=tuple(item if item.active else twin for item, twin in pairs)
        ),
    )


def findings(checks: Iterable[Check], *reports: NodeReport) -> list[str]:
    """Return what these checks report, each with its name; all checks are made."""
    names = {node.name for node in checks}
    return [
        f"[{finding.check.name}] {finding.problem}"
        for finding in check.findings(CHECKS, reports)
        if finding.check.name in names
    ]


def with_settings(before: NodeReport, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Node)
    """Return the same machine with other settings in its own file."""
    node = replace(before.node, **changes)
    nodes = tuple(node if member.name == node.name else member for member in before.cluster.nodes)
    return replace(before, node=node, cluster=replace(before.cluster, nodes=nodes))


def with_interface(before: NodeReport, named: str, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Interface)
    """Return the same node with a change of one interface."""
    links = before.facts.links
    after = tuple(
        replace(interface, **changes) if interface.name == named else interface
        for interface in links.interfaces
    )
    return with_facts(before, links=replace(links, interfaces=after))


def with_device(before: NodeReport, named: str, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Device)
    """Return the same node with a change of one RDMA device."""
    rdma = before.facts.rdma
    after = tuple(
        replace(device, **changes) if device.name == named else device for device in rdma.devices
    )
    return with_facts(before, rdma=replace(rdma, devices=after))


def with_facts(before: NodeReport, **changes: Any) -> NodeReport:  # noqa: ANN401 (fields of Facts)
    """Return the same node with other facts."""
    return replace(before, facts=replace(before.facts, **changes))


def at(*addresses: str) -> tuple[IPv4Interface, ...]:
    """Return addresses with their networks, by default /24."""
    return tuple(
        IPv4Interface(address if "/" in address else f"{address}/24") for address in addresses
    )


def spark(hostname: str, address: IPv4Address, port: int) -> Facts:
    """Return the facts of a healthy Spark with its cable in `port` and `address` on that link."""
    last = int(address) & 0xFF
    first, second = f"192.168.177.{last}", f"192.168.178.{last}"
    return Facts(
        machine=machine(hostname, last),
        links=Links(
            interfaces=(
                *(
                    twin("enp1s0", "0000:01:00", number, first, live=number == port)
                    for number in (0, 1)
                ),
                *(
                    twin("enP2p1s0", "0002:01:00", number, second, live=number == port)
                    for number in (0, 1)
                ),
                _rj45(last),
                Interface(name="docker0", kind="bridge", addresses=at("172.17.0.1/16")),
            ),
            routes=_routes(port),
        ),
        rdma=Rdma(
            devices=(
                *(
                    roce("P2p1s0", "0002:01:00", number, second, live=number == port)
                    for number in (0, 1)
                ),
                *(
                    roce("p1s0", "0000:01:00", number, first, live=number == port)
                    for number in (0, 1)
                ),
            ),
            device_files=("rdma_cm", "uverbs0", "uverbs1", "uverbs2", "uverbs3"),
        ),
        gpus=Gpus(gpus=(Gpu(name="NVIDIA GB10", driver="580.95.05", clock=208),)),
        docker=docker(),
        firewall=Firewall(ufw=False, drops=()),
        engine_disk=Disk(path="/var/lib/docker", free=3000 * GIB, total=3700 * GIB),
        model_disk=Disk(path="/srv/huggingface", free=3000 * GIB, total=3700 * GIB),
        listeners=(Listener(address="0.0.0.0", port=22),),  # noqa: S104 (as `ss` prints it)
        lead=0.0,
    )


def machine(hostname: str, last: int) -> MachineFacts:
    """Return the machine itself: nearly all of its memory free, and without a desktop."""
    return MachineFacts(
        hostname=hostname,
        user="you",
        system="NVIDIA DGX OS 7.5.0",
        kernel="6.17.0-1031-nvidia",
        architecture="aarch64",
        command_line="BOOT_IMAGE=/boot/vmlinuz-6.17.0-1031-nvidia root=/dev/nvme0n1p2 ro",
        memory=Memory(
            total=120 * GIB,
            available=115 * GIB,
            free=112 * GIB,
            cached=3 * GIB,
            swap_total=0,
            swap_free=0,
            cma_total=64 << 20,
            cma_free=32 << 20,
        ),
        pressure=0.0,
        resolved=(IPv4Address(f"10.0.0.{last}"),),
        linger=True,
        target="multi-user.target",
        early_oom=True,
        clock=1795471200.0,
    )


def twin(bus: str, pci: str, port: int, address: str, *, live: bool) -> Interface:
    """Return the interface of a twin; the other twin is on the other bus."""
    return Interface(
        name=f"{bus}f{port}np{port}",
        mac=f"4c:bb:47:{address.rpartition('.')[2]:0>2}:{pci[3]}a:{port}0",
        addresses=at(address) if live else (),
        mtu=9000 if live else 1500,
        carrier=live,
        speed=200_000 if live else None,
        pci=f"{pci}.{port}",
        pcie_width=4,
        pcie_speed="32.0 GT/s PCIe",
    )


def roce(bus: str, pci: str, port: int, address: str, *, live: bool) -> Device:
    """Return the RDMA device of a twin."""
    netdev = f"en{bus}f{port}np{port}"
    link_local = f"fe80:0000:0000:0000:4ebb:47ff:fe2c:{pci[3]}a{port}0"
    mapped = IPv4Address(address).packed.hex()
    values = (link_local, f"0000:0000:0000:0000:0000:ffff:{mapped[:4]}:{mapped[4:]}")[: 1 + live]
    return Device(
        name=f"roce{bus}f{port}",
        netdev=netdev,
        pci=f"{pci}.{port}",
        state="ACTIVE" if live else "DOWN",
        link_layer="Ethernet",
        rate=200 if live else 40,
        gids=tuple(
            Gid(index=2 * row + turn, value=value, kind=kind, netdev=netdev)
            for row, value in enumerate(values)
            for turn, kind in enumerate(("IB/RoCE v1", "RoCE v2"))
        ),
    )


def docker() -> Docker:
    """Return a current Docker with NVIDIA's runtime and the cluster's image, and no container."""
    return Docker(
        version="29.1.3",
        store="containerd",
        runtimes=("io.containerd.runc.v2", "nvidia", "runc"),
        cdi=("nvidia.com/gpu=0", "nvidia.com/gpu=all"),
        toolkit="1.18.1",
        image=IMAGE,
    )


def _rj45(last: int) -> Interface:
    return Interface(
        name=RJ45,
        mac=f"4c:bb:47:{last:02}:00:07",
        addresses=at(f"10.0.0.{last}"),
        speed=10_000,
        pci="0007:01:00.0",
        pcie_width=1,
        pcie_speed="16.0 GT/s PCIe",
    )


def _routes(port: int) -> tuple[Route, ...]:
    return (
        Route(destination="default", device=RJ45, metric=100),
        Route(destination="10.0.0.0/24", device=RJ45, metric=100),
        Route(destination="172.17.0.0/16", device="docker0"),
        Route(destination="192.168.177.0/24", device=f"enp1s0f{port}np{port}"),
        Route(destination="192.168.178.0/24", device=f"enP2p1s0f{port}np{port}"),
    )
