"""Whether the interface and the address of a node are as its settings say, and have a link."""

from collections.abc import Iterator

from cluster.checks.addresses import mixed_up
from cluster.checks.check import Check, Patient
from cluster.checks.fabric import Detour, detour, in_ring, joined, machines, ours, own, used
from cluster.checks.twins import TWINS
from cluster.errors import Problem
from cluster.facts.links import DOCKERS, RJ45, Interface
from cluster.text import did_you_mean

PLAYBOOK = "NVIDIA dgx-spark-playbooks, connect-two-sparks"


def cable(patient: Patient) -> str:
    """Return what to do about a port without a link."""
    look = f"look at the cable and its other end by {patient.on('ibdev2netdev')}"
    return f"{look}, or write the port that it is in as ETH_IF and IB_IF in {patient.node_file}"


def place(holder: Interface | None) -> str:
    """Name an interface, the slow one as what it is."""
    if not holder:
        return "no interface"
    return f"{RJ45}, the 10 Gb/s port" if holder.name == RJ45 else holder.name


def _interface(patient: Patient) -> Iterator[Problem]:
    its = ours(patient)
    if patient.facts.links.error:
        message = f"cannot list its interfaces: {patient.facts.links.error}"
        yield patient.problem(message, patient.on("sudo apt install iproute2"))
    elif not its:
        yield _absent(patient)
    elif not its.enabled and not _elsewhere(patient):
        remedy = f"{patient.on(f'sudo ip link set {its.name} up')}, and netplan to keep it so"
        yield patient.problem(f"ETH_IF {its.name} is switched off", remedy)


def _absent(patient: Patient) -> Problem:
    there = ", ".join(f"{one.name} ({_addresses(one)})" for one in own(patient)) or "none"
    message = f"ETH_IF {patient.node.eth_if} does not exist; there are: {there}"
    return patient.problem(message, _other_name(patient))


def _other_name(patient: Patient) -> str:
    """Return how to find the right name: HOST_IP tells, if it is where it should be."""
    holder = _candidate(patient)
    if holder:
        which = f"which has HOST_IP {patient.node.host_ip}"
        return f"write ETH_IF={holder.name}, {which}, in {patient.node_file}"
    otherwise = f"write the one of the ConnectX link in {patient.node_file}"
    others = (one.name for one in own(patient) if one.name != RJ45)
    return did_you_mean(patient.node.eth_if, others, otherwise)


