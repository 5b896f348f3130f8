"""How hosts are joined, from what answers where: every shape, and what none can tell."""

from dataclasses import replace

import pytest

from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from tests import situations
from tests.cabling import (
    ONE,
    PAIR,
    TWO,
    cable,
    changed,
    device,
    found,
    joined,
    plain,
    port,
    remarks,
    ring,
    said,
    seats,
    spark,
    sparks,
    switch,
)


@pytest.mark.parametrize("name", situations.ALL)
def test_situations(name: str) -> None:
    """What was captured of machines is recognised as what it is."""
    its = topology(situations.probed(name), {})
    kinds = {
        "switch": "switch",
        "eight": "switch",
        "ring": "ring",
        "no-address": "undecided",
        "pc": "alone",
        "vm": "alone",
    }

    assert kinds.get(name, "direct") == its.kind
    if name in situations.HEALTHY:
        nodes = situations.cluster(name).nodes
        assert [f"{n.host_ip} {n.eth_if} {','.join(n.ib_if)}" for n in nodes] == [
            said(seat).replace("/24", "") for seat in its.seats.values()
        ]


@pytest.mark.parametrize(
    "count, kind", [(2, "direct"), (3, "switch"), (4, "switch"), (8, "switch")]
)
def test_switch(count: int, kind: str) -> None:
    """Two to eight hosts at one switch have one network; two may as well share a cable."""
    hosts = sparks(count)
    its = found(hosts, switch(hosts, *ONE))

    assert (kind, []) == (its.kind, remarks(its))
    assert [
        f"192.168.177.{10 + n}/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0" for n in range(1, count + 1)
    ] == seats(its)


def test_crossed_cable() -> None:
    """A cable may be in another port of each."""
    hosts = {"spark1": spark(**port(11)), "spark2": spark(**port(12, TWO))}
    its = found(hosts, cable(*PAIR, ONE, TWO))

    assert [
        "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0",
        "192.168.177.12/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1",
    ] == seats(its)
    assert [] == remarks(its)


def test_one_direction() -> None:
    """A host that answers no pings is reached all the same if it reaches the other."""
    hosts = joined(sparks(2), switch(PAIR, *ONE))
    hosts["spark1"] = sparks(2)["spark1"]

    assert "direct" == topology(hosts, {}).kind


def test_two_cables() -> None:
    """The second cable adds nothing; a file that has chosen it is right as well."""
    hosts = {name: spark(**port(n, ONE), **port(n, TWO, 187)) for n, name in enumerate(PAIR, 11)}
    cables = switch(PAIR, *ONE, *TWO)
    first = found(hosts, cables)
    addresses = {name: seat.spot.address.ip for name, seat in first.seats.items()}
    chosen = {name: address + 10 * 256 for name, address in addresses.items()}
    second = topology(joined(hosts, cables), chosen)

    assert [
        "spark1: enp1s0f1np1 reaches spark2 as well: a second cable adds nothing; left out",
        "spark2: enp1s0f1np1 reaches spark1 as well: a second cable adds nothing; left out",
    ] == remarks(first)
    assert ["192.168.187.11/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1"] == seats(second)[:1]


def test_cable_to_something_else() -> None:
    """A port that leads to a NAS is left out, though it is up like the other."""
    hosts = sparks(2, TWO)
    hosts["spark1"] = spark(**port(11, TWO), enp1s0f0np0="10.9.0.1/24")
    its = found(hosts, switch(PAIR, *TWO))

    assert ["192.168.177.11/24 enp1s0f1np1 rocep1s0f1,roceP2p1s0f1"] == seats(its)[:1]
    assert [
        "spark1: enp1s0f0np0 has a cable, and none of these hosts answers there; left out"
    ] == remarks(its)


def test_one_network_for_both_twins() -> None:
    """The address is that of the twin which the kernel takes, and the other should get another."""
    hosts = {
        name: spark(enp1s0f0np0=f"10.1.0.{n + 100}/16", enP2p1s0f0np0=f"10.1.0.{n}/16")
        for n, name in enumerate(PAIR, 11)
    }
    answers = joined(hosts, [[(name, one) for name in PAIR for one in ONE]])
    taken = {name: _by(facts, "enP2p1s0f0np0") for name, facts in answers.items()}
    its = topology(taken, {})

    assert "10.1.0.11/16 enP2p1s0f0np0 rocep1s0f0,roceP2p1s0f0" == seats(its)[0]
    assert (
        "spark1: enp1s0f0np0 and enP2p1s0f0np0 are both in 10.1.0.0/16: the kernel sends all by one"
        " of them (add these lines to /etc/netplan/40-cx7.yaml there, then `sudo netplan apply`)\n"
        "    network:\n      version: 2\n      ethernets:\n        enP2p1s0f0np0:\n"
        "          addresses: [192.168.177.111/24]"
    ) == remarks(its)[0]


def _by(facts: Facts, device: str) -> Facts:
    """Return a machine whose kernel takes one interface for all."""
    ways = tuple(replace(way, device=device) for way in facts.reach.ways)
    return replace(facts, reach=replace(facts.reach, ways=ways))


