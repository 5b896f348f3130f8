"""Whether the twins of a port give what a Spark's ConnectX-7 can: 200 Gb/s over two PCIe links."""

from collections.abc import Iterator

from cluster.checks.check import check, each
from cluster.checks.interfaces import KEEP, detour
from cluster.checks.node_report import NodeReport, is_linked
from cluster.errors import Problem
from cluster.facts.links import RJ45, Interface
from cluster.facts.ports import Twin

FULL = 200_000
"""Mb/s of a ConnectX-7 port."""
LANES = 4
GENERATION = 32.0
"""GT/s of each PCIe lane."""


@check("link-speed", "slow", is_linked)
@each
def _link_speed(report: NodeReport) -> Iterator[Problem]:
    """The cluster's data goes over ConnectX, at 200 Gb/s.

    Looks at: `/sys/class/net/*/speed`, ETH_IF, and the interfaces of the RDMA devices
    Why: Tensor parallelism waits for the link at every layer; the RJ45 port has a twentieth of a
      ConnectX port's speed.
    Do: use a ConnectX port as ETH_IF; a switch that settles on 100 Gb/s needs the speed set, and
      auto-negotiation off.
    Known from: NVIDIA dgx-spark-playbooks, multi-sparks-through-switch, step 3
    """
    if report.interface and _is_slow_choice(report, report.interface):
        yield _slow_choice(report, report.interface)
    slow = tuple(twin for twin in report.used if _is_slow(report, twin))
    for port in dict.fromkeys(twin.port for twin in slow):
        interfaces = tuple(twin.interface for twin in slow if twin.port == port)
        names = ", ".join(interface.name for interface in interfaces)
        speed = min(interface.speed or 0 for interface in interfaces)
        runs = "run" if "," in names else "runs"
        message = f"{names} {runs} at {speed / 1000:g} of {FULL / 1000:g} Gb/s"
        ethtool = report.command(f"sudo ethtool {interfaces[0].name}")
        show = f"{ethtool} shows what the cable and its other end can do"
        switch = "on a switch, set 200 Gb/s without auto-negotiation"
        yield report.problem(message, f"{show}; {switch}")


def _is_slow(report: NodeReport, twin: Twin) -> bool:
    """Whether a Spark's twin is slower than it could be; other cards have other speeds."""
    speed = twin.interface.speed
    return bool(twin.alive and report.counterpart(twin) and speed is not None and speed < FULL)


def _is_slow_choice(report: NodeReport, interface: Interface) -> bool:
    """Whether ETH_IF is no ConnectX port but could be one; a virtual interface may be on a port."""
    if interface.kind or report.is_in_ring or report.port or detour(report):
        return False
    return interface.name == RJ45 or (bool(report.twins) and not report.missing_devices)


def _slow_choice(report: NodeReport, interface: Interface) -> Problem:
    kind = "the 10 Gb/s port" if interface.name == RJ45 else "not a ConnectX port"
    linked = ", ".join(twin.interface.name for twin in report.twins if twin.alive)
    message = f"ETH_IF {interface.name} is {kind}; ConnectX ports with a link: {linked or 'none'}"
    write = f"write its interface as ETH_IF, and its address as HOST_IP, in {report.node_file}"
    return report.problem(message, f"{'choose one' if linked else 'plug a cable in'}, and {write}")


@check("twin-cable", "slow", is_linked)
@each
def _twin_cable(report: NodeReport) -> Iterator[Problem]:
    """Both twins of a port have a link.

    Looks at: `ip address`, and PCI addresses: twins are one function on two PCI domains
    Why: Each twin carries about 100 Gb/s, as its PCIe link has four lanes; NCCL silently leaves out
      a twin without a link.
    Do: switch the other twin on, and keep it on in netplan.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks; NCCL, src/transport/net_ib
    """
    # Report twins without a link; ETH_IF without one is a problem of the whole port.
    for twin in report.used if report.node.ib_if else ():
        counterpart = report.counterpart(twin)
        dead = counterpart.interface if counterpart and not counterpart.alive else None
        if twin.alive and dead and dead != report.interface:
            yield _dead_twin(report, twin.interface.name, dead)


