"""Whether both twins of a port bring what a Spark's ConnectX-7 can: 200 Gb/s by two PCIe links."""

from collections.abc import Iterator

from cluster.checks.check import Check, Patient
from cluster.checks.fabric import (
    absent,
    counterpart,
    detour,
    in_ring,
    joined,
    named,
    ours,
    port_of,
    used,
)
from cluster.errors import Problem
from cluster.facts.links import RJ45, Interface
from cluster.facts.ports import Twin, twins

FULL = 200_000
"""Mb/s of a ConnectX-7 port."""
LANES = 4
GENERATION = 32.0
"""GT/s of each PCIe lane."""
SWITCH = "NVIDIA dgx-spark-playbooks, multi-sparks-through-switch"


def _link_speed(patient: Patient) -> Iterator[Problem]:
    its = ours(patient)
    if its and _beside(patient, its):
        yield _slow_way(patient, its)
    slow = tuple(twin for twin in used(patient) if _below(patient, twin))
    for port in dict.fromkeys(twin.port for twin in slow):
        names = tuple(twin.interface.name for twin in slow if twin.port == port)
        speed = min(twin.interface.speed or 0 for twin in slow if twin.port == port)
        yield _slow_link(patient, names, speed)


def _below(patient: Patient, twin: Twin) -> bool:
    """Tell whether a twin is slower than it could be; other cards have other speeds."""
    speed = twin.interface.speed
    return (
        twin.alive
        and counterpart(patient.facts, twin) is not None
        and speed is not None
        and speed < FULL
    )


def _slow_link(patient: Patient, names: tuple[str, ...], speed: int) -> Problem:
    runs = "runs" if len(names) == 1 else "run"
    shows = f"{patient.on(f'sudo ethtool {names[0]}')} shows what cable and other end can do"
    message = f"{', '.join(names)} {runs} at {speed / 1000:g} of {FULL / 1000:g} Gb/s"
    return patient.problem(message, f"{shows}; on a switch, set 200 Gb/s without auto-negotiation")


def _beside(patient: Patient, its: Interface) -> bool:
    """Tell whether ETH_IF is no ConnectX port, and could be one; of virtual ones nobody knows."""
    if its.kind or in_ring(patient) or port_of(patient.facts, its.name) or detour(patient):
        return False
    return its.name == RJ45 or (bool(twins(patient.facts)) and not absent(patient))


def _slow_way(patient: Patient, its: Interface) -> Problem:
    which = "the 10 Gb/s port" if its.name == RJ45 else "no ConnectX port"
    alive = tuple(twin.interface for twin in twins(patient.facts) if twin.alive)
    others = ", ".join(one.name for one in alive) or "none"
    message = f"ETH_IF {its.name} is {which}; ConnectX ports with a link: {others}"
    remedy = f"write one of them as ETH_IF, and its address as HOST_IP, in {patient.node_file}"
    return patient.problem(message, remedy if alive else f"put a cable in, and {_then(patient)}")


def _then(patient: Patient) -> str:
    return f"write its port as ETH_IF, and the address of that as HOST_IP, in {patient.node_file}"


def _twin_cable(patient: Patient) -> Iterator[Problem]:
    """Find twins without a link; what ETH_IF lacks is said of the whole port."""
    for twin in used(patient) if patient.node.ib_if else ():
        other = counterpart(patient.facts, twin)
        if twin.alive and other and not other.alive and other.interface != ours(patient):
            yield _no_twin(patient, twin.interface.name, other.interface)


def _no_twin(patient: Patient, name: str, other: Interface) -> Problem:
    role = f"the other twin of {name}"
    if other.enabled:
        remedy = f"push the cable in anew, or restart {patient.node.name}: both share one cable"
        return patient.problem(f"{other.name}, {role}, has no link", remedy)
    up = patient.on(f"sudo ip link set {other.name} up")
    return patient.problem(
        f"{other.name}, {role}, is switched off", f"{up}, and netplan to keep it so"
    )


def _twin_address(patient: Patient) -> Iterator[Problem]:
    """Find twins without an address, but those whose addresses a VLAN, bond or bridge has."""
    its = ours(patient)
    for twin in named(patient) if its and not its.kind else ():
        one = twin.interface
        if twin.alive and not one.addresses and one != its:
            message = f"{one.name} has no IPv4 address, and IB_IF names its {twin.device.name}"
            remedy = f"give {one.name} one by netplan, in a network of its own"
            yield patient.problem(message, remedy)


