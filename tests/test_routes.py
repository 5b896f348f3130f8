"""The route of an image to each node."""

import pytest

from cluster.host import Host
from cluster.plan import script
from cluster.ship import routes
from cluster.ship.routes import Hop, ShipRoute
from tests.clusters import SPARKS, WORKER
from tests.shipments import ssh

SPARK2 = Host(name="spark2", ssh_host="spark-02")
HOP = Hop(address="192.168.177.12", user="nvidia")
FABRIC = ShipRoute(host=SPARK2, fast_address="192.168.177.12", known_as="spark-02.lan", hop=HOP)
BY_NAME = ShipRoute(host=SPARK2, hop=HOP)
FAST = (
    " -o HostName=192.168.177.12 -o HostKeyAlias=spark-02.lan -o CheckHostIP=no "
    "-o ProxyCommand=none"
)


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
    """An image is shipped with one tag, never with all tags of its name."""
    assert expected == routes.tagged(name)


@pytest.mark.parametrize(
    "config, expected",
    [
        ("host spark-02\nuser me\nhostname spark-02.lan\nport 22\n", "spark-02.lan"),
        ("hostname spark-02.lan\nport 2222\n", "[spark-02.lan]:2222"),
        ("hostname spark-02.lan\nport 2222\nhostkeyalias two\n", "two"),
    ],
)
def test_known_as(config: str, expected: str) -> None:
    """The key of a host is looked up under the name that ssh itself would use."""
    route = routes.route(SPARKS, WORKER, SPARK2, own_address="192.168.177.11", ssh_config=config)

    assert expected == route.known_as


@pytest.mark.parametrize(
    "own_address, expected",
    [("192.168.177.11", FABRIC), ("10.0.0.7", BY_NAME), ("", BY_NAME)],
    ids=["on the fast link", "on another network", "no address"],
)
def test_route(own_address: str, expected: ShipRoute) -> None:
    """The bytes take the fast link if this machine is on it, else the route to SSH_HOST."""
    config = "hostname spark-02.lan\nuser nvidia\nport 22\n"

    assert expected == routes.route(
        SPARKS, WORKER, SPARK2, own_address=own_address, ssh_config=config
    )


def test_hop() -> None:
    """The user and the port of a hop are those that ssh has for the node here."""
    config = "host spark-02\nuser nvidia\nhostname spark-02.lan\nport 2222\n"
    route = routes.route(SPARKS, WORKER, SPARK2, own_address="", ssh_config=config)

    assert Hop(address="192.168.177.12", user="nvidia", port="2222") == route.hop


@pytest.mark.parametrize(
    "speed, link", [(None, ""), (10_000, " at 10 Gb/s"), (2500, " at 2.5 Gb/s")]
)
def test_detour(speed: int | None, link: str) -> None:
    """A note tells that the fast link is not used, and the speed of the link that is."""
    expected = (
        "this machine has no address in 192.168.177.0/24: "
        f"the image is sent to SSH_HOST{link}, not over the fast link"
    )

    assert expected == routes.detour(SPARKS, speed)


@pytest.mark.parametrize(
    "route, expected", [(FABRIC, "fabric 192.168.177.12"), (BY_NAME, "ssh spark-02")]
)
def test_text_of_a_route(route: ShipRoute, expected: str) -> None:
    """A route is shown with its network and its address or host."""
    assert expected == route.text


def test_ssh() -> None:
    """Over the fast link the host stays the user's alias; only its address changes."""
    fabric = f"{ssh(FAST)} -- spark-02 true"
    by_name = f"{ssh()} -- spark-02 true"

    assert [tuple(fabric.split()), tuple(by_name.split())] == [
        route.ssh("true") for route in (FABRIC, BY_NAME)
    ]


def test_dry_steps() -> None:
    """The script ships to one node after the other, and compares the layers."""
    names = (("spark1", ""), ("spark3", "me@spark-03"))
    spark1, spark3 = (ShipRoute(host=Host(name=name, ssh_host=host)) for name, host in names)
    expected = f"""\
# spark1: Uses this machine's engine, nothing to copy

# spark2: Ship vllm-node:latest (fabric 192.168.177.12); `inv ship` sends only missing layers
docker save vllm-node:latest | {ssh(FAST)} -- spark-02 docker load

# spark2: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://spark-02 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"

# spark3: Ship vllm-node:latest (ssh me@spark-03); `inv ship` sends only missing layers
docker save vllm-node:latest | {ssh()} -- me@spark-03 docker load

# spark3: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://me@spark-03 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"
"""

    assert expected == script.text(routes.dry_steps("vllm-node:latest", (spark1, FABRIC, spark3)))
