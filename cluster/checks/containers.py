"""Whether Docker answers, gives containers the GPUs, and a container finds what Ray and RDMA need.

The last is asked in two places: a throw-away container of the image before a start, and
`run-cluster-node` in a container that was started by hand. The rules are the same; the remedies
are worded for the place.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.checks.check import check, each
from cluster.checks.node_report import NodeReport, is_machine, uses_gpus
from cluster.errors import Problem
from cluster.facts.part import UNREADABLE
from cluster.host import Host, host_problem
from cluster.node_context import NodeContext

MIB = 1 << 20
TOOLKIT = (1, 17, 7)
"""The version that NVIDIA asks for on a Spark (DGX Spark porting guide, software dependencies)."""
NUMBERS = re.compile(r"\d+")
CDI = "nvidia.com/gpu=all"
SET_UP = {
    "cdi": ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",),
    "nvidia": (
        "sudo apt-get install nvidia-container-toolkit",
        "sudo nvidia-ctk runtime configure --runtime=docker",
    ),
}
"""What lets Docker give containers GPUs, by ACCELERATOR (NVIDIA Container Toolkit, guide)."""
OTHER = {"cdi": "nvidia", "nvidia": "cdi"}


@dataclass(frozen=True, kw_only=True)
class ContainerFacts:
    """What a process in a container finds on its node (cluster/machine/container_view.py)."""

    shm_free: int
    shm_total: int
    device_files: tuple[str, ...]
    """Names below /dev/infiniband."""
    memlock: int | None
    """Bytes that a process may lock in memory; None if there is no limit."""


def container_facts(fields: Mapping[str, Any]) -> ContainerFacts | None:
    """Return the facts in the fields of an answer; None if it is another answer."""
    try:
        # With CAP_IPC_LOCK no limit counts (Linux, ib_umem_get).
        is_unlimited = fields["memlock"] is None or fields["ipc_lock"]
        return ContainerFacts(
            shm_free=int(fields["shm"]["free"]),
            shm_total=int(fields["shm"]["total"]),
            device_files=tuple(str(name) for name in fields["infiniband"]),
            memlock=None if is_unlimited else int(fields["memlock"]),
        )
    except UNREADABLE:
        return None


def limited_memory_lock(
    context: NodeContext, facts: ContainerFacts, remedy: str
) -> Iterator[Problem]:
    """Report a limit on locked memory, where RDMA is used."""
    if context.node.ib_if and facts.memlock is not None:
        message = f"only {facts.memlock >> 10} KiB of memory can be locked, too little for RDMA"
        yield context.problem(message, remedy)


def small_shared_memory(
    context: NodeContext, facts: ContainerFacts, remedy: str
) -> Iterator[Problem]:
    """Compare as Ray does, which refuses or uses the disk if /dev/shm has too little space."""
    store = context.cluster.object_store_memory
    if facts.shm_free < store:
        free, total = facts.shm_free // MIB, facts.shm_total // MIB
        message = f"shared memory has {free} of {total} MiB free, but Ray's object store needs"
        yield context.problem(f"{message} {-(-store // MIB)} MiB", remedy)


def no_gpus_in_containers(context: NodeContext, reason: str) -> Problem:
    """Return the problem that Docker cannot give containers the GPUs."""
    accelerator = "cdi" if context.cluster.accelerator == "cdi" else "nvidia"
    commands = ", ".join(context.command(line) for line in SET_UP[accelerator])
    restart = context.command("sudo systemctl restart docker")
    instead = context.assignment("ACCELERATOR", OTHER[accelerator])
    remedy = f"{commands}, then {restart}; or write {instead}{context.in_cluster_file}"
    return context.problem(f"Docker cannot give containers GPUs: {reason}", remedy)


@check("docker", "blocks", is_machine)
@each
def _docker(report: NodeReport) -> Iterator[Problem]:
    """Docker answers, and this user may use it.

    Looks at: `docker info`
    Why: Ray and vLLM run in a container on every node.
    Do: Start the engine, or add the user to the group `docker` and log in again.
    Known from: Docker's guide, post-installation steps for Linux
    """
    if error := report.facts.docker.error:
        host = "" if report.is_local else report.node.ssh_host
        yield host_problem(Host(name=report.node.name, ssh_host=host), error)


@check("gpu-docker", "blocks", uses_gpus, requires=("docker",))
@each
def _gpu_docker(report: NodeReport) -> Iterator[Problem]:
    """Docker can give containers the GPUs.

    Looks at: `docker info`: the runtime `nvidia`, CDI devices; /etc/cdi and /var/run/cdi
    Why: The container would not start: `could not select device driver`, or `unresolvable CDI
      devices`.
    Do: Install the NVIDIA Container Toolkit and let it set up Docker, or write another ACCELERATOR.
    Known from: NVIDIA Container Toolkit, CDI support; moby/moby, daemon/nvidia_linux.go
    """
    # Report what Docker lacks; a node without a GPU lacks more than that.
    if not report.facts.gpus.gpus:
        return
    if report.cluster.accelerator == "cdi" and not _has_cdi_device(report):
        yield no_gpus_in_containers(report, f"no CDI device {CDI}")
    elif report.cluster.accelerator == "nvidia" and not _has_gpus_option(report):
        yield no_gpus_in_containers(report, "it has no runtime `nvidia`")


def _has_cdi_device(report: NodeReport) -> bool:
    """Whether CDI knows the GPUs: by their name, or by a file for them."""
    names = report.facts.docker.cdi
    return CDI in names or any("nvidia" in name for name in names if "=" not in name)


def _has_gpus_option(report: NodeReport) -> bool:
    """Whether `--gpus` works: by the toolkit's hook on the PATH (moby/daemon), or by CDI."""
    docker = report.facts.docker
    return "nvidia" in docker.runtimes or bool(docker.toolkit) or _has_cdi_device(report)


@check("toolkit", "note", uses_gpus, requires=("docker",))
@each
def _toolkit(report: NodeReport) -> Iterator[Problem]:
    """The NVIDIA Container Toolkit is as new as NVIDIA asks for.

    Looks at: `nvidia-ctk --version`
    Why: Older versions do not know everything that a Spark's driver needs in a container.
    Do: Update the package nvidia-container-toolkit.
    Known from: NVIDIA, DGX Spark porting guide, software dependencies
    """
    version = report.facts.docker.toolkit
    numbers = tuple(int(number) for number in NUMBERS.findall(version)[:3])
    if numbers and numbers < TOOLKIT:
        least = ".".join(str(number) for number in TOOLKIT)
        message = f"has NVIDIA Container Toolkit {version}; NVIDIA asks for {least} on a Spark"
        upgrade = "sudo apt-get install --only-upgrade nvidia-container-toolkit"
        yield report.problem(message, report.command(upgrade))


CONTAINERS = (_docker, _gpu_docker, _toolkit)