def _twin_subnets(patient: Patient) -> Iterator[Problem]:
    chosen = {twin.port for twin in used(patient)}
    interfaces = tuple(twin.interface for twin in twins(patient.facts) if twin.port in chosen)
    networks = dict.fromkeys(its.network for one in interfaces for its in one.addresses)
    for network in networks:
        names = tuple(
            one.name for one in interfaces if network in (its.network for its in one.addresses)
        )
        if len(names) > 1:
            other = next(name for name in reversed(names) if name != patient.node.eth_if)
            remedy = f"give {other} an address in another network by netplan"
            yield patient.problem(f"{' and '.join(names)} are in one network, {network}", remedy)


def _pcie_width(patient: Patient) -> Iterator[Problem]:
    for twin in used(patient):
        has = _lanes(twin.interface) if counterpart(patient.facts, twin) else ""
        if has:
            update = patient.on("sudo fwupdmgr update")
            yield patient.problem(f"{twin.interface.name} has {has}", f"{update}, then a restart")


def _lanes(one: Interface) -> str:
    """Say what a PCIe link lacks; nothing when that is nothing, or unknown."""
    if one.pcie_width is not None and one.pcie_width < LANES:
        return f"{one.pcie_width} of {LANES} PCIe lanes"
    speed = one.pcie_speed.partition(" ")[0]
    slow = speed.replace(".", "", 1).isdecimal() and float(speed) < GENERATION
    return f"PCIe lanes of {speed} of {GENERATION:g} GT/s" if slow else ""


TWINS: tuple[Check, ...] = (
    Check(
        name="link-speed",
        severity="slow",
        title="The cluster's data goes over ConnectX, at 200 Gb/s",
        looks_at="`/sys/class/net/*/speed`, ETH_IF, and the interfaces of the RDMA devices",
        why="Tensor parallelism waits for the link at every layer; the RJ45 port has a twentieth "
        "of a ConnectX port's speed.",
        remedy="use a ConnectX port as ETH_IF; a switch that settles on 100 Gb/s needs the speed "
        "set, and auto-negotiation off.",
        source=f"{SWITCH}, step 3",
        look=joined(_link_speed),
    ),
    Check(
        name="twin-cable",
        severity="slow",
        title="Both twins of a port have a link",
        looks_at="`ip address`, and PCI addresses: the twins are one function on two PCI domains",
        why="Each twin carries about 100 Gb/s, as its PCIe link has four lanes; NCCL leaves out a "
        "twin without a link, without a word.",
        remedy="switch the other twin on, and have netplan keep it so.",
        source="NVIDIA dgx-spark-playbooks, connect-two-sparks; NCCL, src/transport/net_ib",
        look=joined(_twin_cable),
    ),
    Check(
        name="twin-address",
        severity="slow",
        title="Each interface of the devices in IB_IF has an IPv4 address",
        looks_at="`ip address`",
        why="Without one the RDMA device has no RoCE v2 address of its own: NCCL falls back to a "
        "link-local one, which may work on a cable, and never through a switch that routes.",
        remedy="give each twin an address, each in a network of its own.",
        source="NVIDIA dgx-spark-playbooks, connect-two-sparks; NCCL, src/transport/net_ib",
        look=joined(_twin_address),
    ),
    Check(
        name="twin-subnets",
        severity="slow",
        title="Every ConnectX interface has a network of its own",
        looks_at="`ip address`",
        why="With two interfaces in one network the kernel sends everything out of one of them, "
        "and answers come back by the other.",
        remedy="give the second twin an address in another network, the same one on all nodes.",
        source=f"{SWITCH}, step 4",
        look=joined(_twin_subnets),
    ),
    Check(
        name="pcie-width",
        severity="slow",
        title="Each twin of a port has its four PCIe lanes",
        looks_at="`/sys/class/net/*/device/current_link_width` and `current_link_speed`",
        why="Old firmware trained the second twin with two lanes, which halves what it carries.",
        remedy="update the firmware with `fwupdmgr`, and restart.",
        source="tonyd2wild/DeepSeek-v4-Flash-Vision-Exp-DSpark-1M-NVFP4-KV-2x-DGX-Spark, pull/35",
        look=joined(_pcie_width),
    ),
)
