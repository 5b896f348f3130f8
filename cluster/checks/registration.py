"""Whether RDMA devices can be addressed by the row that is forced, and register memory at all."""

from collections.abc import Iterator

from cluster.checks.check import Check, Patient
from cluster.checks.fabric import joined, named
from cluster.errors import Problem
from cluster.facts.ports import Twin

FORCED = "NCCL_IB_GID_INDEX"
ROCE_2 = "RoCE v2"
ETHERNET = "Ethernet"
BROKEN = "7.0.0-1019-nvidia"
"""A kernel whose handover keeps memory that no device can pin (NVIDIA/NV-Kernels, pull/590)."""
WITHOUT = "kho=off"
"""The word of the kernel's command line that ends this."""


def _gid_index(patient: Patient) -> Iterator[Problem]:
    files = {
        patient.cluster_file: patient.cluster.variables,
        patient.node_file: patient.node.variables,
    }
    forced = {file: dict(its)[FORCED] for file, its in files.items() if FORCED in dict(its)}
    for file, value in tuple(forced.items())[-1:]:
        wrong = _wrong(patient, str(value))
        if wrong:
            message = f"{FORCED} {value} is used unchecked: {wrong}"
            yield patient.problem(message, f"take it out of {file}: NCCL finds the row by itself")


def _wrong(patient: Patient, value: str) -> str:
    """Say what is wrong with a row on each device; those that are not active have no full table."""
    if value.startswith("-"):
        return ""
    if not value.isdecimal():
        return "it is no number"
    twins = (twin for twin in named(patient) if twin.device.active)
    found = ((twin.device.name, _row(twin, int(value))) for twin in twins)
    return ", ".join(f"{name} {why}" for name, why in found if why)


def _row(twin: Twin, index: int) -> str:
    """Say what is wrong with a row of a device's GID table; InfiniBand has no other kind."""
    row = next((one for one in twin.device.gids if one.index == index), None)
    if not row:
        return "has no such row"
    if twin.device.link_layer != ETHERNET:
        return ""
    if row.kind != ROCE_2:
        return f"has {row.kind or 'an unknown kind'} there, not {ROCE_2}"
    if row.netdev not in {"", twin.interface.name}:
        return f"has a row of {row.netdev} there"
    if row.address not in {its.ip for its in twin.interface.addresses}:
        return f"has {row.address or row.value} there, no IPv4 address of {twin.interface.name}"
    return ""


def _kernel_memory(patient: Patient) -> Iterator[Problem]:
    machine = patient.facts.machine
    total, free = machine.memory.cma_total, machine.memory.cma_free
    if not patient.node.ib_if or total is None or WITHOUT in machine.command_line.split():
        return
    broken = total == 0 and machine.kernel == BROKEN
    if broken or (free is not None and free > total):
        has = f"CmaTotal {total >> 10} kB, CmaFree {(free or 0) >> 10} kB"
        message = f"kernel {machine.kernel} keeps memory that RDMA cannot register: {has}"
        yield patient.problem(message, _other_kernel(patient))


def _other_kernel(patient: Patient) -> str:
    add = f"add {WITHOUT} to GRUB_CMDLINE_LINUX in /etc/default/grub"
    return f"start kernel 6.17; or {add}, then {patient.on('sudo update-grub')} and a restart"


REGISTRATION: tuple[Check, ...] = (
    Check(
        name="gid-index",
        severity="blocks",
        title="A forced row of the GID tables fits every device",
        looks_at=f"{FORCED}, and `gids`, `gid_attrs/types` and `gid_attrs/ndevs` of each device in "
        "`/sys/class/infiniband/*/ports/1`",
        why="NCCL uses a number given here unchecked on every device; a wrong row fails with "
        "`ibv_modify_qp failed`. Rows move when addresses do.",
        remedy="leave the variable out: NCCL 2.21 and later find the row of each device.",
        source="NCCL's user guide, NCCL_IB_GID_INDEX; NVIDIA/nccl, issue 1131",
        look=joined(_gid_index),
    ),
    Check(
        name="kernel-memory",
        severity="blocks",
        title="The kernel lets RDMA register memory",
        looks_at="`uname -r`, CmaTotal and CmaFree in `/proc/meminfo`",
        why="Kernel 7.0.0-1019-nvidia keeps some GiB for its handover that no device can pin: "
        "`ibv_reg_mr` fails with `Cannot allocate memory`, even for small buffers.",
        remedy="start a kernel 6.17, or this one with `kho=off`.",
        source="eugr/spark-vllm-docker, issues 389 and 392; NVIDIA/NV-Kernels, pull/590",
        look=joined(_kernel_memory),
    ),
)