def _addressed(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    """Look at the nodes whose address no other node's machine has; `twice` speaks of those."""
    others = mixed_up(patients)
    return machines(_address)(tuple(its for its in patients if its.node.name not in others))


def _address(patient: Patient) -> Iterator[Problem]:
    its = ours(patient)
    holder = patient.facts.links.holder(patient.node.host_ip)
    if its and (_elsewhere(patient) or not (holder or _dead(patient, its))):
        yield _apart(patient, its, holder)
    if better := detour(patient):
        yield _away(patient, better)


def _away(patient: Patient, better: Detour) -> Problem:
    """Say which interface leads to the others: ETH_IF may be the slow port."""
    other, name = better.other, better.interface.name
    message = f"HOST_IP {patient.node.host_ip} is on {place(ours(patient))}"
    where = f"{other.name}'s {other.host_ip} is in the network of {name}"
    lines = f"ETH_IF={name} and HOST_IP={better.address}"
    return patient.problem(f"{message}; {where}", f"write {lines} in {patient.node_file}")


def _apart(patient: Patient, its: Interface, holder: Interface | None) -> Problem:
    """Say where HOST_IP is: from another interface everything would work, and go the slow way."""
    where = f"{place(holder)}, not on" if holder else f"{place(holder)};"
    message = f"HOST_IP {patient.node.host_ip} is on {where} ETH_IF {its.name}"
    which = f"{', which' if holder else ''} has {_addresses(its)}"
    return patient.problem(f"{message}{which}", _together(patient, its))


def _together(patient: Patient, its: Interface) -> str:
    """Return how HOST_IP and ETH_IF come together."""
    other = _candidate(patient)
    lasting = tuple(one.ip for one in its.addresses if not one.is_link_local)
    lines = (
        *((f"ETH_IF={other.name}",) if other else ()),
        *(f"HOST_IP={address}" for address in lasting[:1]),
    )
    if lines:
        return f"write {' or '.join(lines)} in {patient.node_file}"
    if _elsewhere(patient):
        return f"give {its.name} an address, and write it as HOST_IP in {patient.node_file}"
    new = f"{patient.node.host_ip}/{patient.cluster.subnet.prefixlen}"
    return f"{patient.on(f'sudo ip address add {new} dev {its.name}')}, and netplan to keep it"


def _cable(patient: Patient) -> Iterator[Problem]:
    its = ours(patient)
    if its and its.enabled and not its.carrier and not _elsewhere(patient):
        alive = ", ".join(one.name for one in own(patient) if one.alive)
        message = f"ETH_IF {its.name} has no link; those with one: {alive or 'none'}"
        yield patient.problem(message, cable(patient))


def _link_local(patient: Patient) -> Iterator[Problem]:
    its = ours(patient)
    address = patient.node.host_ip
    if its and address.is_link_local and not _elsewhere(patient):
        message = f"HOST_IP {address} is one that the node gave itself, and another after a restart"
        wanted = f"give {its.name} an address by netplan"
        yield patient.problem(message, f"{wanted}, and write it as HOST_IP in {patient.node_file}")


def _default_route(patient: Patient) -> Iterator[Problem]:
    fast = {twin.interface.name for twin in used(patient)}
    routes = patient.facts.links.routes
    default = (one.device for one in routes if one.destination == "default")
    for name in dict.fromkeys(device for device in default if device in fast):
        remedy = "take its gateway out of /etc/netplan/"
        message = f"a default route goes over {name}, the cluster's link"
        yield patient.problem(message, f"{remedy}, then {patient.on('sudo netplan apply')}")


def _candidate(patient: Patient) -> Interface | None:
    """Return the interface with HOST_IP, if it may be ETH_IF."""
    holder = patient.facts.links.holder(patient.node.host_ip)
    if not holder or holder.name.startswith(DOCKERS):
        return None
    return holder if holder.name != RJ45 or in_ring(patient) else None


def _elsewhere(patient: Patient) -> bool:
    """Tell whether another interface than ETH_IF has HOST_IP: then ETH_IF's link is beside it."""
    holder = patient.facts.links.holder(patient.node.host_ip)
    return bool(holder and holder.name != patient.node.eth_if)


def _dead(patient: Patient, its: Interface) -> bool:
    """Tell whether ETH_IF has no link, which may be why it has no address."""
    return not its.enabled or (not its.carrier and bool(patient.cluster.workers))


def _addresses(one: Interface) -> str:
    return ", ".join(str(address.ip) for address in one.addresses) or "no IPv4 address"


LINKS: tuple[Check, ...] = (
    Check(
        name="interface",
        severity="blocks",
        title="ETH_IF is an interface of the node, and switched on",
        looks_at="`ip address`",
        why="NCCL and gloo are told to use this interface, and end when it is not there.",
        remedy="write the name of the ConnectX link's interface as ETH_IF in the node's env file; "
        "nodes may have different ones.",
        source="NCCL's user guide, NCCL_SOCKET_IFNAME; torch.distributed, GLOO_SOCKET_IFNAME",
        look=machines(_interface),
    ),
    Check(
        name="address",
        severity="blocks",
        title="HOST_IP is an address of ETH_IF",
        looks_at="`ip address`",
        why="Ray binds to HOST_IP, which fails where no interface has it; where another one has "
        "it, the cluster's data takes the slow way.",
        remedy="give ETH_IF the address, or write the address that it has as HOST_IP.",
        source="vLLM's guide to multi-node serving, VLLM_HOST_IP",
        look=_addressed,
    ),
    Check(
        name="cable",
        severity="blocks",
        title="ETH_IF has a link",
        looks_at="`ip address`, the flag NO-CARRIER",
        why="Without a cable with a living other end, no node reaches this one by its HOST_IP.",
        remedy="put the cable in, or write the port that it is in as ETH_IF and IB_IF; two Sparks "
        "need not use the same port.",
        source=PLAYBOOK,
        look=joined(_cable),
    ),
    Check(
        name="link-local",
        severity="note",
        title="HOST_IP is an address that lasts",
        looks_at="HOST_IP, and the network 169.254.0.0/16",
        why="A link-local address is another one after a restart, and the settings are wrong then.",
        remedy="give the interface an address of your own by netplan.",
        source="RFC 3927",
        look=joined(_link_local),
    ),
    *TWINS,
    Check(
        name="default-route",
        severity="note",
        title="No default route goes over the cluster's link",
        looks_at="`ip route`",
        why="Downloads and packages would look for the internet at the other end of the cable.",
        remedy="keep the internet on the RJ45 port or the wireless network.",
        source="NVIDIA dgx-spark-playbooks, multi-sparks-through-switch, step 4",
        look=joined(_default_route),
    ),
)
