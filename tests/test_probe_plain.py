"""Interfaces that may serve without RDMA."""

from cluster.discovery.plain import plain as likely
from tests.cabling import changed, plain, spark


def test_plain() -> None:
    """What may serve without RDMA: real ones, the fastest first; none of Docker, no tunnels."""
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

    assert ["enP7s7", "wlP9s9", "bond0"] == [one.name for one in likely(facts)]


def test_fast_is_not_plain() -> None:
    """An interface with an RDMA device is no plain one."""
    facts = spark(enp1s0f0np0="192.168.177.11/24", enP7s7="10.0.0.1/24")

    assert ["enP7s7"] == [one.name for one in likely(facts)]
