"""What nodes are asked about each other."""

from dataclasses import replace
from ipaddress import IPv4Address

from cluster.checks.doctor import request
from cluster.facts.facts import BLOCKING, FactsRequest
from tests.clusters import HEAD, REHEARSAL, SPARKS, WORKER, extra_worker

ONE, TWO, THREE = (IPv4Address(f"192.168.177.{number}") for number in (11, 12, 13))
TRIO = replace(SPARKS, nodes=(HEAD, WORKER, extra_worker()), image="mine:1", container="box")


def test_of_a_worker() -> None:
    """A worker is asked about the head's port of Ray, and about those of the other workers."""
    expected = FactsRequest(
        image="mine:1",
        container="box",
        hf_cache="~/.cache/huggingface",
        pings=((WORKER.eth_if, ONE), (WORKER.eth_if, THREE)),
        ports=((ONE, 6379), (THREE, 10002)),
        routes_to=(ONE, THREE),
    )

    assert expected == request(TRIO, WORKER)


def test_of_the_head() -> None:
    """The head is asked about all workers; the fast form asks for fewer parts."""
    expected = FactsRequest(
        image="mine:1",
        container="box",
        hf_cache="/models",
        pings=((HEAD.eth_if, TWO), (HEAD.eth_if, THREE)),
        ports=((TWO, 10002), (THREE, 10002)),
        routes_to=(TWO, THREE),
        parts=BLOCKING,
    )

    assert expected == request(replace(TRIO, hf_cache="/models"), HEAD, fast=True)


def test_among_some() -> None:
    """Only nodes that are asked themselves are asked about."""
    expected = replace(
        request(TRIO, WORKER), pings=((WORKER.eth_if, ONE),), ports=((ONE, 6379),), routes_to=(ONE,)
    )

    assert expected == request(TRIO, WORKER, among=(HEAD, WORKER))


def test_alone() -> None:
    """A cluster of one node has no other node to reach."""
    result = request(replace(SPARKS, nodes=(HEAD,)), HEAD)

    assert ((), (), ()) == (result.pings, result.ports, result.routes_to)


def test_of_a_namespace() -> None:
    """A namespace of this machine has neither an image nor a container."""
    result = request(REHEARSAL, REHEARSAL.head)

    assert ("", "") == (result.image, result.container)
