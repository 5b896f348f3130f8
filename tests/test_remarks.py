"""Questions about cables and addresses that keep a topology undecided."""

from dataclasses import replace

from cluster.discovery.topology import topology
from cluster.facts.facts import Facts
from cluster.facts.reach import Ping
from tests.cabling import (
    ONE,
    PAIR,
    TWO,
    cable,
    cabled,
    connected,
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


def questions(machines: dict[str, Facts], cables: list[list[tuple[str, str]]]) -> list[str]:
    """Return the questions of an undecided topology."""
    result = cabled(machines, cables)

    assert ("undecided", {}, ()) == (result.kind, result.attachments, result.warnings)
    return remarks(result)


def netplan(*lines: tuple[str, str]) -> str:
    """Return the lines of a netplan file with addresses."""
    rows = (f"        {name}:\n          addresses: [{address}]" for name, address in lines)
    return HEAD + "\n".join(rows)


def test_no_addresses() -> None:
    """A port with a link and no address gets addresses for both twins, in two networks."""
    machines = {name: spark(**dict.fromkeys(TWO, "")) for name in PAIR}

    assert [
        f"spark{n}: enp1s0f1np1 has a link, but no IPv4 address ({WRITE})\n"
        + netplan(
            ("enp1s0f1np1", f"192.168.177.1{n}/24"), ("enP2p1s0f1np1", f"192.168.178.1{n}/24")
        )
        for n in (1, 2)
    ] == questions(machines, cable(*PAIR, TWO, TWO))


def test_one_without_addresses() -> None:
    """A machine without addresses gets free ones in the networks of the other machines."""
    machines = {
        "spark1": spark(enp1s0f0np0="10.5.0.1/30", enP2p1s0f0np0="10.6.0.1/24"),
        "spark2": spark(**dict.fromkeys(ONE, ""), wlP9s9="10.6.0.11/24"),
    }

    assert [
        f"spark2: enp1s0f0np0 has a link, but no IPv4 address ({WRITE})\n"
        + netplan(("enp1s0f0np0", "10.5.0.2/30"), ("enP2p1s0f0np0", "10.6.0.2/24"))
    ] == [
        question.replace("10.6.0.12/24", "10.6.0.2/24")
        for question in questions(machines, cable(*PAIR, ONE, ONE))
    ]


def test_no_room() -> None:
    """A full network gives no address."""
    machines = {
        "spark1": spark(enp1s0f0np0="10.5.0.1/30 10.5.0.2/30"),
        "spark2": spark(enp1s0f0np0=""),
    }

    assert [
        f"spark2: enp1s0f0np0 has a link, but no IPv4 address ({WRITE})\n"
        + netplan(("enP2p1s0f0np0", "192.168.177.12/24"))
    ] == questions(machines, cable(*PAIR, ONE, ONE))


def test_link_local() -> None:
    """Link-local addresses show which port is connected, and are not written."""
    machines = {
        name: spark(
            enp1s0f0np0="", enp1s0f1np1=f"169.254.1.{n}/16", enP2p1s0f1np1=f"169.254.2.{n}/16"
        )
        for n, name in enumerate(PAIR, 1)
    }

    assert [
        f"spark{n}: enp1s0f0np0, enp1s0f1np1 have a link, but only link-local addresses, which"
        f" change (for the port that leads to the other machines: {WRITE})\n"
        + netplan(
            ("enp1s0f1np1", f"192.168.177.1{n}/24"), ("enP2p1s0f1np1", f"192.168.178.1{n}/24")
        )
        for n in (1, 2)
    ] == questions(machines, switch(PAIR, *TWO))


def test_no_link_no_device() -> None:
    """Each machine that no machine reaches has a question with the reason."""
    machines = {"spark1": spark(**port(11)), "spark2": spark(), "pc": plain(eth0="10.0.0.1/24")}

    assert [
        (
            "spark2: no link on enp1s0f0np0, enp1s0f1np1"
            " (check the cable and both its ends; `ibdev2netdev` there shows the ports)"
        ),
        (
            "pc: has no RDMA device, but spark1 has"
            " (try `sudo modprobe mlx5_ib` there, or leave it out)"
        ),
    ] == questions(machines, [])


def test_two_fabrics() -> None:
    """Two separate pairs are no cluster."""
    machines = sparks(4)
    names = tuple(machines)

    assert [
        (
            "spark1, spark2, spark3, spark4: no link between these groups: spark1, spark3;"
            " spark2, spark4 (connect them by a switch, or probe each group as its own cluster)"
        )
    ] == questions(machines, switch(names[::2], *ONE) + switch(names[1::2], *ONE))


def test_chain() -> None:
    """Three machines in a row lack a cable; a question lists at most six pairs."""
    machines, cables = ring(("a", "b", "c"))
    remedy = "(use one switch for all, or a ring of three; a firewall that drops pings looks alike)"
    eight, longer = ring(tuple("abcdefgh"))

    assert [
        f"a, b, c: not all machines are connected: no port answers between a and c {remedy}"
    ] == questions(machines, cables[:-2])
    assert [
        (
            "a, b, c, d, e, f, g, h: not all machines are connected: no port answers between"
            f" a and c, a and d, a and e, a and f, a and g, a and h, and 15 more {remedy}"
        )
    ] == questions(eight, longer[:-2])


def test_neither_ring_nor_switch() -> None:
    """Three connected pairs are no ring if a machine uses one port for both neighbours."""
    machines = {
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
            "a, b, c: not all machines are connected"
            " (use one switch for all, or a ring of three; a firewall that drops pings looks alike)"
        )
    ] == questions(machines, cables)


def test_two_rings() -> None:
    """Two rings of three are no ring of six."""
    first, cables = ring(("a", "b", "c"))
    second, second_cables = ring(("d", "e", "f"))

    assert [
        (
            "a, b, c, d, e, f: no link between these groups: a, b, c; d, e, f"
            " (connect them by a switch, or probe each group as its own cluster)"
        )
    ] == questions(first | second, cables + second_cables)


def test_ring_alone() -> None:
    """A ring needs an additional network that all machines share."""
    machines, cables = ring(("a", "b", "c"))

    assert [
        (
            "a, b, c: a ring without a network that all machines share"
            " (Ray needs one: connect the RJ45 port of each machine)"
        )
    ] == questions(machines, cables[1:])


def test_no_network() -> None:
    """Machines without RDMA need a common network."""
    machines = {name: plain(eth0=f"10.0.0.{n}/24") for n, name in enumerate(PAIR, 1)}

    assert [
        ("spark1, spark2: no network in which all machines answer (connect them, and allow pings)")
    ] == questions(machines, [])


def test_no_ping() -> None:
    """A machine without `ping` has this question alone, and none that follows from it."""
    answers = connected(sparks(2), [])
    pings: tuple[Ping, ...] = answers["spark2"].reach.pings
    mute = tuple(replace(ping, message="ping: not found") for ping in pings)
    answers["spark2"] = replace(
        answers["spark2"], reach=replace(answers["spark2"].reach, pings=mute)
    )

    assert ["spark2: has no `ping` (`sudo apt-get install iputils-ping` there)"] == remarks(
        topology(answers, {})
    )


def test_same_address() -> None:
    """An address that two machines share is a question: either may have answered."""
    machines = {name: spark(**port(11)) for name in PAIR}

    assert [
        f"spark1, spark2: both have the address {address} (change one of them)"
        for address in ("192.168.177.11", "192.168.178.11")
    ] == questions(machines, switch(PAIR, *ONE))
