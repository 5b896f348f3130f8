"""Whether a node's RDMA devices are those of its link, work, are all used, and have addresses."""

from collections.abc import Iterable, Iterator

from cluster.checks.check import check, each
from cluster.checks.interfaces import check_cable
from cluster.checks.node_report import NodeReport, device_names, is_linked, is_machine
from cluster.errors import Problem
from cluster.facts.ports import Twin
from cluster.facts.rdma import ACTIVE, Device
from cluster.node_context import NodeContext
from cluster.text import did_you_mean

DEVICE_FILES = "/dev/infiniband"
FORCED = "NCCL_IB_GID_INDEX"
NCCL_CHOOSES = "-1"
"""Its default, as any negative number."""
ROCE_2 = "RoCE v2"
ETHERNET = "Ethernet"


@check("rdma-none", "blocks", is_machine)
@each
def no_device(report: NodeReport) -> Iterator[Problem]:
    """A node with IB_IF has RDMA devices.

    Looks at: `/sys/class/infiniband`
    Why: NCCL is told to use RDMA only, so it fails instead of falling back to TCP.
    Do: load the driver, `mlx5_ib`; or leave IB_IF empty, for sockets only.
    Known from: NCCL's user guide, NCCL_NET and NCCL_IB_HCA
    """
    if report.node.ib_if and not report.facts.rdma.devices:
        yield no_device_problem(report)


def no_device_problem(context: NodeContext) -> Problem:
    """Return the problem that a node has no RDMA device at all."""
    message = f"has no RDMA device, but {context.setting('IB_IF')} is"
    load = context.command("sudo modprobe mlx5_ib")
    names = ",".join(context.node.ib_if)
    return context.problem(f"{message} {names}", f"{load}, {sockets_only(context)}")


def sockets_only(context: NodeContext) -> str:
    """Return how a node does without RDMA."""
    empty = context.assignment("IB_IF", "")
    return f"or write {empty}{context.in_node_file}, for sockets only"


@check("rdma-names", "blocks", is_machine, requires=("rdma-none",))
@each
def missing_devices(report: NodeReport) -> Iterator[Problem]:
    """The RDMA devices of IB_IF exist.

    Looks at: `/sys/class/infiniband`
    Why: NCCL takes the names literally, and uses no device of another name.
    Do: write the devices of ETH_IF's port as IB_IF; some systems name them mlx5_N.
    Known from: NCCL's user guide, NCCL_IB_HCA
    """
    if unknown := report.missing_devices:
        verb = "does" if len(unknown) == 1 else "do"
        names = f"{report.setting('IB_IF')} {', '.join(unknown)}"
        message = f"{names} {verb} not exist; RDMA devices: {_listing(report)}"
        yield report.problem(message, _right_names(report, unknown))


def _right_names(report: NodeReport, unknown: tuple[str, ...]) -> str:
    """Return how to find the right names: ETH_IF shows them, if it is a ConnectX port."""
    if report.port:
        return _write(report, (twin.device.name for twin in report.port))
    devices = (device.name for device in report.facts.rdma.devices)
    unused = tuple(name for name in devices if name not in report.node.ib_if)
    default = f"write the devices of the ConnectX link as {report.setting('IB_IF')}"
    return did_you_mean(unknown[0], unused, f"{default}{report.in_node_file}")


def missing_device_files(
    context: NodeContext, names: Iterable[str], remedy: str
) -> Iterator[Problem]:
    """Report that programs cannot reach the RDMA devices by these files of `DEVICE_FILES`."""
    if context.node.ib_if and not any(name.startswith("uverbs") for name in names):
        yield context.problem(f"RDMA devices cannot be used: no {DEVICE_FILES}/uverbs*", remedy)


def load_device_files(context: NodeContext) -> str:
    """Return how a machine gets the files."""
    return f"{context.command('sudo modprobe ib_uverbs')}, {sockets_only(context)}"


