"""The interfaces that can carry a cluster, and the pings between machines."""

from ipaddress import IPv4Address

from cluster.discovery import wiring
from cluster.facts.facts import FactsRequest
from cluster.facts.reach import REACH
from tests.cabling import changed, plain, spark, sparks


def test_interfaces_without_rdma() -> None:
    """Physical interfaces come first, the fastest of them; Docker's and tunnels are left out."""
    facts = plain(
        wlP9s9="192.168.1.20/24",
        enP7s7="192.168.1.21/24",
        docker0="172.17.0.1/16",
        tailscale0="100.64.0.1/32",
        bond0="10.0.0.1/24",
        eth7="",
        eth8="10.1.0.1/24",
        eth9="10.2.0.1/24",
    )
    facts = changed(facts, "enP7s7", speed=10_000)
    facts = changed(facts, "tailscale0", kind="tun")
    facts = changed(facts, "bond0", kind="bond", speed=20_000)
    facts = changed(facts, "eth8", carrier=False)
    facts = changed(facts, "eth9", enabled=False)
    usable = wiring.interfaces_without_rdma(facts)

    assert ["enP7s7", "wlP9s9", "bond0"] == [link.name for link in usable]


def test_interfaces_with_rdma() -> None:
    """An interface with an RDMA device is not among those without."""
    facts = spark(enp1s0f0np0="192.168.177.11/24", enP7s7="10.0.0.1/24")

    assert ["enP7s7"] == [link.name for link in wiring.interfaces_without_rdma(facts)]


def test_requests() -> None:
    """A machine pings the addresses of all other machines in its own networks."""
    first, second = IPv4Address("192.168.177.12"), IPv4Address("192.168.178.12")
    expected = FactsRequest(
        parts=(REACH,),
        pings=(("enp1s0f0np0", first), ("enP2p1s0f0np0", second)),
        routes_to=(first, second),
    )

    assert expected == wiring.requests(sparks(2))["spark1"]
