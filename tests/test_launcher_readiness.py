"""What a container that was started by hand lacks to be a node: the exact problems."""

import json
from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from cluster.checks.containers import ContainerFacts
from cluster.facts.firewall import Listener
from cluster.facts.links import Interface, Links
from cluster.facts.rdma import Device, Rdma
from cluster.launcher.readiness import (
    UNKNOWN,
    ContainerReport,
    container_facts_of,
    problems,
    warnings,
)
from cluster.node import Node
from tests.clusters import HEAD, SPARKS, WORKER


def at(*addresses: str) -> tuple[IPv4Interface, ...]:
    """Return addresses, each in its network."""
    return tuple(IPv4Interface(f"{address}/24") for address in addresses)


LINK = Interface(name="enp1s0f1np1", addresses=at("192.168.177.11"))
LAN = Interface(name="enP7s7", addresses=at("10.0.0.7", "10.0.0.8"))
DEVICES = (
    Device(name="roceP2p1s0f1", netdev="enP2p1s0f1np1", pci="0002:01:00.1", state="ACTIVE"),
    Device(name="rocep1s0f0", state="DOWN"),
    Device(name="rocep1s0f1", netdev="enp1s0f1np1", pci="0000:01:00.1", state="ACTIVE"),
)
LISTING = "roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN), rocep1s0f1 (ACTIVE)"
SPARK = ContainerReport(
    cluster=SPARKS,
    node=HEAD,
    facts=replace(
        container_facts_of(SPARKS, "[]", "", is_taken=False),
        links=Links(interfaces=(LAN, LINK)),
        rdma=Rdma(devices=DEVICES),
    ),
    container=ContainerFacts(
        shm_free=16 << 30, shm_total=16 << 30, device_files=("uverbs0",), memlock=None
    ),
)


def links(*interfaces: Interface) -> ContainerReport:
    """Return the container with other interfaces."""
    return replace(SPARK, facts=replace(SPARK.facts, links=Links(interfaces=interfaces)))


def without_rdma(node: Node = HEAD) -> ContainerReport:
    """Return the container on a machine without RDMA devices."""
    return replace(
        SPARK,
        node=node,
        facts=replace(SPARK.facts, rdma=Rdma()),
        container=replace(SPARK.container, device_files=()),
    )


def refusal(report: ContainerReport) -> list[str]:
    """Return what is printed about a container that cannot be the node."""
    return [str(problem) for problem in problems(report)]


def warned(report: ContainerReport) -> list[str]:
    """Return the warnings about a container."""
    return [str(warning) for warning in warnings(report)]


def test_a_spark() -> None:
    """A container with everything that is needed can be the head."""
    assert [] == refusal(SPARK)
    assert [] == warned(SPARK)


def test_facts() -> None:
    """The facts come from what `ip` prints, without loopback, and from the files of devices."""
    listed = [
        {"ifname": name, "flags": ["UP"], "mtu": 1500, "addr_info": []} for name in ("lo", "eth0")
    ]
    files = "/sys/class/infiniband/mlx5_0\n/sys/class/infiniband/mlx5_0/ports/1/state:4: ACTIVE\n"
    facts = container_facts_of(SPARKS, json.dumps(listed), files, is_taken=True)

    assert ["eth0"] == [interface.name for interface in facts.links.interfaces]
    assert (Device(name="mlx5_0", state="ACTIVE"),) == facts.rdma.devices
    assert (Listener(address="192.168.177.11", port=6379),) == facts.listeners
    assert facts.machine is UNKNOWN


def taken(report: ContainerReport) -> ContainerReport:
    """Return the container on a machine where another program has Ray's port."""
    listeners = (Listener(address="192.168.177.11", port=6379),)
    facts = replace(report.facts, listeners=listeners)
    return replace(report, facts=facts)


def test_ray_runs() -> None:
    """A second Ray is not started."""
    expected = ["run-cluster-node: Ray already runs in this container (stop it: `ray stop`)"]

    assert expected == refusal(taken(replace(SPARK, runs_ray=True)))


def test_port_is_taken() -> None:
    """Another program on Ray's port keeps a head from starting; a worker has no such port."""
    interface = Interface(name=WORKER.eth_if, addresses=at(str(WORKER.host_ip)))
    worker = replace(taken(links(interface)), node=replace(WORKER, ib_if=()))
    expected = [
        (
            "run-cluster-node: port 6379 (--port) is taken by another program on 192.168.177.11 "
            "(`sudo ss -ltnp sport = :6379` on the host shows the program; or write another --port)"
        )
    ]

    assert expected == refusal(taken(SPARK))
    assert [] == refusal(worker)


