"""The output shown on the page about two Sparks, rendered by the code that prints it."""

from dataclasses import replace
from datetime import datetime

from cluster.checks.images import IMAGES
from cluster.checks.interfaces import INTERFACES
from cluster.commands import vllm
from cluster.containers.comparison import Comparison, obstacle
from cluster.host import Host, host_problem
from cluster.plan.ray_nodes import NodeListing, RayNode
from cluster.serve import ready
from cluster.ship import report
from cluster.ship.report import TransferResult
from cluster.status import status
from cluster.status.status import Observation, ServiceState
from tests import pages
from tests.clusters import CHECKOUT, SPARKS, container_runtime
from tests.node_reports import IMAGE, at, docker, node_report, with_interface
from tests.pages import ROOT, SHOWN_ROOT

CLUSTER = replace(SPARKS, serve_host="0.0.0.0", serve_port=8888)  # noqa: S104 (printed)
REQUEST = vllm.request(CLUSTER, vllm.ServeOptions(values={"model": "Qwen/Qwen3-4B"}), "")
FAR = Host(name="spark2", ssh_host="spark2")


def shown(word: str) -> str:
    """Return the block of the page that is marked with a word."""
    blocks = pages.blocks(ROOT / "docs/two-sparks.md")
    (text,) = (block.text for block in blocks if (block.language, block.word) == ("text", word))
    return text


def test_shipped() -> None:
    """The table of `inv ship`, when there is nothing to do."""
    rows = (
        TransferResult(node="spark1", route="this machine", result="here"),
        TransferResult(node="spark2", route="fabric 192.168.177.12", result="equal"),
    )

    assert shown("ship") == report.result_table(rows)


def test_ready() -> None:
    """The output of `inv serve` on the head is on the page."""
    runtime = replace(
        container_runtime(CLUSTER),
        state=f"{CHECKOUT}/.state/default",
        hosts={"spark1": Host(name="spark1")},
    )
    output = ready.text(ready.endpoint(CLUSTER, REQUEST, runtime))

    assert shown("ready") == output.replace(CHECKOUT, SHOWN_ROOT)


def test_status() -> None:
    """The output of `inv status` for a serving cluster is on the page."""
    ray, worker, server = (
        ServiceState(since=datetime.fromisoformat(f"2026-11-23T13:18:{second}+00:00").timestamp())
        for second in (32, 34, 44)
    )
    joined = tuple(
        RayNode(address=str(node.host_ip), hostname=node.name, alive=True, gpus=1.0)
        for node in CLUSTER.nodes
    )
    observation = Observation(
        services={"spark1": ray, "spark2": worker},
        nodes=NodeListing(nodes=joined),
        server=server,
        request=REQUEST,
        url=vllm.url(CLUSTER, REQUEST),
        healthy=True,
        metrics="vllm:num_requests_running 0.0\n",
    )

    assert shown("status") == status.text(status.status(CLUSTER, observation))


def test_problems() -> None:
    """The messages for problems, one of each kind, are on the page."""
    wrong_nic = with_interface(
        with_interface(node_report(), "enp1s0f1np1", addresses=at("192.168.177.21")),
        "enP7s7",
        addresses=at("192.168.177.11"),
    )
    (address,) = (check for check in INTERFACES if check.name == "address")
    no_image, other_image = IMAGES
    without, different = (
        node_report("spark2", CLUSTER, docker=replace(docker(), image=image))
        for image in (None, replace(IMAGE, layers=("sha256:aa", "sha256:cc")))
    )
    stopped = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    changes = Comparison(running=True, owner=CLUSTER.name, changes=("NCCL_DEBUG",))
    sentences = (
        *address.rule((wrong_nic,)),
        *no_image.rule((node_report("spark1", CLUSTER), without)),
        *other_image.rule((node_report("spark1", CLUSTER), different)),
        host_problem(FAR, "Host key verification failed.\n"),
        host_problem(FAR, stopped),
        obstacle(CLUSTER, "spark2", changes, recreate=False),
    )

    assert shown("problems") == "".join(f"{sentence}\n" for sentence in sentences)
