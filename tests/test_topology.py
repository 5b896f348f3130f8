"""Topologies of machines, from the pings that are answered: every kind, and the warnings."""

from dataclasses import replace

import pytest

from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from tests import situations
from tests.cabling import (
    ONE,
    PAIR,
    TWO,
    attachments,
    cable,
    cabled,
    changed,
    connected,
    device,
    plain,
    port,
    remarks,
    ring,
    spark,
    sparks,
    switch,
)


@pytest.mark.parametrize("name", situations.ALL)
def test_situations(name: str) -> None:
    """Captured machines have the topology that they had in reality."""
    result = topology(situations.probed(name), {})
    kinds = {
        "switch": "switch",
        "eight": "switch",
        "ring": "ring",
        "no-address": "undecided",
        "pc": "alone",
        "vm": "alone",
    }

    assert kinds.get(name, "direct") == result.kind
    if name in situations.HEALTHY:
        nodes = situations.cluster(name).nodes
        assert [f"{n.host_ip} {n.eth_if} {','.join(n.ib_if)}" for n in nodes] == [
            text.replace("/24", "") for text in attachments(result)
        ]


@pytest.mark.parametrize(
    "count, kind", [(2, "direct"), (3, "switch"), (4, "switch"), (8, "switch")]
)
def test_switch(count: int, kind: str) -> None:
    """Two to eight machines at a switch share a network; for two, a cable is the same."""
    machines = sparks(count)
    result = cabled(machines, switch(machines, *ONE))

    assert (kind, []) == (result.kind, remarks(result))
    assert [
        f"192.168.177.{10 + n}/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0" for n in range(1, count + 1)
    ] == attachments(result)


def test_crossed_cable() -> None:
    """A cable may be in different ports of two machines."""
    machines = {"spark1": spark(**port(11)), "spark2": spark(**port(12, TWO))}
    result = cabled(machines, cable(*PAIR, ONE, TWO))

    assert [
        "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0",
        "192.168.177.12/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1",
    ] == attachments(result)
    assert [] == remarks(result)


def test_one_direction() -> None:
    """A machine that answers no pings is connected if its own pings are answered."""
    machines = connected(sparks(2), switch(PAIR, *ONE))
    machines["spark1"] = sparks(2)["spark1"]

    assert "direct" == topology(machines, {}).kind


def test_two_cables() -> None:
    """A second cable is not used; a file that has its address decides for it."""
    machines = {name: spark(**port(n, ONE), **port(n, TWO, 187)) for n, name in enumerate(PAIR, 11)}
    cables = switch(PAIR, *ONE, *TWO)
    first = cabled(machines, cables)
    addresses = {
        name: attachment.end.address.ip + 10 * 256 for name, attachment in first.attachments.items()
    }
    second = topology(connected(machines, cables), addresses)

    assert [
        "spark1: not used: enp1s0f1np1 also reaches spark2, and a second cable adds no bandwidth",
        "spark2: not used: enp1s0f1np1 also reaches spark1, and a second cable adds no bandwidth",
    ] == remarks(first)
    assert ["192.168.187.11/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1"] == attachments(second)[:1]


def test_cable_to_a_machine_outside() -> None:
    """A port that leads to a NAS is not used, although it is up."""
    machines = sparks(2, TWO)
    machines["spark1"] = spark(**port(11, TWO), enp1s0f0np0="10.9.0.1/24")
    result = cabled(machines, switch(PAIR, *TWO))

    assert ["192.168.177.11/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1"] == attachments(result)[:1]
    assert [
        "spark1: not used: enp1s0f0np0 has a link, but no probed machine answers there"
    ] == remarks(result)


def test_one_network_for_both_twins() -> None:
    """The address is that of the kernel's route; the other twin should get a new one."""
    machines = {
        name: spark(enp1s0f0np0=f"10.1.0.{n + 100}/16", enP2p1s0f0np0=f"10.1.0.{n}/16")
        for n, name in enumerate(PAIR, 11)
    }
    answers = connected(machines, [[(name, twin) for name in PAIR for twin in ONE]])
    routed = {name: _routed(facts, "enP2p1s0f0np0") for name, facts in answers.items()}
    result = topology(routed, {})

    assert "10.1.0.11/16 enP2p1s0f0np0 rocep1s0f0,roceP2p1s0f0" == attachments(result)[0]
    assert (
        "spark1: enp1s0f0np0 and enP2p1s0f0np0 are both in 10.1.0.0/16: the kernel sends everything"
        " by one of them (add these lines to /etc/netplan/40-cx7.yaml there,"
        " then `sudo netplan apply`)\n"
        "    network:\n      version: 2\n      ethernets:\n        enP2p1s0f0np0:\n"
        "          addresses: [192.168.177.111/24]"
    ) == remarks(result)[0]


def _routed(facts: Facts, device: str) -> Facts:
    """Return a machine whose kernel routes everything to one interface."""
    routes = tuple(replace(route, device=device) for route in facts.reach.routes)
    return replace(facts, reach=replace(facts.reach, routes=routes))


