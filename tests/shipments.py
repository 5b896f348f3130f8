"""An image, and nodes that have some of it, for the tests of `inv ship`."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from typing import Any

from cluster.errors import Problem
from cluster.facts.docker import Docker
from cluster.facts.facts import Facts
from cluster.facts.images import Image, StoredImage
from cluster.facts.links import Interface, Links
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.storage import Disk
from cluster.host import Host
from cluster.ship import transfers
from cluster.ship.archive import ImageLayer
from cluster.ship.routes import ShipRoute
from cluster.ship.transfers import ShipRequest, Transfer
from tests.clusters import HEAD, SPARKS, WORKER, extra_worker

MEGA, GIGA = 1_000_000, 1_000_000_000
NAME = "vllm-node:latest"
SIZES = (3 * GIGA, 2 * GIGA, 100 * MEGA)
LAYERS = tuple(
    ImageLayer(diff_id=f"sha256:{n}", digest=f"sha256:{n}", size=size)
    for n, size in enumerate(SIZES)
)
IMAGE = Image(
    architecture="arm64", layers=tuple(layer.diff_id for layer in LAYERS), configuration="{}"
)
FAST = Interface(name="enp1s0f1np1", addresses=(IPv4Interface("192.168.177.11/24"),), speed=200_000)
PORT = Interface(
    name="enP7s7",
    addresses=(IPv4Interface("10.0.0.1/24"),),
    ipv6=(IPv6Address("fe80::1"),),
    speed=10_000,
)
SOURCE = Facts(
    machine=MachineFacts(
        hostname="spark1",
        memory=Memory(total=1, available=1, free=1, cached=0, swap_total=0, swap_free=0),
    ),
    links=Links(interfaces=(PORT, FAST)),
    docker=Docker(version="29.1.0", architecture="arm64", store="overlay2", root="/var/lib/docker"),
    engine_disk=Disk(path="/var/lib/docker", free=900 * GIGA, total=1000 * GIGA),
)
NODES = (HEAD, WORKER, *(extra_worker(f"spark{n}", f"192.168.177.1{n}") for n in (3, 4, 5)))
CLUSTER = replace(SPARKS, nodes=NODES)
REQUEST = ShipRequest(
    cluster=CLUSTER, name=NAME, image=IMAGE, size=sum(SIZES), layers=LAYERS, source=SOURCE
)
ROUTES = tuple(
    ShipRoute(
        host=Host(name=node.name, ssh_host="" if node == HEAD else f"{node.name}.lan"),
        fast_address="" if node == HEAD else str(node.host_ip),
    )
    for node in NODES
)
BY_NAME = tuple(
    replace(route, fast_address="", host=replace(route.host, ssh_host=f"{route.node}.lan"))
    for route in ROUTES
)
SSH = (
    "ssh -T -a -x -o ServerAliveInterval=10 -o ClearAllForwardings=yes -o Compression=no{} "
    "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 "
    "-o ControlMaster=no -o ControlPath=none -o ExitOnForwardFailure=no -o RemoteCommand=none "
    "-o StdinNull=no"
)
NO_FAILURES: Mapping[str, str] = {}


def ssh(options: str = "") -> str:
    """Return the SSH client of a stream with these options before the usual ones."""
    return SSH.format(options)


def stored(count: int, name: str = "", blobs: int = 0) -> StoredImage:
    """Return an image with the lowest layers; `blobs` of them are known as files."""
    return StoredImage(
        id="sha256:99",
        tags=(name,) if name else (),
        image=replace(IMAGE, layers=IMAGE.layers[:count]),
        size=7,
        blobs=IMAGE.layers[:blobs],
        dangling=not name,
    )


def spark(
    number: int,
    *images: StoredImage,
    speed: int | None = 200_000,
    zstd: bool = True,
    free: int | None = 900 * GIGA,
    **fields: Any,  # noqa: ANN401 (fields of Docker)
) -> Facts:
    """Return the facts of a Spark with these images, asked over its 10 Gb/s port."""
    address = IPv4Interface(f"10.0.0.{number}/24")
    link = replace(FAST, addresses=(IPv4Interface(f"192.168.177.1{number}/24"),), speed=speed)
    port = replace(PORT, addresses=(address,))
    machine = replace(
        SOURCE.machine, ssh_client=IPv4Address("10.0.0.1"), ssh_server=address.ip, zstd=zstd
    )
    disk = None if free is None else Disk(path="/var/lib/docker", free=free, total=1000 * GIGA)
    return replace(
        SOURCE,
        machine=machine,
        links=Links(interfaces=(port, link)),
        docker=replace(SOURCE.docker, images=images, **fields),
        engine_disk=disk,
    )


ANSWERS: dict[str, Facts | Problem] = {f"spark{n}": spark(n) for n in (1, 2, 3, 4, 5)}


def planned(
    answer: Facts | Problem, request: ShipRequest = REQUEST, route: ShipRoute = ROUTES[1]
) -> Transfer:
    """Return the transfer to one node."""
    (transfer,) = transfers.plan(request, (route,), {route.node: answer}, NO_FAILURES)
    return transfer
