"""The clusters of the tests: two Sparks, and the clusters of the repository."""

from dataclasses import replace
from pathlib import Path

from cluster.containers.runtime import Containers
from cluster.host import Host
from cluster.machine.env_files import env_files
from cluster.namespaces.runtime import Namespaces
from cluster.node import DEFAULT, Cluster, Node
from cluster.reference.tables import EXAMPLE
from cluster.settings.settings import resolve
from cluster.words import Environment

ROOT = Path(__file__).resolve().parent.parent
CHECKOUT = "/opt/spark"
"""The path of the repository in expected texts."""

SPARKS = replace(EXAMPLE, name=DEFAULT)
HEAD, WORKER = SPARKS.nodes
REHEARSAL = resolve("rehearsal", env_files(str(ROOT), "rehearsal")).cluster
TWO_SPARKS = resolve("examples/two-sparks", env_files(str(ROOT), "examples/two-sparks")).cluster


def with_variables(
    cluster: Cluster = SPARKS,
    shared: Environment = (),
    head: Environment = (),
    worker: Environment = (),
) -> Cluster:
    """Return a cluster of two nodes with these pass-through variables in its three files."""
    first, second = cluster.nodes
    nodes = (replace(first, variables=head), replace(second, variables=worker))
    return replace(cluster, variables=shared, nodes=nodes)


def extra_worker(name: str = "spark3", address: str = "192.168.177.13") -> Node:
    """Return a further worker of the two Sparks' cluster."""
    return replace(WORKER, name=name, host_ip=type(WORKER.host_ip)(address), ssh_host=name)


def namespace_runtime(cluster: Cluster = REHEARSAL, *, rootless: bool = False) -> Namespaces:
    """Return the process runtime of a cluster, by default the rehearsal."""
    return Namespaces(
        cluster=cluster,
        state=f"{CHECKOUT}/.state/rehearsal",
        programs=f"{CHECKOUT}/.rehearsal/venv/bin",
        script=f"{CHECKOUT}/docker/probe.py",
        cache=f"{CHECKOUT}/.rehearsal/cache",
        rootless=rootless,
    )


def container_runtime(cluster: Cluster = TWO_SPARKS, *, recreate: bool = False) -> Containers:
    """Return the Docker runtime as a machine beside the cluster has it: all engines by SSH."""
    return Containers(
        cluster=cluster,
        state=f"{CHECKOUT}/.state/{cluster.name}",
        hosts={node.name: Host(name=node.name, ssh_host=node.ssh_host) for node in cluster.nodes},
        recreate=recreate,
    )