def test_twin_without_address() -> None:
    """A twin without an address is used; one without a link is not. Both have a warning."""
    machines = sparks(3)
    machines["spark1"] = spark(enp1s0f0np0="192.168.177.11/24", enP2p1s0f0np0="")
    machines["spark2"] = spark(enp1s0f0np0="192.168.177.12/24", enP2p1s0f0np0="169.254.7.7/16")
    machines["spark3"] = device(machines["spark3"], "roceP2p1s0f0", state="DOWN")
    result = cabled(machines, switch(machines, *ONE))
    remedy = "(add these lines to /etc/netplan/40-cx7.yaml there, then `sudo netplan apply`)"
    text = "    network:\n      version: 2\n      ethernets:\n        enP2p1s0f0np0:\n"

    assert "192.168.177.13/24 enp1s0f0np0 rocep1s0f0" == attachments(result)[2]
    assert [
        (
            f"spark1: enP2p1s0f0np0 has no address: NCCL may not reach it {remedy}\n{text}"
            "          addresses: [192.168.178.11/24]"
        ),
        (
            "spark2: enP2p1s0f0np0 has only 169.254.7.7, which changes: NCCL may not reach it"
            f" {remedy}\n{text}          addresses: [192.168.178.12/24]"
        ),
        (
            "spark3: roceP2p1s0f0 is DOWN: enp1s0f0np0 has half its bandwidth"
            " (reseat the cable; `ibdev2netdev` there shows the ports)"
        ),
    ] == remarks(result)


def test_no_active_device() -> None:
    """If no device of a port is active, all are written: `inv doctor` knows why."""
    machines = sparks(2)
    for name in ("rocep1s0f0", "roceP2p1s0f0"):
        machines["spark1"] = device(machines["spark1"], name, state="")

    assert (
        "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0"
        == attachments(cabled(machines, switch(machines, *ONE)))[0]
    )


def test_ring() -> None:
    """A ring has the address of the office network, and all four devices."""
    result = cabled(*ring(("a", "b", "c")))
    devices = "rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1"

    assert ("ring", []) == (result.kind, remarks(result))
    assert [f"10.0.0.{n}/24 enP7s7 {devices}" for n in (1, 2, 3)] == attachments(result)


def test_larger_ring() -> None:
    """A ring of four is a ring, with a warning."""
    result = cabled(*ring(("a", "b", "c", "d")))

    assert "ring" == result.kind
    assert [
        (
            "a, b, c, d: a ring of 4: not every node reaches all others over a port"
            " (use a switch for more than three)"
        )
    ] == remarks(result)


def test_ring_with_wrong_cables() -> None:
    """A ring has a warning for each cable that connects the same port of both machines."""
    machines = {
        "a": spark(enP7s7="10.0.0.1/24", **port(1, ONE, 10), **port(1, TWO, 20)),
        "b": spark(enP7s7="10.0.0.2/24", **port(2, ONE, 10), **port(2, TWO, 30)),
        "c": spark(enP7s7="10.0.0.3/24", **port(3, ONE, 20), **port(3, TWO, 30)),
    }
    cables = [
        *switch(machines, "enP7s7"),
        *cable("a", "b", ONE, ONE),
        *cable("a", "c", TWO, ONE),
        *cable("b", "c", TWO, TWO),
    ]
    remedy = "(connect port 0 of each node with port 1 of the next)"

    assert [
        f"a, b: the cable connects the same port of both, enp1s0f0np0 and enp1s0f0np0 {remedy}",
        f"b, c: the cable connects the same port of both, enp1s0f1np1 and enp1s0f1np1 {remedy}",
    ] == remarks(cabled(machines, cables))


def test_sockets() -> None:
    """Without RDMA the fastest common network is used, unless the files have a different one."""
    machines = {
        name: changed(plain(eth0=f"10.0.0.{n}/24", eth1=f"10.1.0.{n}/24"), "eth1", speed=10_000)
        for n, name in enumerate(PAIR, 1)
    }
    answers = connected(machines, switch(machines, "eth0", "eth1"))
    result = topology(answers, {})
    first = result.attachments["spark1"].end.address.ip
    configured = topology(answers, {"spark1": first - (1 << 16)})

    assert "sockets" == result.kind
    assert ["10.1.0.1/24 eth1", "10.1.0.2/24 eth1"] == attachments(result)
    assert [
        (
            "spark1, spark2: no RDMA device: TCP sockets only, several times slower"
            " (on a Spark: try `sudo modprobe mlx5_ib`)"
        ),
        (
            "spark1: not used: eth0 connects all machines as well"
            " (if it is faster, set HOST_IP=10.0.0.1 and probe again)"
        ),
    ] == remarks(result)
    assert ["10.0.0.1/24 eth0", "10.0.0.2/24 eth0"] == attachments(configured)


def test_one_network_for_sockets() -> None:
    """A single common network has no warning about a second one."""
    machines = {name: plain(eth0=f"10.0.0.{n}/24") for n, name in enumerate(PAIR, 1)}

    assert 1 == len(cabled(machines, switch(machines, "eth0")).warnings)


@pytest.mark.parametrize(
    "facts, attachment, remark",
    [
        (
            spark(**port(11), enP7s7="10.0.0.1/24"),
            "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0",
            "",
        ),
        (plain(eth0="10.0.0.1/24"), "10.0.0.1/24 eth0", ""),
        (
            spark(),
            "",
            ("no interface has a link and an IPv4 address (connect one, and give it an address)"),
        ),
        (
            spark(**port(11), **port(12, TWO)),
            "",
            (
                "enp1s0f0np0 and enp1s0f1np1 have a link"
                " (name the machines at their other ends as well)"
            ),
        ),
    ],
)
def test_single_machine(facts: Facts, attachment: str, remark: str) -> None:
    """The only cable of a single machine is used; two cables are a question."""
    result = cabled({"spark1": facts}, ())
    single = (
        "the only machine probed: where its cables lead is unknown"
        " (name the other machines as well)"
    )

    assert [attachment] * bool(attachment) == attachments(result)
    assert [f"spark1: {remark or single}"] == remarks(result)
