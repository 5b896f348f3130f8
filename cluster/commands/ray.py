"""The `ray start` command line of a node."""

from cluster.node import Cluster, Node

# Beyond loopback anybody could use the dashboard: it has no password unless Ray's token
# authentication is on, and submitting a job is running code (docs.ray.io, Ray security).
DASHBOARD_HOST = "127.0.0.1"
DASHBOARD_PORT = 8265
WORKER_PORT = 10002
"""The first port of Ray's workers, which listen on every node (`ray start`, --min-worker-port)."""


def start(
    cluster: Cluster,
    node: Node,
    *,
    session: str = "",
    gpus: bool = False,
    dashboard: bool = True,
) -> tuple[str, ...]:
    """Return the `ray start` line of a node.

    `session` is Ray's folder for sockets and logs; empty means Ray's default. `gpus` states the
    number of GPUs, for nodes whose devices Ray cannot count itself. `dashboard` is whether the
    dashboard is installed; DASHBOARD decides whether it runs.
    """
    head = _head(cluster, dashboard=cluster.dashboard and dashboard)
    return (
        *("ray", "start", "--block"),
        *(head if node.role == "head" else ("--address", address(cluster))),
        *("--node-ip-address", str(node.host_ip)),
        *("--object-store-memory", str(cluster.object_store_memory)),
        *(("--num-gpus", str(node.gpus)) if gpus else ()),
        *(("--temp-dir", session) if session else ()),
        "--disable-usage-stats",
    )


def address(cluster: Cluster) -> str:
    """Return `IP:PORT` of the head's global control store."""
    return f"{cluster.head.host_ip}:{cluster.head_port}"


def _head(cluster: Cluster, *, dashboard: bool) -> tuple[str, ...]:
    place = ("--dashboard-host", DASHBOARD_HOST, "--dashboard-port", str(DASHBOARD_PORT))
    return (
        *("--head", "--port", str(cluster.head_port)),
        f"--include-dashboard={str(dashboard).lower()}",
        *(place if dashboard else ()),
    )
