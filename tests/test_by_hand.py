"""What a shell does instead of `inv ship`."""

from cluster.host import Host
from cluster.ship import by_hand
from cluster.ship.route import Way
from tests.clusters import HEAD, WORKER, third

ENGINE = Host(name="spark2", ssh_host="spark-02")
FABRIC = Way(engine=ENGINE, fabric="192.168.177.12", known_as="spark-02.lan")
SSH = (
    "ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ControlPath=none "
    "-o RemoteCommand=none -o ClearAllForwardings=yes -o Compression=no"
)
TO_FABRIC = (
    f"{SSH} -o HostName=192.168.177.12 -o HostKeyAlias=spark-02.lan -o CheckHostIP=no "
    "-o ProxyCommand=none spark-02 docker load"
)
BY_SSH_HOST = f"{SSH} spark-02 docker load"


def test_script() -> None:
    """The text ships to one node after the other, and compares the layers."""
    nodes = (HEAD, WORKER, third())
    ways = (FABRIC, Way(engine=Host(name="spark3", ssh_host="me@spark-03")))
    expected = f"""\
# spark1: Has the engine of this machine, and so the image

# spark2: Ship vllm-node:latest (fabric 192.168.177.12); `inv ship` leaves out what is there
docker save vllm-node:latest | {TO_FABRIC}

# spark2: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://spark-02 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"

# spark3: Ship vllm-node:latest (ssh me@spark-03); `inv ship` leaves out what is there
docker save vllm-node:latest | {BY_SSH_HOST.replace("spark-02", "me@spark-03")}

# spark3: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://me@spark-03 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"
"""

    assert expected == by_hand.script("vllm-node:latest", nodes, ways)
