"""The shell script of `inv --dry ship`."""

from cluster.host import Host
from cluster.plan import script
from cluster.ship import dry_run
from cluster.ship.routes import ShipRoute
from tests.shipments import ssh

SPARK2 = Host(name="spark2", ssh_host="spark-02")
FABRIC = ShipRoute(host=SPARK2, fast_address="192.168.177.12", known_as="spark-02.lan")
FAST = (
    " -o HostName=192.168.177.12 -o HostKeyAlias=spark-02.lan -o CheckHostIP=no "
    "-o ProxyCommand=none"
)
TO_FABRIC = f"{ssh(FAST)} -- spark-02 docker load"
BY_SSH_HOST = f"{ssh()} -- spark-02 docker load"


def test_steps() -> None:
    """The script ships to one node after the other, and compares the layers."""
    routes = (
        ShipRoute(host=Host(name="spark1")),
        FABRIC,
        ShipRoute(host=Host(name="spark3", ssh_host="me@spark-03")),
    )
    expected = f"""\
# spark1: Uses this machine's engine, nothing to copy

# spark2: Ship vllm-node:latest (fabric 192.168.177.12); `inv ship` sends only missing layers
docker save vllm-node:latest | {TO_FABRIC}

# spark2: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://spark-02 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"

# spark3: Ship vllm-node:latest (ssh me@spark-03); `inv ship` sends only missing layers
docker save vllm-node:latest | {BY_SSH_HOST.replace("spark-02", "me@spark-03")}

# spark3: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://me@spark-03 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"
"""

    assert expected == script.text(dry_run.steps("vllm-node:latest", routes))
