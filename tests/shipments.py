"""An image, and nodes that have some of it, for the tests of `inv ship`."""

from collections.abc import Mapping
from dataclasses import replace

from cluster.errors import Problem
from cluster.facts.images import Image, StoredImage
from cluster.host import Host
from cluster.ship import transfers
from cluster.ship.content import ImageLayer
from cluster.ship.routes import ShipRoute
from cluster.ship.survey import Facts, Link
from cluster.ship.transfers import ShipRequest, Transfer
from tests.clusters import HEAD, SPARKS, WORKER, third

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
FAST = Link(name="enp1s0f1np1", addresses=("192.168.177.11",), speed=200_000)
PORT = Link(name="enP7s7", addresses=("fe80::1", "10.0.0.1"), speed=10_000)
SOURCE = Facts(
    version="29.1.0",
    architecture="arm64",
    store="overlay2",
    root="/var/lib/docker",
    free=900 * GIGA,
    links=(PORT, FAST),
)
REQUEST = ShipRequest(name=NAME, image=IMAGE, size=sum(SIZES), layers=LAYERS, source=SOURCE)
NODES = (HEAD, WORKER, *(third(f"spark{n}", f"192.168.177.1{n}") for n in (3, 4, 5)))
CLUSTER = replace(SPARKS, nodes=NODES)
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
NO_FAILURES: Mapping[str, str] = {}


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
    number: int, *images: StoredImage, speed: int | None = 200_000, **fields: object
) -> Facts:
    """Return the facts of a Spark with these images, asked over its 10 Gb/s port."""
    link = replace(FAST, addresses=(f"192.168.177.1{number}",), speed=speed)
    port = replace(PORT, addresses=(f"10.0.0.{number}",))
    facts = replace(SOURCE, images=images, links=(port, link), asker="10.0.0.1", zstd=True)
    return replace(facts, asked=f"10.0.0.{number}", **fields)  # type: ignore[arg-type] # (as given)


ANSWERS: dict[str, Facts | Problem] = {f"spark{n}": spark(n) for n in (1, 2, 3, 4, 5)}


def planned(
    answer: Facts | Problem, request: ShipRequest = REQUEST, route: ShipRoute = ROUTES[1]
) -> Transfer:
    """Return the transfer to one node."""
    (transfer,) = transfers.plan(CLUSTER, request, (route,), {route.node: answer}, NO_FAILURES)
    return transfer
