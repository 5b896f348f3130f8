"""Whether the address of a node is on the machine of another."""

from collections.abc import Iterator
from ipaddress import IPv4Interface

from cluster.checks.addresses import Mixup, has, mixups
from cluster.checks.alike import names
from cluster.checks.check import Check, Patient
from cluster.errors import Problem
from cluster.facts.links import Interface

KEEP = "and netplan to keep it so"


def _twice(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    say = {
        "one machine": _one_machine,
        "swapped": _swapped,
        "as well": _as_well,
        "instead": _instead,
    }
    for its in mixups(patients):
        message, remedy = say[its.kind](its.one, its.other)
        yield Problem(place=_place(patients, its), message=message, remedy=remedy)


def _place(patients: tuple[Patient, ...], its: Mixup) -> str:
    return names(tuple(one for one in patients if one is its.one or one is its.other))


def _one_machine(one: Patient, other: Patient) -> tuple[str, str]:
    hosts = f"{one.node.ssh_host} and {other.node.ssh_host}"
    message = f"SSH_HOST {hosts} are one machine, {one.facts.machine.hostname}"
    wrong = other if has(one, one) else one
    return message, f"write {wrong.node.name}'s own SSH_HOST in {wrong.node_file}"


def _swapped(one: Patient, other: Patient) -> tuple[str, str]:
    """Say who has whose address, and which of two settings is the wrong one, if the names tell."""
    hosts = (one.facts.machine.hostname, other.facts.machine.hostname)
    first, second = one.node, other.node
    message = (
        f"HOST_IPs are swapped: the machine at SSH_HOST {first.ssh_host} has {second.host_ip},"
        f" and the one at {second.ssh_host} has {first.host_ip}"
    )
    ssh = f"SSH_HOST={second.ssh_host} in {one.node_file}, SSH_HOST={first.ssh_host}"
    own = f"HOST_IP={second.host_ip} in {one.node_file}, HOST_IP={first.host_ip}"
    right = ssh if hosts == (second.name, first.name) else own
    return message, f"write {right} in {other.node_file}"


def _as_well(one: Patient, other: Patient) -> tuple[str, str]:
    return f"{_held(one, other)} as well", f"{_given_back(one, other)}, {KEEP}"


def _instead(one: Patient, other: Patient) -> tuple[str, str]:
    return f"{_held(one, other)} instead", f"{_added(one)}, {_given_back(one, other)}, {KEEP}"


def _held(one: Patient, other: Patient) -> str:
    where = ", ".join(interface.name for interface, _ in _holders(one, other))
    mine = f"{one.node.host_ip}, HOST_IP of {one.node.name}"
    return f"{mine}, is on {where} of {other.node.name}"


def _given_back(one: Patient, other: Patient) -> str:
    """Return how the other machine loses the address, and gets its own if it has not."""
    gone = (
        other.on(f"sudo ip address del {address} dev {interface.name}")
        for interface, address in _holders(one, other)
    )
    return ", ".join((*gone, *(() if has(other, other) else (_added(other),))))


def _holders(one: Patient, other: Patient) -> Iterator[tuple[Interface, IPv4Interface]]:
    """Yield the interfaces of another machine that have a node's address, each as it has it."""
    for interface in other.facts.links.interfaces:
        for address in interface.addresses:
            if address.ip == one.node.host_ip:
                yield interface, address


def _added(patient: Patient) -> str:
    new = f"{patient.node.host_ip}/{patient.cluster.subnet.prefixlen}"
    return patient.on(f"sudo ip address add {new} dev {patient.node.eth_if}")


TWICE: tuple[Check, ...] = (
    Check(
        name="twice",
        severity="blocks",
        title="Each HOST_IP is on the machine of its node, and on no other",
        looks_at="`ip address` of all nodes",
        why="Who asks for a node reaches another, or now one and now the other: Ray's nodes come "
        "and go, and ranks wait for each other.",
        remedy="Give each machine its own address, or correct HOST_IP and SSH_HOST.",
        source="RFC 5227; vLLM, vllm/v1/executor: every node should have a unique IP address",
        look=_twice,
    ),
)
