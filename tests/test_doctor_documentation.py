"""What the page on the doctor shows as printed, and that healthy Sparks have nothing to hear."""

from dataclasses import replace
from ipaddress import IPv4Address

from cluster.doctor import pages
from cluster.doctor.diagnosis import diagnosis
from cluster.facts.facts import Facts
from tests.clusters import ROOT, SPARKS
from tests.pages import blocks
from tests.patients import PORTS, spark

HEALTHY: dict[str, Facts] = {
    node.name: spark(node.name, node.host_ip, PORTS[node.name]) for node in SPARKS.nodes
}


def other_port() -> Facts:
    """Return what the second Spark says when its cable is in the other port, and its clock ahead.

    Its address is where netplan has put it, on the port that the settings name.
    """
    one = HEALTHY["spark2"]
    live = spark("spark2", IPv4Address("192.168.177.12"), 1 - PORTS["spark2"])
    addresses = {its.name: its.addresses for its in one.links.interfaces}
    interfaces = tuple(replace(its, addresses=addresses[its.name]) for its in live.links.interfaces)
    return replace(live, links=replace(one.links, interfaces=interfaces), lead=74.0)


def test_healthy() -> None:
    """Two Sparks as they should be block nothing, slow nothing, and are worth no note."""
    found = diagnosis(SPARKS, HEALTHY)

    assert [] == [(its.check.name, str(its.problem)) for its in found.findings]


def test_example() -> None:
    """The example of the page is what two Sparks get that are like that."""
    found = diagnosis(SPARKS, {**HEALTHY, "spark2": other_port()})
    (shown,) = (its.text for its in blocks(ROOT / "docs/doctor.md") if its.word == "doctor")

    assert shown == pages.text(found)
