"""Whether a node's system is as vLLM and Ray need it, and like that of the others."""

from collections.abc import Iterator

from cluster.checks.alike import apart, names
from cluster.checks.check import Check, Patient
from cluster.checks.fabric import joined, machines
from cluster.checks.registration import REGISTRATION
from cluster.checks.spark import SPARK, computes, driver, is_spark, unified
from cluster.errors import Problem

CLOCK = 2.0
"""Seconds by which the clocks of two nodes may differ: logs are read side by side."""
HANGING = "590."
"""A driver branch with a deadlock on GB10 (eugr/spark-vllm-docker, README, 2026-03-12)."""
GRAPHICAL = "graphical.target"
BRIDGE = "bridge"
KERNEL_MEMORY = next(its for its in REGISTRATION if its.name == "kernel-memory")


def _hostname(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.machine
    if wrong := _resolution(patient):
        line = f"write the line `{patient.node.host_ip} {its.hostname}` in its /etc/hosts"
        remedy = f"{line}, instead of what it says now: {patient.on('sudoedit /etc/hosts')}"
        yield patient.problem(f"its own name, {its.hostname}, resolves to {wrong}", remedy)


def _resolution(patient: Patient) -> str:
    """Say where a machine's own name leads to, if that is no address for others: the first counts.

    Without GLOO_SOCKET_IFNAME, gloo would bind to it (torch.distributed). HOST_IP is right, even
    where no interface has it, which is said elsewhere.
    """
    address = next(iter(patient.facts.machine.resolved), None)
    if address == patient.node.host_ip:
        return ""
    if not address:
        return "nothing"
    if address.is_loopback:
        return f"{address}, which no other node reaches"
    holder = patient.facts.links.holder(address)
    if not holder:
        return "" if patient.facts.links.error else f"{address}, which none of its interfaces has"
    return f"{address} of {holder.name}, a bridge" if holder.kind == BRIDGE else ""


def _clock(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    leads = {its.node.name: its.facts.lead for its in patients if its.facts.lead is not None}
    known = tuple(its for its in patients if its.node.name in leads)
    apart_by = max(leads.values(), default=0.0) - min(leads.values(), default=0.0)
    if apart_by > CLOCK:
        each = ", ".join(f"{name} {lead:+.1f} s" for name, lead in leads.items())
        off = (its for its in known if abs(leads[its.node.name]) > CLOCK / 2)
        remedy = ", ".join(its.on("sudo timedatectl set-ntp true") for its in off)
        message = f"clocks differ by {apart_by:.1f} s; against this machine's: {each}"
        yield Problem(place=names(known), message=message, remedy=remedy)


def _kernel_same(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Compare kernels of machines of one kind, but those that are a problem of their own."""
    broken = {found.place for found in KERNEL_MEMORY.look(patients)}
    kinds = dict.fromkeys(its.facts.machine.architecture for its in patients)
    for kind in kinds:
        alike = tuple(its for its in patients if its.facts.machine.architecture == kind)
        others = tuple(its for its in alike if its.node.name not in broken)
        yield from apart("kernels differ", others, lambda its: its.facts.machine.kernel, _update)


def _driver_same(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Compare drivers, but those that are a problem of their own."""
    others = tuple(its for its in patients if computes(its) and not any(_driver(its)))
    yield from apart("GPU drivers differ", others, driver, _update)


def _update(patients: tuple[Patient, ...]) -> str:
    """Return what brings all nodes to the newest of what their distribution has."""
    update = "sudo apt-get update && sudo apt-get full-upgrade"
    return f"{', '.join(its.on(update) for its in patients)}, then restart them"


def _driver(patient: Patient) -> Iterator[Problem]:
    its = driver(patient)
    if computes(patient) and is_spark(patient) and its.startswith(HANGING):
        message = f"GPU driver {its}: capturing CUDA graphs can hang with it on a Spark"
        new = patient.on("sudo apt-get install nvidia-driver-580-open")
        without = f"SERVE_ARGS=--enforce-eager in {patient.cluster_file}"
        yield patient.problem(message, f"{new}, then restart it; or write {without}")


def _early_oom(patient: Patient) -> Iterator[Problem]:
    if unified(patient) and not patient.facts.machine.early_oom:
        message = (
            "nothing ends a program before memory is all gone: neither earlyoom nor systemd-oomd"
        )
        yield patient.problem(message, patient.on("sudo apt-get install earlyoom"))


def _desktop(patient: Patient) -> Iterator[Problem]:
    if unified(patient) and patient.facts.machine.target == GRAPHICAL:
        later = patient.on("sudo systemctl set-default multi-user.target")
        at_once = patient.on("sudo systemctl isolate multi-user.target")
        message = "boots into a desktop, which takes memory from the model"
        yield patient.problem(message, f"{later}, and for now {at_once}, which ends the desktop")


def _shared_memory_removal(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.machine
    shared = patient.cluster.privileged or patient.cluster.shm_size is None
    if its.remove_ipc and not its.linger and shared and its.user != "root":
        which = "PRIVILEGED=true" if patient.cluster.privileged else "SHM_SIZE=host"
        message = (
            f"its shared memory may be removed when {its.user} logs out: RemoveIPC, and {which}"
        )
        yield patient.problem(message, patient.on(f"sudo loginctl enable-linger {its.user}"))


def _not_a_spark(patient: Patient) -> Iterator[Problem]:
    gpus = patient.facts.gpus.gpus
    if computes(patient) and gpus and not is_spark(patient):
        message = f"its GPU is {gpus[0].name}, not the {SPARK} of a Spark"
        build = patient.cluster.inv("build", "--arch", "CAPABILITY")
        yield patient.problem(message, f"{build} makes an image for it: docs/image.md")


SYSTEM: tuple[Check, ...] = (
    Check(
        name="hostname",
        severity="note",
        title="A node's own name leads to an address that the others reach",
        looks_at="`getent ahostsv4 $(hostname)`, `ip address`",
        why="Programs that look up their own name tell the others this address. The cluster's own "
        "do not: VLLM_HOST_IP and GLOO_SOCKET_IFNAME say it; mpirun and others may.",
        remedy="Name the node with its HOST_IP in its /etc/hosts; Debian and Ubuntu write "
        "127.0.1.1 there.",
        source="torch.distributed, GLOO_SOCKET_IFNAME; Debian reference, /etc/hosts",
        look=joined(_hostname),
    ),
    Check(
        name="clock",
        severity="slow",
        title="The clocks of all nodes agree within 2 seconds",
        looks_at="`date +%s.%N` of all nodes at once",
        why="The lines of several logs cannot be put in order, and certificates and tokens may be "
        "taken for expired.",
        remedy="Let each node set its clock by the network: `timedatectl set-ntp true`.",
        source="systemd-timesyncd.service(8)",
        look=_clock,
    ),
    Check(
        name="kernel-same",
        severity="slow",
        title="All nodes run the same kernel",
        looks_at="`uname -r`",
        why="RDMA and the GPU's driver depend on it; what works on one node may fail on another, "
        "and numbers measured on one say nothing of the other.",
        remedy="Update all nodes on one day, and restart them.",
        source="NVIDIA/NV-Kernels pull request 590; eugr/spark-vllm-docker issue 389",
        look=_kernel_same,
    ),
    Check(
        name="driver-same",
        severity="slow",
        title="All nodes have the same GPU driver",
        looks_at="`nvidia-smi --query-gpu=driver_version --format=csv`",
        why="Ranks wait for each other, so the slowest driver is that of all; an error of one "
        "looks like one of the network.",
        remedy="Update all nodes on one day, and restart them.",
        source="eugr/spark-vllm-docker, README, 2026-03-12",
        look=_driver_same,
    ),
    Check(
        name="driver",
        severity="slow",
        title="The GPU's driver is not of branch 590",
        looks_at="`nvidia-smi --query-gpu=driver_version --format=csv`",
        why="On GB10, capturing CUDA graphs came to a deadlock with it, and a server that hangs "
        "while it warms up looks like one that is slow.",
        remedy="Install a driver of branch 580, which DGX OS has; or serve with --enforce-eager.",
        source="eugr/spark-vllm-docker, README, 2026-03-12",
        look=machines(_driver),
    ),
    Check(
        name="early-oom",
        severity="note",
        title="Something ends the largest program before memory is all gone",
        looks_at="`systemctl is-active earlyoom systemd-oomd`",
        why="CPU and GPU share one memory, and no cgroup bounds what the GPU takes. When it is all "
        "gone the machine stops answering, SSH too, until it is switched off.",
        remedy="Install earlyoom.",
        source="eugr/spark-vllm-docker issue 321; NVIDIA/open-gpu-kernel-modules issue 1358",
        look=machines(_early_oom),
    ),
    Check(
        name="desktop",
        severity="note",
        title="The node boots without a desktop",
        looks_at="`systemctl get-default`",
        why="A desktop takes gigabytes of the memory that model and GPU share, and large tests "
        "have frozen machines with one.",
        remedy="Boot into multi-user.target; `systemctl set-default graphical.target` is the way "
        "back.",
        source="eugr/spark-vllm-docker, README, 2026-03-17; NVIDIA/dgx-spark-playbooks issue 102",
        look=machines(_desktop),
    ),
    Check(
        name="shared-memory-removal",
        severity="note",
        title="Shared memory outlives the SSH session that made it",
        looks_at="`RemoveIPC` in /etc/systemd/logind.conf, and whether the user lingers",
        why="When a user's last session ends, logind removes the user's semaphores and shared "
        "memory; with the node's own /dev/shm, a running worker's may be among them.",
        remedy="Let the user linger, or give the container its own shared memory by SHM_SIZE.",
        source="logind.conf(5), RemoveIPC; eugr/spark-vllm-docker issue 352",
        look=machines(_shared_memory_removal),
    ),
    Check(
        name="not-a-spark",
        severity="note",
        title="The GPU is a Spark's",
        looks_at="`nvidia-smi --query-gpu=name --format=csv`",
        why="The image, the share of memory and the names in the documentation are for GB10.",
        remedy="Build an image for the GPU that is there.",
        source="eugr/spark-vllm-docker, README, 2026-03-31",
        look=machines(_not_a_spark),
    ),
)
