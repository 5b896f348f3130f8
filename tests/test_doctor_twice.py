"""Whose address is on whose machine: the exact sentences, and whom other checks leave alone."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.checks.addresses import mixed_up, sound
from cluster.checks.check import Patient
from cluster.checks.twice import TWICE
from tests.clusters import REHEARSAL, SPARKS, third
from tests.patients import at, findings, interface, pair, patient, settings, told

SPARK, OTHER = pair()
LINK, WORKERS = "enp1s0f1np1", "enp1s0f0np0"
ELSEWHERE = "192.168.177.11, HOST_IP of spark1, is on enp1s0f0np0 of spark2"
ADD = "`ssh -t spark1 sudo ip address add 192.168.177.11/24 dev enp1s0f1np1`"
GIVE_BACK = "`ssh -t spark2 sudo ip address del 192.168.177.11/24 dev enp1s0f0np0`"
ADD_OWN = "`ssh -t spark2 sudo ip address add 192.168.177.12/24 dev enp1s0f0np0`"
KEEP = "and netplan to keep it so"
HELD = (
    "[twice] spark1, spark2: HOST_IPs are swapped: the machine at SSH_HOST spark1 has"
    " 192.168.177.12, and the one at spark2 has 192.168.177.11"
)


def exchanged() -> tuple[Patient, ...]:
    """Return two nodes, each of which has the machine of the other."""
    return told(SPARK, **vars(OTHER.facts)), told(OTHER, **vars(SPARK.facts))


def readdressed() -> tuple[Patient, ...]:
    """Return two nodes whose files have each other's address."""
    return (
        interface(SPARK, LINK, addresses=at("192.168.177.12")),
        interface(OTHER, WORKERS, addresses=at("192.168.177.11")),
    )


@pytest.mark.parametrize(
    "patients",
    [
        pytest.param((), id="nobody"),
        pytest.param((SPARK,), id="one"),
        pytest.param((SPARK, OTHER), id="two"),
        pytest.param(
            (interface(SPARK, LINK, addresses=()), OTHER), id="an address that nobody has"
        ),
        pytest.param(
            tuple(replace(its, cluster=REHEARSAL) for its in readdressed()), id="namespaces"
        ),
    ],
)
def test_nothing_to_say(patients: tuple[Patient, ...]) -> None:
    """Addresses that are on no machine of another node are not what this is about."""
    assert ([], frozenset()) == (findings(TWICE, *patients), mixed_up(patients))


@pytest.mark.parametrize(
    "patients, sentence",
    [
        pytest.param(
            readdressed(),
            f"{HELD} (write HOST_IP=192.168.177.12 in env/spark1.env, HOST_IP=192.168.177.11"
            " in env/spark2.env)",
            id="addresses swapped",
        ),
        pytest.param(
            exchanged(),
            f"{HELD} (write SSH_HOST=spark2 in env/spark1.env, SSH_HOST=spark1 in env/spark2.env)",
            id="machines swapped",
        ),
        pytest.param(
            (SPARK, interface(OTHER, WORKERS, addresses=at("192.168.177.11", "192.168.177.12"))),
            f"[twice] spark1, spark2: {ELSEWHERE} as well ({GIVE_BACK}, {KEEP})",
            id="one address twice",
        ),
        pytest.param(
            (SPARK, interface(OTHER, WORKERS, addresses=at("192.168.177.11"))),
            f"[twice] spark1, spark2: {ELSEWHERE} as well ({GIVE_BACK}, {ADD_OWN}, {KEEP})",
            id="one file on both",
        ),
        pytest.param(
            (
                interface(SPARK, LINK, addresses=()),
                interface(OTHER, WORKERS, addresses=at("192.168.177.11", "192.168.177.12")),
            ),
            f"[twice] spark1, spark2: {ELSEWHERE} instead ({ADD}, {GIVE_BACK}, {KEEP})",
            id="only on the other",
        ),
        pytest.param(
            (SPARK, told(OTHER, **vars(SPARK.facts))),
            "[twice] spark1, spark2: SSH_HOST spark1 and spark2 are one machine, spark1"
            " (write spark2's own SSH_HOST in env/spark2.env)",
            id="one machine, the first's",
        ),
        pytest.param(
            (told(SPARK, **vars(OTHER.facts)), OTHER),
            "[twice] spark1, spark2: SSH_HOST spark1 and spark2 are one machine, spark2"
            " (write spark1's own SSH_HOST in env/spark1.env)",
            id="one machine, the second's",
        ),
    ],
)
def test_mixed_up(patients: tuple[Patient, ...], sentence: str) -> None:
    """Each mix-up is one thing, and no other check is to speak of these nodes' addresses."""
    assert [sentence] == findings(TWICE, *patients)
    assert frozenset({"spark1", "spark2"}) == mixed_up(patients)
    assert () == sound(patients)


def test_a_mixup_of_two_of_three() -> None:
    """Who has nothing to do with it is left out, and may be judged by others."""
    lab = replace(SPARKS, nodes=(*SPARKS.nodes, third()))
    one, two, three = (patient(node.name, lab) for node in lab.nodes)
    both = interface(three, WORKERS, addresses=at("192.168.177.12", "192.168.177.13"))

    assert [
        (
            "[twice] spark2, spark3: 192.168.177.12, HOST_IP of spark2, is on enp1s0f0np0 of spark3"
            " as well (`ssh -t spark3 sudo ip address del 192.168.177.12/24 dev enp1s0f0np0`,"
            f" {KEEP})"
        )
    ] == findings(TWICE, one, two, both)
    assert (one,) == sound((one, two, both))


def test_another_network() -> None:
    """An address that a machine gets has the cluster's network."""
    its = settings(SPARK, host_ip=IPv4Address("192.168.178.12"))

    assert [
        (
            "[twice] spark1, spark2: 192.168.178.12, HOST_IP of spark1, is on enP2p1s0f0np0 of"
            " spark2"
            " instead (`ssh -t spark1 sudo ip address add 192.168.178.12/24 dev enp1s0f1np1`,"
            " `ssh -t spark2 sudo ip address del 192.168.178.12/24 dev enP2p1s0f0np0`,"
            f" {KEEP})"
        )
    ] == findings(TWICE, its, OTHER)
