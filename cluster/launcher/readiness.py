"""Whether a container that was started by hand can be the node: the doctor's rules, asked inside.

The facts are those that the container sees, settings are named as flags, and commands are for the
host.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.checks.containers import ContainerFacts, limited_memory_lock, small_shared_memory
from cluster.checks.interfaces import (
    disabled_interface,
    misplaced_address,
    missing_interface,
    missing_link,
)
from cluster.checks.node_report import NodeReport
from cluster.checks.ray_ports import taken_ports
from cluster.checks.rdma import missing_device_files, missing_devices, no_device
from cluster.commands import ray
from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.firewall import Listener
from cluster.facts.links import Links, interfaces
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.rdma import rdma
from cluster.launcher.flags import ETH_IF, HOST_IP, IB_IF, PORT, PROGRAM
from cluster.node import Cluster

NO_VALUE = '""'
RAY_PROCESSES = {"gcs_server", "raylet"}
LOOPBACK = "lo"
FLAGS = {"ETH_IF": ETH_IF, "HOST_IP": HOST_IP, "IB_IF": IB_IF, "HEAD_PORT": PORT}
"""The flags of settings that a rule can name."""
DEVICES = "start the container with --device=/dev/infiniband, or with --privileged"
SHARED_MEMORY = "start the container with --ipc=host or --shm-size=16g"
LOCKED_MEMORY = "start the container with --ulimit memlock=-1"
UNKNOWN = MachineFacts(
    hostname="",
    memory=Memory(total=0, available=0, free=0, cached=0, swap_total=0, swap_free=0),
)
"""What no rule of this program looks at."""


@dataclass(frozen=True, kw_only=True)
class ContainerReport(NodeReport):
    """A container that was started by hand, as problems and remedies speak of it."""

    container: ContainerFacts
    runs_ray: bool = False
    head_answers: bool = True
    """Whether a worker's head accepts connections."""

    def problem(self, message: str, remedy: str) -> Problem:
        """Return a problem of this container."""
        return Problem(place=PROGRAM, message=message, remedy=remedy)

    def command(self, line: str) -> str:
        """Return a shell command for the host of the container, in backticks."""
        return f"`{line}` on the host"

    def setting(self, key: str) -> str:
        """Return the flag for a setting."""
        return FLAGS[key].name

    def assignment(self, key: str, value: str) -> str:
        """Return the flag for a setting with its value."""
        return f"{FLAGS[key].name} {value or NO_VALUE}"

    @property
    def in_node_file(self) -> str:
        """Flags are written in no file."""
        return ""

    in_cluster_file = in_node_file

    @property
    def no_such_interface(self) -> str:
        """A container with a network of its own has none of the host's interfaces."""
        return "start the container with --net=host"


def container_facts_of(cluster: Cluster, addresses: str, devices: str, *, is_taken: bool) -> Facts:
    """Return the facts that rules look at: interfaces, RDMA devices, and who has Ray's port.

    `addresses` is what `ip -json address` printed, `devices` the files of RDMA devices.
    """
    listeners = (Listener(address=str(cluster.head.host_ip), port=cluster.head_port),)
    links = tuple(interface for interface in interfaces(addresses) if interface.name != LOOPBACK)
    return Facts(
        machine=UNKNOWN,
        links=Links(interfaces=links),
        rdma=rdma({"devices": devices}),
        listeners=listeners if is_taken else (),
    )


def problems(report: ContainerReport) -> tuple[Problem, ...]:
    """Return why this container cannot be the node."""
    alone = (report,)
    stop = report.problem("Ray already runs in this container", "stop it: `ray stop`")
    files = missing_device_files(report, report.container.device_files, DEVICES)
    return (
        *((stop,) if report.runs_ray else taken_ports.rule(alone)),
        *_first(missing_interface(report), misplaced_address(report)),
        *_first(no_device.rule(alone), missing_devices.rule(alone), files),
    )


def warnings(report: ContainerReport) -> tuple[Problem, ...]:
    """Return what works, but not well, or not yet."""
    message = f"no answer from {ray.address(report.cluster)} yet"
    silence = report.problem(message, "start the head: Ray tries for about two minutes")
    return (
        *_first(disabled_interface(report), missing_link.rule((report,))),
        *(() if report.head_answers else (silence,)),
        *small_shared_memory(report, report.container, SHARED_MEMORY),
        *limited_memory_lock(report, report.container, LOCKED_MEMORY),
    )


def _first(*rules: Iterator[Problem]) -> tuple[Problem, ...]:
    """Return the problems of the first rule that has any: they explain those of the next."""
    return next((problems for rule in rules if (problems := tuple(rule))), ())
