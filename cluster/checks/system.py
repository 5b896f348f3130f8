"""Whether a node's system is as vLLM and Ray need it, and like that of the others."""

from collections.abc import Iterator

from cluster.checks.check import Reports, check, differences, each
from cluster.checks.node_report import NodeReport, is_linked, is_machine, node_names
from cluster.errors import Problem

CLOCK = 2.0
"""Seconds by which the clocks of two nodes may differ: logs are read side by side."""
GRAPHICAL = "graphical.target"
BRIDGE = "bridge"
BROKEN_KERNEL = "7.0.0-1019-nvidia"
"""A kernel whose handover keeps memory that no device can pin (NVIDIA/NV-Kernels, pull/590)."""
NO_HANDOVER = "kho=off"
"""The word of the kernel's command line that switches the handover off."""


@check("hostname", "note", is_linked)
@each
def _hostname(report: NodeReport) -> Iterator[Problem]:
    """A node's own name resolves to an address that the others reach.

    Looks at: `getent ahostsv4 $(hostname)`, `ip address`
    Why: Programs that look up their own name give the others this address. The cluster's own
      programs do not, because of VLLM_HOST_IP and GLOO_SOCKET_IFNAME; mpirun and others may.
    Do: Give the node's name its HOST_IP in its /etc/hosts; Debian and Ubuntu write 127.0.1.1 there.
    Known from: torch.distributed, GLOO_SOCKET_IFNAME; Debian reference, /etc/hosts
    """
    name = report.facts.machine.hostname
    if address := _wrong_resolution(report):
        line = f"write the line `{report.node.host_ip} {name}` in its /etc/hosts"
        edit = report.command("sudoedit /etc/hosts")
        message = f"its own name, {name}, resolves to {address}"
        yield report.problem(message, f"{line}, in place of the present one: {edit}")


def _wrong_resolution(report: NodeReport) -> str:
    """Return what a machine's own name resolves to, if other nodes cannot use it; the first counts.

    Without GLOO_SOCKET_IFNAME, gloo would bind to it (torch.distributed). HOST_IP is right, even
    if no interface has it, which has its own check.
    """
    address = next(iter(report.facts.machine.resolved), None)
    if address == report.node.host_ip:
        return ""
    if not address:
        return "nothing"
    if address.is_loopback:
        return f"{address}, which no other node reaches"
    holder = report.facts.links.holder(address)
    if not holder:
        return "" if report.facts.links.error else f"{address}, which none of its interfaces has"
    return f"{address} of {holder.name}, a bridge" if holder.kind == BRIDGE else ""


@check("clock", "slow")
def _clock(reports: Reports) -> Iterator[Problem]:
    """The clocks of all nodes agree within 2 seconds.

    Looks at: `date +%s.%N` of all nodes at once
    Why: The lines of several logs cannot be put in order, and certificates and tokens may count as
      expired.
    Do: Let each node set its clock by the network: `timedatectl set-ntp true`.
    Known from: systemd-timesyncd.service(8)
    """
    comparable = tuple(report for report in reports if report.facts.lead is not None)
    leads = {report.node.name: report.facts.lead or 0.0 for report in comparable}
    difference = max(leads.values(), default=0.0) - min(leads.values(), default=0.0)
    if difference > CLOCK:
        values = ", ".join(f"{name} {lead:+.1f} s" for name, lead in leads.items())
        wrong = (report for report in comparable if abs(leads[report.node.name]) > CLOCK / 2)
        remedy = ", ".join(report.command("sudo timedatectl set-ntp true") for report in wrong)
        message = f"clocks differ by {difference:.1f} s; against this machine's: {values}"
        yield Problem(place=node_names(comparable), message=message, remedy=remedy)


@check("kernel-memory", "blocks", is_linked)
@each
def _kernel_memory(report: NodeReport) -> Iterator[Problem]:
    """The kernel lets RDMA register memory.

    Looks at: `uname -r`, CmaTotal and CmaFree in `/proc/meminfo`
    Why: Kernel 7.0.0-1019-nvidia keeps some GiB for its handover that no device can pin:
      `ibv_reg_mr` fails with `Cannot allocate memory`, even for small buffers.
    Do: boot a kernel 6.17, or this one with `kho=off`.
    Known from: eugr/spark-vllm-docker, issues 389 and 392; NVIDIA/NV-Kernels, pull/590
    """
    machine = report.facts.machine
    total, free = machine.memory.cma_total, machine.memory.cma_free
    if not report.node.ib_if or total is None or NO_HANDOVER in machine.command_line.split():
        return
    is_broken = total == 0 and machine.kernel == BROKEN_KERNEL
    if is_broken or (free is not None and free > total):
        numbers = f"CmaTotal {total >> 10} kB, CmaFree {(free or 0) >> 10} kB"
        message = f"kernel {machine.kernel} keeps memory that RDMA cannot register: {numbers}"
        add = f"add {NO_HANDOVER} to GRUB_CMDLINE_LINUX in /etc/default/grub"
        update = report.command("sudo update-grub")
        yield report.problem(message, f"boot kernel 6.17; or {add}, then {update} and restart")


