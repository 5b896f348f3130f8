"""`inv nccl` and the doctor on a cluster in containers that is up, and what its logs tell later."""

import json
from collections.abc import Iterator

import pytest

from tests.live.lan import CONTAINER, Site

pytestmark = [pytest.mark.live, pytest.mark.containers]

BUFFER = 8 << 20


@pytest.fixture(scope="module", autouse=True)
def up(site: Site) -> Iterator[None]:
    """A cluster that is up."""
    site.inv("down")
    said = site.inv("up")
    assert said.code == 0, said.err
    yield
    site.inv("down")


def test_bandwidth(site: Site) -> None:
    """Both ranks measure over the link, and what comes out of it is right."""
    before = [host.interface_bytes() for host in site.lan.hosts]
    said = site.inv("nccl", "--largest", "8m", "--json")
    after = [host.interface_bytes() for host in site.lan.hosts]
    assert said.code == 0, said.err
    found = json.loads(said.out)
    moved = [sum(now) - sum(then) for then, now in zip(before, after, strict=True)]

    assert ["spark1", "spark2"] == [rank["node"] for rank in found["ranks"]]
    assert {"gloo"} == {rank["backend"] for rank in found["ranks"]}
    assert {"all_reduce", "all_gather"} == {its["operation"] for its in found["measurements"]}
    assert all(its["bus"] > 0 for its in found["measurements"])
    assert min(moved) > 10 * BUFFER


def test_doctor_while_it_runs(site: Site) -> None:
    """What the cluster itself uses, a port or memory, is no fault of its nodes."""
    said = site.inv("doctor")

    assert (0, "") == (said.code, said.err.partition("default: Ask all nodes")[0])


def test_nodes_that_run_are_not_examined_again(site: Site) -> None:
    """`up` on a cluster that is up asks no machine anything."""
    said = site.inv("up")

    assert said.code == 0
    assert "Check that" not in said.err.replace("Check that no other container", "")


def test_what_was_killed_is_explained(site: Site) -> None:
    """A node that is well has nothing to explain; one that was killed says so.

    The head's logs may still tell of the server of an earlier test.
    """
    explain = ("logs", "--explain", "--node", "spark2")
    well = site.inv(*explain)
    site.lan.host("spark2").docker("kill", CONTAINER)
    killed = site.inv(*explain, "--json")
    first = json.loads(killed.out)["explanations"][0]

    assert 0 == well.code, well.out
    assert (1, "killed", "spark2") == (killed.code, first["signature"], first["node"])