@check("rdma-port", "blocks", is_linked)
@each
def _port(report: NodeReport) -> Iterator[Problem]:
    """RDMA devices of IB_IF are active, in a ring all of them.

    Looks at: `/sys/class/infiniband/*/ports/1/state`
    Why: NCCL leaves out ports that are not active, and fails when none is left.
    Do: check the cable and its other end, or restart both machines.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks; NCCL, src/transport/net_ib
    """
    names = {*report.node.ib_if}
    relevant = names - device_names(report.stray_twins) or names - device_names(report.wrong_twins)
    dead = ", ".join(
        device.name
        for device in report.facts.rdma.devices
        if not device.active and device.name in relevant and not _is_explained(report, device)
    )
    if dead and not report.has_working_device:
        message = f"IB_IF {dead}: not {ACTIVE}; RDMA devices: {_listing(report)}"
        yield report.problem(message, check_cable(report))


def _is_explained(report: NodeReport, device: Device) -> bool:
    """Whether a device is inactive because its interface has no link.

    `cable` reports that of ETH_IF's port, `twin-cable` that of one twin while the other has a link.
    """
    twin = next((twin for twin in report.twins if twin.device == device), None)
    if not twin or twin.alive:
        return False
    counterpart = report.counterpart(twin)
    return twin in report.port or bool(counterpart and counterpart.alive)


@check("rdma-pair", "blocks", is_linked)
@each
def _pair(report: NodeReport) -> Iterator[Problem]:
    """ETH_IF and IB_IF are of one port.

    Looks at: `/sys/class/infiniband/*/device/net`, and PCI addresses
    Why: The ranks connect over ETH_IF and send over IB_IF; the other port has no cable, or one that
      leads elsewhere.
    Do: write the RDMA devices of ETH_IF's port as IB_IF, both twins; in a ring, where ETH_IF is no
      ConnectX port, those of all ports.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks and connect-three-sparks
    """
    wrong = ", ".join(twin.device.name for twin in report.wrong_twins)
    if wrong:
        verb = "are" if "," in wrong else "is"
        message = f"IB_IF {wrong} {verb} of another port than ETH_IF {report.node.eth_if}"
        yield report.problem(message, _write(report, (twin.device.name for twin in report.port)))


@check("rdma-files", "blocks", is_machine, requires=("rdma-none",))
@each
def _files(report: NodeReport) -> Iterator[Problem]:
    """Programs can reach the RDMA devices.

    Looks at: `/dev/infiniband/uverbs*`
    Why: Containers are given these files; without them NCCL sees no device.
    Do: load the driver, `ib_uverbs`.
    Known from: Linux, Documentation/infiniband/user_verbs.rst
    """
    names = report.facts.rdma.device_files
    return missing_device_files(report, names, load_device_files(report))


@check("rdma-unused", "slow", is_linked)
@each
def _unused(report: NodeReport) -> Iterator[Problem]:
    """Available RDMA devices are used.

    Looks at: `/sys/class/infiniband/*/ports/1/state`, and IB_IF
    Why: Over TCP the link carries about half of what it could, and each message takes longer.
    Do: write the RDMA devices of ETH_IF's port as IB_IF.
    Known from: catharsis.net.au/blog/nvidea-dgx-spark-benchmarking; NVIDIA dgx-spark-playbooks,
      connect-two-sparks
    """
    # Report active devices of a node without IB_IF; NCCL alone would use them, and needs GPUs.
    if not report.node.ib_if and report.cluster.accelerator != "none":
        twins = report.twins if report.is_in_ring else report.port
        names = tuple(twin.device.name for twin in twins if twin.device.active)
        if names:
            verb = "is" if len(names) == 1 else "are"
            message = f"IB_IF is empty, but {', '.join(names)} {verb} {ACTIVE}"
            yield report.problem(message, _write(report, names))


@check("rdma-half", "slow", is_linked, requires=("rdma-pair",))
@each
def _half(report: NodeReport) -> Iterator[Problem]:
    """IB_IF names both twins of a port, and both are active.

    Looks at: `/sys/class/infiniband/*/device`: twins are one function on two PCI domains;
      `ports/1/state`
    Why: Each twin has its own PCIe link of about 100 Gb/s: one device is half of the port.
    Do: write both as IB_IF, with a comma between them.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks, performance_benchmarking_guide.md
    """
    # Report twins that NCCL does not use: IB_IF leaves them out, or they are inactive.
    yield from _left_out(report)
    active = tuple(twin for twin in report.chosen if twin.device.active)
    for twin in report.chosen if report.has_working_device else ():
        if twin.alive and twin not in active and report.counterpart(twin) in active:
            state = twin.device.state or "no port"
            message = f"{twin.device.name} ({state}) of IB_IF is not {ACTIVE}"
            remedy = f"restart {report.node.name}, or the machine at the other end of the cable"
            yield report.problem(message, remedy)