@check("kernel-same", "slow", requires=("kernel-memory",))
def _kernel_same(reports: Reports) -> Iterator[Problem]:
    """All nodes run the same kernel.

    Looks at: `uname -r`
    Why: RDMA and the GPU's driver depend on it; what works on one node may fail on another, and
      measurements of one do not apply to the other.
    Do: Update all nodes on one day, and restart them.
    Known from: NVIDIA/NV-Kernels pull request 590; eugr/spark-vllm-docker issue 389
    """
    # Compare the kernels of machines of one architecture.
    for architecture in dict.fromkeys(report.facts.machine.architecture for report in reports):
        alike = (report for report in reports if report.facts.machine.architecture == architecture)
        yield from differences(
            "kernels differ", tuple(alike), lambda report: report.facts.machine.kernel, update
        )


def update(reports: Reports) -> str:
    """Return what gives all nodes the newest versions that their distribution has."""
    upgrade = "sudo apt-get update && sudo apt-get full-upgrade"
    return f"{', '.join(report.command(upgrade) for report in reports)}, then restart them"


@check("early-oom", "note", is_machine)
@each
def _early_oom(report: NodeReport) -> Iterator[Problem]:
    """The largest program is ended before memory is exhausted.

    Looks at: `systemctl is-active earlyoom systemd-oomd`
    Why: CPU and GPU share one memory, and no cgroup limits what the GPU takes. When it is exhausted
      the machine stops answering, SSH too, until it is switched off.
    Do: Install earlyoom.
    Known from: eugr/spark-vllm-docker issue 321; NVIDIA/open-gpu-kernel-modules issue 1358
    """
    if report.has_unified_memory and not report.facts.machine.early_oom:
        message = "no program is ended before memory is exhausted: no earlyoom, no systemd-oomd"
        yield report.problem(message, report.command("sudo apt-get install earlyoom"))


@check("desktop", "note", is_machine)
@each
def _desktop(report: NodeReport) -> Iterator[Problem]:
    """The node boots without a desktop.

    Looks at: `systemctl get-default`
    Why: A desktop takes gigabytes of the memory that model and GPU share, and large tests have
      frozen machines with one.
    Do: Boot into multi-user.target; `systemctl set-default graphical.target` brings the desktop
      back.
    Known from: eugr/spark-vllm-docker, README, 2026-03-17; NVIDIA/dgx-spark-playbooks issue 102
    """
    if report.has_unified_memory and report.facts.machine.target == GRAPHICAL:
        later = report.command("sudo systemctl set-default multi-user.target")
        at_once = report.command("sudo systemctl isolate multi-user.target")
        message = "boots into a desktop, which takes memory from the model"
        yield report.problem(message, f"{later}, and for now {at_once}, which ends the desktop")


@check("shared-memory-removal", "note", is_machine)
@each
def _shared_memory_removal(report: NodeReport) -> Iterator[Problem]:
    """Shared memory outlives the SSH session that made it.

    Looks at: `RemoveIPC` in /etc/systemd/logind.conf, and whether the user lingers
    Why: When a user's last session ends, logind removes the user's semaphores and shared memory;
      with the node's own /dev/shm, a running worker's may be among them.
    Do: Let the user linger, or give the container its own shared memory by SHM_SIZE.
    Known from: logind.conf(5), RemoveIPC; eugr/spark-vllm-docker issue 352
    """
    machine, cluster = report.facts.machine, report.cluster
    is_shared = cluster.privileged or cluster.shm_size is None
    if machine.remove_ipc and not machine.linger and is_shared and machine.user != "root":
        setting = "PRIVILEGED=true" if cluster.privileged else "SHM_SIZE=host"
        subject = f"its shared memory may be removed when user {machine.user} logs out"
        linger = report.command(f"sudo loginctl enable-linger {machine.user}")
        yield report.problem(f"{subject}: RemoveIPC, and {setting}", linger)


SYSTEM = (
    _hostname,
    _clock,
    _kernel_memory,
    _kernel_same,
    _early_oom,
    _desktop,
    _shared_memory_removal,
)
