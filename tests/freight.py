"""An image, and nodes that have some of it, for the tests of `inv ship`."""

from collections.abc import Mapping
from dataclasses import replace

from cluster.errors import Problem
from cluster.host import Host
from cluster.ship import plan
from cluster.ship.content import Layer
from cluster.ship.leg import Leg, Order
from cluster.ship.route import Way
from cluster.ship.survey import Facts, Held, Image, Link
from tests.clusters import HEAD, SPARKS, WORKER, third

MEGA, GIGA = 1_000_000, 1_000_000_000
NAME = "vllm-node:latest"
SIZES = (3 * GIGA, 2 * GIGA, 100 * MEGA)
LAYERS = tuple(
    Layer(diff_id=f"sha256:{n}", digest=f"sha256:{n}", size=size) for n, size in enumerate(SIZES)
)
IMAGE = Image(architecture="arm64", layers=tuple(one.diff_id for one in LAYERS), configuration="{}")
FAST = Link(name="enp1s0f1np1", addresses=("192.168.177.11",), speed=200_000)
PORT = Link(name="enP7s7", addresses=("fe80::1", "10.0.0.1"), speed=10_000)
HERE = Facts(
    version="29.1.0",
    architecture="arm64",
    store="overlay2",
    root="/var/lib/docker",
    free=900 * GIGA,
    links=(PORT, FAST),
)
ORDER = Order(name=NAME, image=IMAGE, size=sum(SIZES), layers=LAYERS, here=HERE)
NODES = (HEAD, WORKER, *(third(f"spark{n}", f"192.168.177.1{n}") for n in (3, 4, 5)))
CLUSTER = replace(SPARKS, nodes=NODES)
WAYS = tuple(
    Way(
        engine=Host(name=node.name, ssh_host="" if node == HEAD else f"{node.name}.lan"),
        fabric="" if node == HEAD else str(node.host_ip),
    )
    for node in NODES
)
BY_NAME = tuple(
    replace(way, fabric="", engine=replace(way.engine, ssh_host=f"{way.node}.lan")) for way in WAYS
)
NONE: Mapping[str, str] = {}


def had(count: int, name: str = "", blobs: int = 0) -> Held:
    """Return an image with the lowest layers; it came by ship when it tells its files."""
    return Held(
        id="sha256:99",
        tags=(name,) if name else (),
        image=replace(IMAGE, layers=IMAGE.layers[:count]),
        size=7,
        blobs=IMAGE.layers[:blobs],
        dangling=not name,
    )


def there(number: int, *images: Held, speed: int | None = 200_000, **other: object) -> Facts:
    """Return what a Spark says, asked by the way of its 10G port."""
    link = replace(FAST, addresses=(f"192.168.177.1{number}",), speed=speed)
    port = replace(PORT, addresses=(f"10.0.0.{number}",))
    facts = replace(HERE, images=images, links=(port, link), asker="10.0.0.1", zstd=True)
    return replace(facts, asked=f"10.0.0.{number}", **other)  # type: ignore[arg-type] # (as given)


SAID: dict[str, Facts | Problem] = {f"spark{n}": there(n) for n in (1, 2, 3, 4, 5)}


def considered(facts: Facts | Problem, order: Order = ORDER, way: Way = WAYS[1]) -> Leg:
    """Return the plan for one node."""
    (found,) = plan.plan(CLUSTER, order, (way,), {way.node: facts}, NONE)
    return found