def _left_out(report: NodeReport) -> Iterator[Problem]:
    """Report active devices that IB_IF should name as well, if what it names is right."""
    ports = {twin.port for twin in report.chosen}
    related = tuple(twin for twin in report.twins if report.is_in_ring or twin.port in ports)
    unused = tuple(
        twin.device.name for twin in related if twin.device.active and twin not in report.chosen
    )
    if report.chosen and unused and not report.missing_devices:
        verb = "is" if len(unused) == 1 else "are"
        names = ",".join(report.node.ib_if)
        idle = device_names(twin for twin in report.stray_twins if not twin.device.active)
        kept = (name for name in report.node.ib_if if name not in idle)
        message = f"IB_IF {names} leaves out {', '.join(unused)}, which {verb} {ACTIVE}"
        yield report.problem(message, _write(report, (*kept, *unused)))


@check("gid-index", "blocks", is_linked)
@each
def _gid_index(report: NodeReport) -> Iterator[Problem]:
    """A forced row of the GID tables fits every device.

    Looks at: NCCL_IB_GID_INDEX, and `gids`, `gid_attrs/types` and `gid_attrs/ndevs` of each device
      in `/sys/class/infiniband/*/ports/1`
    Why: NCCL uses this number unchecked on every device; a wrong row fails with `ibv_modify_qp
      failed`. Rows move when addresses do.
    Do: leave the variable out: NCCL 2.21 and later find the row of each device.
    Known from: NCCL's user guide, NCCL_IB_GID_INDEX; NVIDIA/nccl, issue 1131
    """
    node_variables = dict(report.node.variables)
    file = report.node_file if FORCED in node_variables else report.cluster_file
    variables = dict(report.cluster.variables) | node_variables
    value = str(variables.get(FORCED, NCCL_CHOOSES))
    if faults := _row_faults(report, value):
        message = f"{FORCED} {value} is used unchecked: {faults}"
        yield report.problem(message, f"remove it from {file}: NCCL finds the row by itself")


def _row_faults(report: NodeReport, value: str) -> str:
    """Return what is wrong with a row on each device; an inactive one has no full table."""
    if value.startswith(NCCL_CHOOSES[0]):
        return ""
    if not value.isdecimal():
        return "it is not a number"
    active = (twin for twin in report.chosen if twin.device.active)
    faults = ((twin.device.name, _row_fault(twin, int(value))) for twin in active)
    return ", ".join(f"{name} {fault}" for name, fault in faults if fault)


def _row_fault(twin: Twin, index: int) -> str:
    """Return what is wrong with a row of a device's GID table; InfiniBand has only one kind."""
    row = next((row for row in twin.device.gids if row.index == index), None)
    if not row:
        return "has no such row"
    if twin.device.link_layer != ETHERNET:
        return ""
    if row.kind != ROCE_2:
        return f"has {row.kind or 'an unknown kind'} there, not {ROCE_2}"
    if row.netdev not in {"", twin.interface.name}:
        return f"has a row of {row.netdev} there"
    if row.address not in {address.ip for address in twin.interface.addresses}:
        return f"has {row.address or row.value} there, no IPv4 address of {twin.interface.name}"
    return ""


def _listing(report: NodeReport) -> str:
    devices = report.facts.rdma.devices
    return ", ".join(f"{device.name} ({device.state or 'no port'})" for device in devices)


def _write(report: NodeReport, names: Iterable[str]) -> str:
    return f"write {report.assignment('IB_IF', ','.join(names))}{report.in_node_file}"


RDMA = (no_device, missing_devices, _port, _pair, _files, _unused, _half, _gid_index)