def test_twin_without_address() -> None:
    """A twin without an address is used, with a warning; one that is dead is not, with another."""
    hosts = sparks(3)
    hosts["spark1"] = spark(enp1s0f0np0="192.168.177.11/24", enP2p1s0f0np0="")
    hosts["spark2"] = spark(enp1s0f0np0="192.168.177.12/24", enP2p1s0f0np0="169.254.7.7/16")
    hosts["spark3"] = device(hosts["spark3"], "roceP2p1s0f0", state="DOWN")
    its = found(hosts, switch(hosts, *ONE))
    remedy = "(add these lines to /etc/netplan/40-cx7.yaml there, then `sudo netplan apply`)"
    text = "    network:\n      version: 2\n      ethernets:\n        enP2p1s0f0np0:\n"

    assert "192.168.177.13/24 enp1s0f0np0 rocep1s0f0" == seats(its)[2]
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
            "spark3: roceP2p1s0f0 is DOWN: half of enp1s0f0np0's bandwidth is missing"
            " (take the cable out and in; look at `ibdev2netdev` there)"
        ),
    ] == remarks(its)


def test_all_devices_dead() -> None:
    """Of a port without a living device all are named: the doctor knows why they are dead."""
    hosts = sparks(2)
    for name in ("rocep1s0f0", "roceP2p1s0f0"):
        hosts["spark1"] = device(hosts["spark1"], name, state="")

    assert (
        "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0"
        == seats(found(hosts, switch(hosts, *ONE)))[0]
    )


def test_ring() -> None:
    """In a ring the address is that of the office's network, and the devices are all four."""
    its = found(*ring(("a", "b", "c")))
    devices = "rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1"

    assert ("ring", []) == (its.kind, remarks(its))
    assert [f"10.0.0.{n}/24 enP7s7 {devices}" for n in (1, 2, 3)] == seats(its)


def test_larger_ring() -> None:
    """A ring of four is one, and worth a warning."""
    its = found(*ring(("a", "b", "c", "d")))

    assert "ring" == its.kind
    assert [
        (
            "a, b, c, d: a ring of 4: not every node reaches every other on a port"
            " (a switch joins more than three)"
        )
    ] == remarks(its)


def test_ring_with_wrong_cables() -> None:
    """A ring in which a cable joins the same port of both is worth a warning for that cable."""
    hosts = {
        "a": spark(enP7s7="10.0.0.1/24", **port(1, ONE, 10), **port(1, TWO, 20)),
        "b": spark(enP7s7="10.0.0.2/24", **port(2, ONE, 10), **port(2, TWO, 30)),
        "c": spark(enP7s7="10.0.0.3/24", **port(3, ONE, 20), **port(3, TWO, 30)),
    }
    cables = [
        *switch(hosts, "enP7s7"),
        *cable("a", "b", ONE, ONE),
        *cable("a", "c", TWO, ONE),
        *cable("b", "c", TWO, TWO),
    ]
    remedy = "(join port 0 of each node with port 1 of the next)"

    assert [
        f"a, b: the cable joins the same port of both, enp1s0f0np0 and enp1s0f0np0 {remedy}",
        f"b, c: the cable joins the same port of both, enp1s0f1np1 and enp1s0f1np1 {remedy}",
    ] == remarks(found(hosts, cables))


def test_sockets() -> None:
    """Without any RDMA the fastest network that joins all is taken; a file may know better."""
    hosts = {
        name: changed(plain(eth0=f"10.0.0.{n}/24", eth1=f"10.1.0.{n}/24"), "eth1", speed=10_000)
        for n, name in enumerate(PAIR, 1)
    }
    answers = joined(hosts, switch(hosts, "eth0", "eth1"))
    its = topology(answers, {})
    first = its.seats["spark1"].spot.address.ip
    other = topology(answers, {"spark1": first - (1 << 16)})

    assert ("sockets", ["10.1.0.1/24 eth1", "10.1.0.2/24 eth1"]) == (its.kind, seats(its))
    assert [
        (
            "spark1, spark2: no RDMA device: sockets only, several times slower"
            " (on a Spark: `sudo modprobe mlx5_ib` there)"
        ),
        (
            "spark1: eth0 joins them as well; left out"
            " (write HOST_IP=10.0.0.1 if that is the faster one, and probe again)"
        ),
    ] == remarks(its)
    assert ["10.0.0.1/24 eth0", "10.0.0.2/24 eth0"] == seats(other)


def test_one_network_for_sockets() -> None:
    """Where there is one network, there is no other to speak of."""
    hosts = {name: plain(eth0=f"10.0.0.{n}/24") for n, name in enumerate(PAIR, 1)}

    assert 1 == len(found(hosts, switch(hosts, "eth0")).warnings)


@pytest.mark.parametrize(
    "facts, seat, remark",
    [
        (
            spark(**port(11), enP7s7="10.0.0.1/24"),
            "192.168.177.11/24 enp1s0f0np0 rocep1s0f0,roceP2p1s0f0",
            "",
        ),
        (plain(eth0="10.0.0.1/24"), "10.0.0.1/24 eth0", ""),
        (spark(), "", "no interface has an IPv4 address and a cable (connect it)"),
        (
            spark(**port(11), **port(12, TWO)),
            "",
            "enp1s0f0np0 and enp1s0f1np1 have a cable (name the hosts at their other ends as well)",
        ),
    ],
)
def test_alone(facts: Facts, seat: str, remark: str) -> None:
    """Of a single host its one cable is believed, two are a question."""
    its = found({"spark1": facts}, ())
    only = (
        "the only host that was asked: where its cables lead is not known (name the others as well)"
    )

    assert [seat] * bool(seat) == seats(its)
    assert [f"spark1: {remark or only}"] == remarks(its)
