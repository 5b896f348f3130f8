"""The way of an image to each node."""

import pytest

from cluster.host import Host
from cluster.ship import route
from cluster.ship.route import Way
from tests.clusters import SPARKS, WORKER

ENGINE = Host(name="spark2", ssh_host="spark-02")
FABRIC = Way(engine=ENGINE, fabric="192.168.177.12", known_as="spark-02.lan")
BY_NAME = Way(engine=ENGINE)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("vllm-node", "vllm-node:latest"),
        ("vllm-node:cpu", "vllm-node:cpu"),
        ("registry:5000/vllm-node", "registry:5000/vllm-node:latest"),
        ("registry:5000/vllm-node:cpu", "registry:5000/vllm-node:cpu"),
        ("vllm-node@sha256:aa", "vllm-node@sha256:aa"),
    ],
)
def test_tagged(name: str, expected: str) -> None:
    """An image is shipped with one tag, never with all tags that its name has."""
    assert expected == route.tagged(name)


@pytest.mark.parametrize(
    "said, expected",
    [
        ("host spark-02\nuser me\nhostname spark-02.lan\nport 22\n", "spark-02.lan"),
        ("hostname spark-02.lan\nport 2222\n", "[spark-02.lan]:2222"),
        ("hostname spark-02.lan\nport 2222\nhostkeyalias two\n", "two"),
    ],
)
def test_known_as(said: str, expected: str) -> None:
    """The key of a host is looked up under the name that ssh itself would use."""
    assert expected == route.known_as(said)


@pytest.mark.parametrize(
    "source, expected",
    [("192.168.177.11", FABRIC), ("10.0.0.7", BY_NAME), ("", BY_NAME)],
    ids=["on the fast link", "elsewhere", "no way"],
)
def test_way(source: str, expected: Way) -> None:
    """The bytes take the fast link if this machine is on it, else the way of SSH_HOST."""
    said = "hostname spark-02.lan\nport 22\n"

    assert expected == route.way(SPARKS, WORKER, ENGINE, source=source, ssh=said)


@pytest.mark.parametrize(
    "speed, link", [(None, ""), (10_000, " at 10 Gb/s"), (2500, " at 2.5 Gb/s")]
)
def test_detour(speed: int | None, link: str) -> None:
    """Who ships from elsewhere is told that the fast link is not used, and what is instead."""
    expected = (
        "this machine has no address in 192.168.177.0/24: "
        f"the image goes by SSH_HOST{link}, and not over the fast link"
    )

    assert ["", expected] == [route.detour(SPARKS, (way,), speed) for way in (FABRIC, BY_NAME)]


@pytest.mark.parametrize(
    "way, expected", [(FABRIC, "fabric 192.168.177.12"), (BY_NAME, "ssh spark-02")]
)
def test_text_of_a_way(way: Way, expected: str) -> None:
    """A way says which one it is."""
    assert expected == way.text


def test_address() -> None:
    """Over the fast link the host stays the user's alias; its address is another."""
    fabric = (
        "-o HostName=192.168.177.12 -o HostKeyAlias=spark-02.lan -o CheckHostIP=no "
        "-o ProxyCommand=none"
    )

    assert [tuple(fabric.split()), ()] == [route.address(way) for way in (FABRIC, BY_NAME)]
