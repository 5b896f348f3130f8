"""What cannot be decided about cables, and what would decide it: the exact sentences."""

from dataclasses import replace

from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from cluster.facts.reach import Ping
from tests.cabling import (
    ONE,
    PAIR,
    TWO,
    cable,
    found,
    joined,
    plain,
    port,
    remarks,
    ring,
    spark,
    sparks,
    switch,
)

WRITE = "put these lines into /etc/netplan/40-cx7.yaml there, mode 600, then `sudo netplan apply`"
HEAD = "    network:\n      version: 2\n      ethernets:\n"


def questions(hosts: dict[str, Facts], cables: list[list[tuple[str, str]]]) -> list[str]:
    """Return the questions of hosts for whom nothing is decided."""
    its = found(hosts, cables)

    assert ("undecided", {}, ()) == (its.kind, its.seats, its.warnings)
    return remarks(its)


def netplan(*lines: tuple[str, str]) -> str:
    """Return the lines of a file with addresses."""
    its = (f"        {name}:\n          addresses: [{address}]" for name, address in lines)
    return HEAD + "\n".join(its)


def test_no_addresses() -> None:
    """Who has a cable and no address gets addresses for both twins, in two networks."""
    hosts = {name: spark(**dict.fromkeys(TWO, "")) for name in PAIR}

    assert [
        f"spark{n}: enp1s0f1np1 with a cable, and no IPv4 address ({WRITE})\n"
        + netplan(
            ("enp1s0f1np1", f"192.168.177.1{n}/24"), ("enP2p1s0f1np1", f"192.168.178.1{n}/24")
        )
        for n in (1, 2)
    ] == questions(hosts, cable(*PAIR, TWO, TWO))


def test_one_without_addresses() -> None:
    """The one that lacks addresses gets them in the networks of the others, with a free number."""
    hosts = {
        "spark1": spark(enp1s0f0np0="10.5.0.1/30", enP2p1s0f0np0="10.6.0.1/24"),
        "spark2": spark(**dict.fromkeys(ONE, ""), wlP9s9="10.6.0.11/24"),
    }

    assert [
        f"spark2: enp1s0f0np0 with a cable, and no IPv4 address ({WRITE})\n"
        + netplan(("enp1s0f0np0", "10.5.0.2/30"), ("enP2p1s0f0np0", "10.6.0.2/24"))
    ] == [
        one.replace("10.6.0.12/24", "10.6.0.2/24")
        for one in questions(hosts, cable(*PAIR, ONE, ONE))
    ]


def test_no_room() -> None:
    """In a network without a free address there is none to give."""
    hosts = {
        "spark1": spark(enp1s0f0np0="10.5.0.1/30 10.5.0.2/30"),
        "spark2": spark(enp1s0f0np0=""),
    }

    assert [
        f"spark2: enp1s0f0np0 with a cable, and no IPv4 address ({WRITE})\n"
        + netplan(("enP2p1s0f0np0", "192.168.177.12/24"))
    ] == questions(hosts, cable(*PAIR, ONE, ONE))


def test_link_local() -> None:
    """Addresses that a machine gives itself show the way, and are none to write down."""
    hosts = {
        name: spark(
            enp1s0f0np0="", enp1s0f1np1=f"169.254.1.{n}/16", enP2p1s0f1np1=f"169.254.2.{n}/16"
        )
        for n, name in enumerate(PAIR, 1)
    }

    assert [
        f"spark{n}: enp1s0f0np0, enp1s0f1np1 with a cable, and only link-local addresses, which"
        f" change (the one that leads to the others: {WRITE})\n"
        + netplan(
            ("enp1s0f1np1", f"192.168.177.1{n}/24"), ("enP2p1s0f1np1", f"192.168.178.1{n}/24")
        )
        for n in (1, 2)
    ] == questions(hosts, switch(PAIR, *TWO))


