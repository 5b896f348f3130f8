"""`inv nccl`, `inv doctor` and `inv logs --explain` on a running cluster of containers."""

import json
from collections.abc import Iterator

import pytest

from tests.live.lan import CONTAINER, Site

pytestmark = [pytest.mark.live, pytest.mark.containers]

BUFFER = 8 << 20


@pytest.fixture(scope="module", autouse=True)
def up(site: Site) -> Iterator[None]:
    """Start the cluster for these tests."""
    site.inv("down")
    done = site.inv("up")
    assert done.code == 0, done.err
    yield
    site.inv("down")


def test_bandwidth(site: Site) -> None:
    """Both ranks measure over the link, and the data is right."""
    before = [host.interface_bytes() for host in site.lan.hosts]
    done = site.inv("nccl", "--largest", "8m", "--json")
    after = [host.interface_bytes() for host in site.lan.hosts]
    assert done.code == 0, done.err
    report = json.loads(done.out)
    moved = [sum(last) - sum(first) for first, last in zip(before, after, strict=True)]

    assert ["spark1", "spark2"] == [rank["node"] for rank in report["ranks"]]
    assert {"gloo"} == {rank["backend"] for rank in report["ranks"]}
    assert {"all_reduce", "all_gather"} == {row["operation"] for row in report["measurements"]}
    assert all(row["bus"] > 0 for row in report["measurements"])
    assert min(moved) > 10 * BUFFER


def test_doctor_while_it_runs(site: Site) -> None:
    """The doctor does not report the cluster's own ports and memory."""
    done = site.inv("doctor")

    assert (0, "") == (done.code, done.err.partition("default: Ask all nodes")[0])


def test_running_nodes_are_not_checked_again(site: Site) -> None:
    """`up` on a running cluster asks no machine."""
    done = site.inv("up")

    assert done.code == 0
    assert "Check that" not in done.err.replace("Check that no other container", "")


def test_a_killed_node_is_explained(site: Site) -> None:
    """A healthy node has no failure in its logs; a killed one has.

    The head's logs may still have the server of an earlier test.
    """
    explain = ("logs", "--explain", "--node", "spark2")
    healthy = site.inv(*explain)
    site.lan.host("spark2").docker("kill", CONTAINER)
    killed = site.inv(*explain, "--json")
    first = json.loads(killed.out)["explanations"][0]

    assert 0 == healthy.code, healthy.out
    assert (1, "killed", "spark2") == (killed.code, first["signature"], first["node"])
