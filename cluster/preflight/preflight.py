"""What a container must find on a node before the real one starts, and the remedy else."""

from collections.abc import Iterator

from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.node_context import NodeContext
from cluster.plan.questions import LONGEST_BODY, Question, fields
from cluster.preflight import rdma
from cluster.preflight.facts import Facts, facts

MIB = 1 << 20
SET_UP = {
    "cdi": "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    "nvidia": "sudo nvidia-ctk runtime configure --runtime=docker",
}
"""What lets Docker give containers GPUs, by ACCELERATOR (NVIDIA Container Toolkit, guide)."""
NO_GPUS = ("could not select device driver", "CDI device")
"""What Docker says when the NVIDIA Container Toolkit is not there or not set up (moby/daemon)."""


def preflight(cluster: Cluster, node: Node, *, is_local: bool = False) -> Question:
    """Ask what nothing but a container of the cluster's image can tell of a node.

    docker/preflight.py answers, without arguments, in a throw-away container with the network,
    devices, shared memory and limits of the real one, while the real one does not run. What Docker
    said when it refused that container counts as an answer. A node that `is_local` is this machine.
    """
    site = NodeContext(cluster=cluster, node=node, is_local=is_local)
    return Question(
        node=node,
        hope=f"{node.name} can run Ray",
        argv=(),
        problems=lambda text: tuple(_problems(site, text)),
    )


def _problems(site: NodeContext, text: str) -> Iterator[Problem]:
    found = facts(fields(text))
    if not found:
        yield _mute(site, text)
        return
    yield from _ray(site, found)
    if site.node.ib_if:
        yield from _rdma(site, found)
    yield from _shared_memory(site, found)


def _mute(site: NodeContext, text: str) -> Problem:
    """Say why there are no facts: Docker refused the container, or the image is another one."""
    said = text.strip().rpartition("\n")[2][:LONGEST_BODY] or "no answer"
    if rdma.DEVICE_FILES in said:
        return rdma.none(site)
    if any(words in said for words in NO_GPUS):
        return _no_gpus(site, said)
    return site.problem(f"{site.cluster.image} cannot examine the node: {said}", site.new_image)


def _no_gpus(site: NodeContext, said: str) -> Problem:
    make = site.command(SET_UP["cdi" if site.cluster.accelerator == "cdi" else "nvidia"])
    again = f"{make}, then {site.command('sudo systemctl restart docker')}"
    remedy = f"{again}; or write another ACCELERATOR in {site.cluster_file}"
    return site.problem(f"Docker cannot give containers GPUs: {said}", remedy)


def _ray(site: NodeContext, found: Facts) -> Iterator[Problem]:
    if found.ray_error:
        message = f"{site.cluster.image} cannot import Ray: {found.ray_error}"
        yield site.problem(message, site.new_image)


def _rdma(site: NodeContext, found: Facts) -> Iterator[Problem]:
    if not rdma.reachable(found.device_files):
        yield rdma.no_files(site, " in its containers")
    if found.memlock is not None:
        message = f"a container may lock {found.memlock >> 10} KiB in memory, too little for RDMA"
        yield site.problem(message, f"write PRIVILEGED=true in {site.cluster_file}")


def _shared_memory(site: NodeContext, found: Facts) -> Iterator[Problem]:
    """Compare as Ray does, which refuses or goes to disk when /dev/shm has too little."""
    wanted = site.cluster.object_store_memory
    if found.shm_free < wanted:
        free, total = found.shm_free // MIB, found.shm_total // MIB
        has = f"shared memory has {free} of {total} MiB free"
        message = f"{has}, and OBJECT_STORE_MEMORY is {-(-wanted // MIB)} MiB"
        yield site.problem(message, _more_shared_memory(site))


def _more_shared_memory(site: NodeContext) -> str:
    smaller = f"a smaller OBJECT_STORE_MEMORY in {site.cluster_file}"
    if site.cluster.privileged or site.cluster.shm_size is None:
        return f"{site.command('ls -lS /dev/shm')} shows what fills it; or write {smaller}"
    return f"write a larger SHM_SIZE or {smaller}"
