"""The way of an image to each node, the commands that copy it, and what became of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cluster.errors import Problem
from cluster.image import ship
from cluster.image.ship import Image, Row, Way
from cluster.nodes.engine import Engine
from tests.clusters import HEAD, SPARKS, WORKER, third

INSPECTED: dict[str, Any] = {
    "Id": "sha256:11",
    "Architecture": "arm64",
    "Os": "linux",
    "Config": {"Cmd": ["bash"], "Env": ["PATH=/opt/venv/bin"], "Image": "sha256:10", "User": ""},
    "RootFS": {"Type": "layers", "Layers": ["sha256:aa", "sha256:bb"]},
}
ENGINE = Engine(node="spark2", ssh_host="spark-02")
FABRIC = Way(engine=ENGINE, fabric="192.168.177.12", known_as="spark-02.lan")
BY_NAME = Way(engine=ENGINE)
SSH = (
    "ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ControlPath=none "
    "-o RemoteCommand=none -o ClearAllForwardings=yes -o Compression=no"
)
TO_FABRIC = (
    f"{SSH} -o HostName=192.168.177.12 -o HostKeyAlias=spark-02.lan -o CheckHostIP=no "
    "-o ProxyCommand=none spark-02 docker load"
)
BY_SSH_HOST = f"{SSH} spark-02 docker load"
ROWS = (
    Row(node="spark1", route="this machine", result="here"),
    Row(node="spark2", route="fabric 192.168.177.12", result="equal"),
    Row(
        node="spark3",
        route="fabric 192.168.177.13",
        result="shipped",
        sent=4_471_234_560,
        seconds=41.24,
    ),
    Row(
        node="spark4",
        route="ssh spark-04",
        result="failed",
        sent=52_428_800,
        seconds=2.5,
        problem=Problem(place="spark4", what="is full", remedy="empty it"),
    ),
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
    """An image is shipped with one tag, never with all tags that its name has."""
    assert expected == ship.tagged(name)


def test_image() -> None:
    """An image is its architecture, its layers in order, and what containers get from it."""
    expected = Image(
        architecture="arm64",
        layers=("sha256:aa", "sha256:bb"),
        configuration='{"Cmd": ["bash"], "Env": ["PATH=/opt/venv/bin"]}',
    )

    assert expected == ship.image(INSPECTED)


@pytest.mark.parametrize("nothing", [None, {}])
def test_image_of_nothing(nothing: dict[str, Any] | None) -> None:
    """An image without layers or configuration is an image."""
    expected = Image(architecture="arm64", layers=(), configuration="{}")

    assert expected == ship.image(INSPECTED | {"Config": nothing, "RootFS": {"Type": "layers"}})


def test_image_in_another_store() -> None:
    """The same image has another ID, empty lists and other internals in another engine's store."""
    config: dict[str, Any] = {
        "User": None,
        "Volumes": {},
        "Env": ["PATH=/opt/venv/bin"],
        "Cmd": ["bash"],
    }
    other = INSPECTED | {"Id": "sha256:99", "Size": 7, "Config": config}

    assert ship.image(INSPECTED) == ship.image(other)


@pytest.mark.parametrize(
    "change",
    [
        {"Architecture": "amd64"},
        {"RootFS": {"Layers": ["sha256:bb", "sha256:aa"]}},
        {"Config": {"Cmd": ["bash"], "Env": ["PATH=/bin"]}},
    ],
    ids=["architecture", "order of layers", "environment"],
)
def test_another_image(change: dict[str, Any]) -> None:
    """What changes a container changes the image."""
    assert ship.image(INSPECTED) != ship.image(INSPECTED | change)


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
    assert expected == ship.known_as(said)


@pytest.mark.parametrize(
    "source, expected",
    [("192.168.177.11", FABRIC), ("10.0.0.7", BY_NAME), ("", BY_NAME)],
    ids=["on the fast link", "elsewhere", "no way"],
)
def test_way(source: str, expected: Way) -> None:
    """The bytes take the fast link if this machine is on it, else the way of SSH_HOST."""
    said = "hostname spark-02.lan\nport 22\n"

    assert expected == ship.way(SPARKS, WORKER, ENGINE, source=source, ssh=said)


