"""Whether the address of a node is on the machine of another."""

from collections.abc import Iterator

from cluster.doctor.addresses import Mixup, has, mixups
from cluster.doctor.alike import names
from cluster.doctor.check import Check, Patient
from cluster.errors import Problem


def _twice(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    say = {
        "one machine": _one_machine,
        "swapped": _swapped,
        "as well": _as_well,
        "instead": _instead,
    }
    for its in mixups(patients):
        what, remedy = say[its.kind](its.one, its.other)
        yield Problem(place=_place(patients, its), what=what, remedy=remedy)


def _place(patients: tuple[Patient, ...], its: Mixup) -> str:
    return names(tuple(one for one in patients if one is its.one or one is its.other))


def _one_machine(one: Patient, other: Patient) -> tuple[str, str]:
    hosts = f"{one.node.ssh_host} and {other.node.ssh_host}"
    what = f"SSH_HOST {hosts} are one machine, {one.facts.machine.hostname}"
    wrong = other if has(one, one) else one
    return what, f"write {wrong.node.name}'s own SSH_HOST in {wrong.own_file}"


def _swapped(one: Patient, other: Patient) -> tuple[str, str]:
    """Say who has whose address, and which of two settings is the wrong one, if the names tell."""
    hosts = (one.facts.machine.hostname, other.facts.machine.hostname)
    first, second = one.node, other.node
    what = (
        f"HOST_IP are swapped: the machine at SSH_HOST {first.ssh_host} has {second.host_ip},"
        f" and the one at {second.ssh_host} has {first.host_ip}"
    )
    ssh = f"SSH_HOST={second.ssh_host} in {one.own_file}, SSH_HOST={first.ssh_host}"
    own = f"HOST_IP={second.host_ip} in {one.own_file}, HOST_IP={first.host_ip}"
    right = ssh if hosts == (second.name, first.name) else own
    return what, f"write {right} in {other.own_file}"


def _as_well(one: Patient, other: Patient) -> tuple[str, str]:
    held = f"{one.node.host_ip}, HOST_IP of {one.node.name}"
    return f"{held}, is on {_holder(one, other)} as well", _given_back(one, other)


def _instead(one: Patient, other: Patient) -> tuple[str, str]:
    held = f"{one.node.host_ip}, HOST_IP of {one.node.name}"
    what = f"{held}, is on {_holder(one, other)} instead"
    return what, f"{_added(one)}, {_given_back(one, other)}"


def _holder(one: Patient, other: Patient) -> str:
    holder = other.facts.links.holder(one.node.host_ip)
    return f"{holder.name if holder else 'an interface'} of {other.node.name}"


def _given_back(one: Patient, other: Patient) -> str:
    """Return how the other machine loses the address, and gets its own if it has not."""
    gone = "".join(
        other.on(f"sudo ip address del {its} dev {interface.name}")
        for interface in other.facts.links.interfaces
        for its in interface.addresses
        if its.ip == one.node.host_ip
    )
    own = "" if has(other, other) else f", {_added(other)}"
    return f"{gone}{own}, and netplan to keep it so"


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