@pytest.mark.parametrize(
    "report, expected",
    [
        pytest.param(
            links(LAN, replace(LINK, name="enp1s0f0np0", addresses=())),
            "--eth-if enp1s0f1np1 does not exist; interfaces: enP7s7 (10.0.0.7, 10.0.0.8), "
            "enp1s0f0np0 (no IPv4 address) (did you mean enp1s0f0np0?)",
            id="a similar name",
        ),
        pytest.param(
            links(LAN, replace(LINK, name="enp1s0f0np0")),
            "--eth-if enp1s0f1np1 does not exist; interfaces: enP7s7 (10.0.0.7, 10.0.0.8), "
            "enp1s0f0np0 (192.168.177.11) "
            "(write --eth-if enp1s0f0np0: it has --host-ip 192.168.177.11)",
            id="the address on another interface",
        ),
        pytest.param(
            links(Interface(name="eth0", addresses=at("172.17.0.2"))),
            "--eth-if enp1s0f1np1 does not exist; interfaces: eth0 (172.17.0.2) "
            "(start the container with --net=host)",
            id="a network of its own",
        ),
        pytest.param(
            links(),
            "--eth-if enp1s0f1np1 does not exist; interfaces: none "
            "(start the container with --net=host)",
            id="no network",
        ),
        pytest.param(
            links(
                replace(LINK, addresses=()),
                replace(LAN, name="eth1", addresses=at("10.0.0.7", "192.168.177.11")),
            ),
            "--host-ip 192.168.177.11 is on eth1, not on --eth-if enp1s0f1np1, which has no IPv4 "
            "address (write --eth-if eth1)",
            id="the address elsewhere",
        ),
        pytest.param(
            links(replace(LINK, addresses=at("10.1.0.1", "10.2.0.1"))),
            "--host-ip 192.168.177.11 is on no interface; --eth-if enp1s0f1np1 has 10.1.0.1, "
            "10.2.0.1 (write --host-ip 10.1.0.1)",
            id="other addresses",
        ),
        pytest.param(
            links(replace(LINK, addresses=(), carrier=False)),
            "--host-ip 192.168.177.11 is on no interface; --eth-if enp1s0f1np1 has no IPv4 address "
            "(`sudo ip address add 192.168.177.11/24 dev enp1s0f1np1` on the host, and keep it in "
            "netplan)",
            id="no address",
        ),
    ],
)
def test_interface(report: ContainerReport, expected: str) -> None:
    """A wrong interface or address is reported with what the machine has, and the right flag."""
    assert [f"run-cluster-node: {expected}"] == refusal(report)


@pytest.mark.parametrize(
    "ib_if, expected",
    [
        pytest.param(
            ("rocep1s0f2", "mlx5_0", "rocep1s0f1"),
            f"--ib-if rocep1s0f2, mlx5_0 do not exist; RDMA devices: {LISTING} "
            "(write --ib-if rocep1s0f1)",
            id="the port of the interface is known",
        ),
        pytest.param(
            ("rocep1s0f2",),
            f"--ib-if rocep1s0f2 does not exist; RDMA devices: {LISTING} "
            "(write --ib-if rocep1s0f1)",
            id="one",
        ),
    ],
)
def test_unknown_rdma_devices(ib_if: tuple[str, ...], expected: str) -> None:
    """Wrong names are reported with those of the interface's port, and before missing files."""
    report = replace(
        SPARK,
        node=replace(HEAD, ib_if=ib_if),
        container=replace(SPARK.container, device_files=()),
    )

    assert [f"run-cluster-node: {expected}"] == refusal(report)


def test_machine_without_rdma() -> None:
    """A machine without any RDMA device can use sockets."""
    expected = [
        (
            "run-cluster-node: has no RDMA device, but --ib-if is rocep1s0f1,roceP2p1s0f1 "
            '(`sudo modprobe mlx5_ib` on the host, or write --ib-if "", for sockets only)'
        )
    ]

    assert expected == refusal(without_rdma())
    assert [] == refusal(without_rdma(replace(HEAD, ib_if=())))


def test_container_without_rdma() -> None:
    """The kernel shows devices to a container that may not use them."""
    expected = [
        (
            "run-cluster-node: RDMA devices cannot be used: no /dev/infiniband/uverbs* "
            "(start the container with --device=/dev/infiniband, or with --privileged)"
        )
    ]

    assert expected == refusal(
        replace(SPARK, container=replace(SPARK.container, device_files=("rdma_cm",)))
    )


def test_warnings() -> None:
    """What works, but not well, is a warning and no refusal."""
    report = replace(
        links(replace(LINK, carrier=False)),
        container=replace(SPARK.container, memlock=1 << 16, shm_free=64 << 20, shm_total=64 << 20),
    )
    expected = [
        (
            "run-cluster-node: --eth-if enp1s0f1np1 has no link; interfaces with a link: none "
            "(check the cable and its other end with `ibdev2netdev` on the host, or write the port "
            "that the cable is in as --eth-if and --ib-if)"
        ),
        (
            "run-cluster-node: shared memory has 64 of 64 MiB free, but Ray's object store needs "
            "1024 MiB (start the container with --ipc=host or --shm-size=16g)"
        ),
        (
            "run-cluster-node: only 64 KiB of memory can be locked, too little for RDMA "
            "(start the container with --ulimit memlock=-1)"
        ),
    ]

    assert [] == refusal(report)
    assert expected == warned(report)
    assert expected[:2] == warned(replace(report, node=replace(HEAD, ib_if=())))


def test_interface_that_is_switched_off() -> None:
    """An interface that is switched off is a warning, too."""
    expected = [
        (
            "run-cluster-node: --eth-if enp1s0f1np1 is switched off "
            "(`sudo ip link set enp1s0f1np1 up` on the host, and keep it in netplan)"
        )
    ]

    assert expected == warned(links(replace(LINK, enabled=False)))


def test_head_is_not_there_yet() -> None:
    """A worker can be started before its head."""
    expected = [
        (
            "run-cluster-node: no answer from 192.168.177.11:6379 yet "
            "(start the head: Ray tries for about two minutes)"
        )
    ]

    assert expected == warned(replace(SPARK, node=WORKER, head_answers=False))