def test_detour() -> None:
    """Who ships from elsewhere is told that the fast link is not used."""
    expected = (
        "this machine has no address in 192.168.177.0/24: "
        "the image goes by SSH_HOST, and not over the fast link"
    )

    assert ["", expected] == [ship.detour(SPARKS, (way,)) for way in (FABRIC, BY_NAME)]


@pytest.mark.parametrize(
    "way, expected", [(FABRIC, "fabric 192.168.177.12"), (BY_NAME, "ssh spark-02")]
)
def test_text_of_a_way(way: Way, expected: str) -> None:
    """A way says which one it is."""
    assert expected == way.text


def test_save() -> None:
    """The image comes from the engine of this machine."""
    assert ("docker", "save", "vllm-node:latest") == ship.save("vllm-node:latest")


@pytest.mark.parametrize("way, expected", [(FABRIC, TO_FABRIC), (BY_NAME, BY_SSH_HOST)])
def test_load(way: Way, expected: str) -> None:
    """The host stays the user's alias; over the fast link its address is another."""
    assert expected.split() == list(ship.load(way))


def test_script() -> None:
    """The text ships to one node after the other, and compares the layers."""
    nodes = (HEAD, WORKER, third())
    ways = (FABRIC, Way(engine=Engine(node="spark3", ssh_host="me@spark-03")))
    expected = f"""\
# spark1: Has the engine of this machine, and so the image

# spark2: Ship vllm-node:latest (fabric 192.168.177.12)
docker save vllm-node:latest | {TO_FABRIC}

# spark2: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://spark-02 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"

# spark3: Ship vllm-node:latest (ssh me@spark-03)
docker save vllm-node:latest | {BY_SSH_HOST.replace("spark-02", "me@spark-03")}

# spark3: Check that it has the same layers
test "$(docker image inspect --format '{{{{json .RootFS.Layers}}}}' vllm-node:latest)" = \
"$(docker --host ssh://me@spark-03 image inspect --format '{{{{json .RootFS.Layers}}}}' \
vllm-node:latest)"
"""

    assert expected == ship.script("vllm-node:latest", nodes, ways)


def test_table() -> None:
    """A row says what became of a node; what was not sent has no speed."""
    expected = """\
node    route                  result   sent     seconds  MB/s
spark1  this machine           here
spark2  fabric 192.168.177.12  equal
spark3  fabric 192.168.177.13  shipped  4.47 GB  41.2     108
spark4  ssh spark-04           failed   52.4 MB  2.5      21
"""

    assert expected == ship.table(ROWS)


def test_json() -> None:
    """A program reads exact numbers, and whether all nodes have the image."""
    nothing: dict[str, Any] = {"sent": 0, "seconds": 0.0, "problem": ""}
    expected = {
        "image": "vllm-node:latest",
        "nodes": [
            {"node": "spark1", "route": "this machine", "result": "here"} | nothing,
            {"node": "spark2", "route": "fabric 192.168.177.12", "result": "equal"} | nothing,
            {
                "node": "spark3",
                "route": "fabric 192.168.177.13",
                "result": "shipped",
                "sent": 4471234560,
                "seconds": 41.24,
                "problem": "",
            },
            {
                "node": "spark4",
                "route": "ssh spark-04",
                "result": "failed",
                "sent": 52428800,
                "seconds": 2.5,
                "problem": "spark4: is full (empty it)",
            },
        ],
        "complete": False,
    }

    assert json.dumps(expected, indent=2) + "\n" == ship.as_json("vllm-node:latest", ROWS)


def test_json_of_success() -> None:
    """With no problem, all nodes have the image."""
    rows = (replace(ROWS[0], node="spark9"),)

    assert json.loads(ship.as_json("vllm-node:latest", rows))["complete"]


@pytest.mark.parametrize(
    "sent, seconds, expected",
    [
        (1_048_576, 0.2, "1.0 MB"),
        (52_428_800, 2.0, "52.4 MB, 26 MB/s"),
        (4_471_234_560, 41.2, "4.47 GB, 109 MB/s"),
    ],
)
def test_pace(sent: int, seconds: float, expected: str) -> None:
    """A rate is told once it means something."""
    assert expected == ship.pace(sent, seconds)