def test_no_cable_no_card() -> None:
    """Each host that no other could reach says why."""
    hosts = {"spark1": spark(**port(11)), "spark2": spark(), "pc": plain(eth0="10.0.0.1/24")}

    assert [
        (
            "spark2: no cable in enp1s0f0np0, enp1s0f1np1, or nothing at its other end"
            " (look at the cable, and at `ibdev2netdev` there)"
        ),
        "pc: has no RDMA device, and spark1 has (`sudo modprobe mlx5_ib` there, or leave it out)",
    ] == questions(hosts, [])


def test_two_fabrics() -> None:
    """Two pairs are no cluster."""
    hosts = sparks(4)
    names = tuple(hosts)

    assert [
        (
            "spark1, spark2, spark3, spark4: no port of one leads to another: spark1, spark3;"
            " spark2, spark4 (join them by a switch, or probe each group for a cluster of its own)"
        )
    ] == questions(hosts, switch(names[::2], *ONE) + switch(names[1::2], *ONE))


def test_chain() -> None:
    """Three in a row lack a cable; of many pairs a few are named."""
    hosts, cables = ring(("a", "b", "c"))
    remedy = "(join all by one switch, or three in a ring; a firewall that drops pings looks alike)"
    many, longer = ring(tuple("abcdefgh"))

    assert [f"a, b, c: not all are joined: no port answers between a and c {remedy}"] == questions(
        hosts, cables[:-2]
    )
    assert [
        (
            "a, b, c, d, e, f, g, h: not all are joined: no port answers between"
            f" a and c, a and d, a and e, a and f, a and g, a and h, and 15 more {remedy}"
        )
    ] == questions(many, longer[:-2])


def test_neither_ring_nor_switch() -> None:
    """Three of which every two are joined, but one by the same port to both, are no ring."""
    hosts = {
        "a": spark(**port(1)),
        "b": spark(**port(2), **port(2, TWO, 10)),
        "c": spark(**port(3), **port(3, TWO, 10)),
    }
    cables = [
        *cable("a", "b", ONE, ONE),
        *cable("a", "c", ONE, ONE),
        *cable("b", "c", TWO, TWO),
    ]

    assert [
        (
            "a, b, c: not all are joined"
            " (join all by one switch, or three in a ring; a firewall that drops pings looks alike)"
        )
    ] == questions(hosts, cables)


def test_two_rings() -> None:
    """Two triangles are no ring."""
    one, cables = ring(("a", "b", "c"))
    other, more = ring(("d", "e", "f"))

    assert [
        (
            "a, b, c, d, e, f: no port of one leads to another: a, b, c; d, e, f"
            " (join them by a switch, or probe each group for a cluster of its own)"
        )
    ] == questions(one | other, cables + more)


def test_ring_alone() -> None:
    """A ring without another network lacks one that all share."""
    hosts, cables = ring(("a", "b", "c"))

    assert [
        (
            "a, b, c: a ring, and no other network that all of them share"
            " (Ray needs one: connect the RJ45 port of each)"
        )
    ] == questions(hosts, cables[1:])


def test_no_network() -> None:
    """Hosts without RDMA and without a common network."""
    hosts = {name: plain(eth0=f"10.0.0.{n}/24") for n, name in enumerate(PAIR, 1)}

    assert [
        (
            "spark1, spark2: no network in which all of them answer"
            " (connect them, and let them answer pings)"
        )
    ] == questions(hosts, [])


def test_no_ping() -> None:
    """Who has no `ping` is told so, and nothing that only follows from it."""
    answers = joined(sparks(2), [])
    pings: tuple[Ping, ...] = answers["spark2"].reach.pings
    mute = tuple(replace(one, said="ping: not found") for one in pings)
    answers["spark2"] = replace(
        answers["spark2"], reach=replace(answers["spark2"].reach, pings=mute)
    )

    assert ["spark2: has no `ping` (`sudo apt-get install iputils-ping` there)"] == remarks(
        topology(answers, {})
    )


def test_same_address() -> None:
    """An address that two hosts have tells nothing of who answered."""
    hosts = {name: spark(**port(11)) for name in PAIR}

    assert [
        f"spark1, spark2: both have {address} (give one of them another)"
        for address in ("192.168.177.11", "192.168.178.11")
    ] == questions(hosts, switch(PAIR, *ONE))