def _dead_twin(report: NodeReport, name: str, dead: Interface) -> Problem:
    role = f"{dead.name}, the twin of {name},"
    if dead.enabled:
        remedy = f"plug the cable in again, or restart {report.node.name}: both share one cable"
        return report.problem(f"{role} has no link", remedy)
    up = report.command(f"sudo ip link set {dead.name} up")
    return report.problem(f"{role} is switched off", f"{up}, {KEEP}")


@check("twin-address", "slow", is_linked)
@each
def _twin_address(report: NodeReport) -> Iterator[Problem]:
    """Each interface of the devices in IB_IF has an IPv4 address.

    Looks at: `ip address`
    Why: Without one the RDMA device has no RoCE v2 address of its own: NCCL falls back to a
      link-local one, which may work on a cable, and never through a switch that routes.
    Do: give each twin an address, each in a network of its own.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks; NCCL, src/transport/net_ib
    """
    # Report twins without an address, unless a VLAN, bond or bridge has it.
    if not report.interface or report.interface.kind:
        return
    for twin in report.chosen:
        name = twin.interface.name
        if twin.alive and not twin.interface.addresses and twin.interface != report.interface:
            message = f"{name} has no IPv4 address, but IB_IF names its {twin.device.name}"
            remedy = f"give {name} an address in netplan, in a network of its own"
            yield report.problem(message, remedy)


@check("twin-subnets", "slow", is_linked)
@each
def _twin_subnets(report: NodeReport) -> Iterator[Problem]:
    """Every ConnectX interface has a network of its own.

    Looks at: `ip address`
    Why: With two interfaces in one network the kernel sends everything through one of them, and
      answers arrive at the other.
    Do: give the second twin an address in another network, the same one on all nodes.
    Known from: NVIDIA dgx-spark-playbooks, multi-sparks-through-switch, step 4
    """
    ports = {twin.port for twin in report.used}
    names: dict[str, list[str]] = {}
    for interface in (twin.interface for twin in report.twins if twin.port in ports):
        for network in dict.fromkeys(str(address.network) for address in interface.addresses):
            names.setdefault(network, []).append(interface.name)
    for network, members in names.items():
        if len(members) > 1:
            second = next(name for name in reversed(members) if name != report.node.eth_if)
            remedy = f"give {second} an address in another network, in netplan"
            yield report.problem(f"{' and '.join(members)} are in one network, {network}", remedy)


@check("pcie-width", "slow", is_linked)
@each
def _pcie_width(report: NodeReport) -> Iterator[Problem]:
    """Each twin of a port has its four PCIe lanes.

    Looks at: `/sys/class/net/*/device/current_link_width` and `current_link_speed`
    Why: Old firmware gave the second twin two lanes, which halves what it carries.
    Do: update the firmware with `fwupdmgr`, and restart.
    Known from: tonyd2wild/DeepSeek-v4-Flash-Vision-Exp-DSpark-1M-NVFP4-KV-2x-DGX-Spark, pull/35
    """
    for twin in report.used:
        lanes = _reduced_lanes(twin.interface) if report.counterpart(twin) else ""
        if lanes:
            update = report.command("sudo fwupdmgr update")
            yield report.problem(f"{twin.interface.name} has {lanes}", f"{update}, then restart it")


def _reduced_lanes(interface: Interface) -> str:
    """Return what a PCIe link lacks; empty if it lacks nothing, or is unknown."""
    if interface.pcie_width is not None and interface.pcie_width < LANES:
        return f"{interface.pcie_width} of {LANES} PCIe lanes"
    speed = interface.pcie_speed.partition(" ")[0]
    is_slow = speed.replace(".", "", 1).isdecimal() and float(speed) < GENERATION
    return f"PCIe lanes of {speed} of {GENERATION:g} GT/s" if is_slow else ""


TWINS = (_link_speed, _twin_cable, _twin_address, _twin_subnets, _pcie_width)
