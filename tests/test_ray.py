"""The `ray start` command line, word by word."""

from dataclasses import replace

from cluster.commands import ray
from tests.clusters import HEAD, SPARKS, WORKER


def test_start_of_the_head() -> None:
    """The head gets the port that the workers join, and a dashboard on its loopback only."""
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6379", "--include-dashboard=true"),
        *("--dashboard-host", "127.0.0.1", "--dashboard-port", "8265"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(SPARKS, HEAD)


def test_start_of_a_worker() -> None:
    """A worker joins the head's address, and gets none of the flags for a head."""
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6379"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(SPARKS, WORKER)


def test_start_without_a_dashboard() -> None:
    """DASHBOARD=false leaves the dashboard out; HEAD_PORT is the port that Ray listens on."""
    cluster = replace(SPARKS, dashboard=False, head_port=6380)
    expected = (
        *("ray", "start", "--block", "--head", "--port", "6380", "--include-dashboard=false"),
        *("--node-ip-address", "192.168.177.11", "--object-store-memory", "1073741824"),
        "--disable-usage-stats",
    )

    assert expected == ray.start(cluster, HEAD)


def test_start_where_ray_cannot_see_the_gpus() -> None:
    """The number of GPUs is stated, and Ray's files are in the folder that the runtime names."""
    node = replace(WORKER, gpus=2)
    expected = (
        *("ray", "start", "--block", "--address", "192.168.177.11:6379"),
        *("--node-ip-address", "192.168.177.12", "--object-store-memory", "1073741824"),
        *("--num-gpus", "2", "--temp-dir", "/run/ray", "--disable-usage-stats"),
    )

    assert expected == ray.start(SPARKS, node, session="/run/ray", gpus=True)
