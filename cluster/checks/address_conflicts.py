"""Whether the address of a node is on the machine of another node."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Interface
from itertools import combinations, permutations

from cluster.checks.check import Reports, check
from cluster.checks.interfaces import KEEP, add_address
from cluster.checks.node_report import NodeReport, is_machine, node_names
from cluster.errors import Problem
from cluster.facts.links import Interface

Kind = Callable[[NodeReport, NodeReport], tuple[str, str]]
"""Returns message and remedy: HOST_IP of a node, the owner, is on the machine of a holder."""


@check("twice", "blocks", is_machine)
def _twice(reports: Reports) -> Iterator[Problem]:
    """Each HOST_IP is on the machine of its node, and on no other.

    Looks at: `ip address` of all nodes
    Why: A connection to one node reaches another, or now one and now the other: Ray's nodes come
      and go, and ranks wait for each other.
    Do: Give each machine its own address, or correct HOST_IP and SSH_HOST.
    Known from: RFC 5227; vLLM, vllm/v1/executor: every node should have a unique IP address
    """
    for kind, *pair in _conflicts(reports):
        message, remedy = kind(*pair)
        place = node_names(report for report in reports if report in pair)
        yield Problem(place=place, message=message, remedy=remedy)


def _conflicts(reports: Reports) -> Iterator[tuple[Kind, NodeReport, NodeReport]]:
    """Yield every conflict once: first those that concern both nodes alike."""
    mutual = set()
    for first, second in combinations(reports, 2):
        if kind := _mutual_kind(first, second):
            mutual.add(_names(first, second))
            yield kind, first, second
    for owner, holder in permutations(reports, 2):
        if _has_address_of(holder, owner) and _names(owner, holder) not in mutual:
            yield _as_well if _has_address_of(owner, owner) else _instead, owner, holder


def _mutual_kind(first: NodeReport, second: NodeReport) -> Kind | None:
    if _identity(first) == _identity(second):
        return _one_machine
    crossed = _has_address_of(first, second) and _has_address_of(second, first)
    has_own = _has_address_of(first, first) or _has_address_of(second, second)
    return _swapped if crossed and not has_own else None


def _has_address_of(holder: NodeReport, owner: NodeReport) -> bool:
    return holder.facts.links.holder(owner.node.host_ip) is not None


def _names(first: NodeReport, second: NodeReport) -> frozenset[str]:
    return frozenset({first.node.name, second.node.name})


def _identity(report: NodeReport) -> tuple[str, frozenset[str]]:
    """Return what no two machines have in common."""
    macs = frozenset(interface.mac for interface in report.facts.links.interfaces)
    return report.facts.machine.hostname, macs


def _one_machine(first: NodeReport, second: NodeReport) -> tuple[str, str]:
    hosts = f"{first.node.ssh_host} and {second.node.ssh_host}"
    message = f"SSH_HOST {hosts} are one machine, {first.facts.machine.hostname}"
    wrong = second if _has_address_of(first, first) else first
    return message, f"write {wrong.node.name}'s own SSH_HOST in {wrong.node_file}"


def _swapped(first: NodeReport, second: NodeReport) -> tuple[str, str]:
    """Report swapped addresses; the hostnames show which of two settings is the wrong one."""
    hostnames = (first.facts.machine.hostname, second.facts.machine.hostname)
    node_a, node_b = first.node, second.node
    message = (
        f"HOST_IPs are swapped: the machine at SSH_HOST {node_a.ssh_host} has {node_b.host_ip},"
        f" and the one at {node_b.ssh_host} has {node_a.host_ip}"
    )
    ssh = f"SSH_HOST={node_b.ssh_host} in {first.node_file}, SSH_HOST={node_a.ssh_host}"
    addresses = f"HOST_IP={node_b.host_ip} in {first.node_file}, HOST_IP={node_a.host_ip}"
    right = ssh if hostnames == (node_b.name, node_a.name) else addresses
    return message, f"write {right} in {second.node_file}"


def _as_well(owner: NodeReport, holder: NodeReport) -> tuple[str, str]:
    return f"{_location(owner, holder)} as well", f"{_give_back(owner, holder)}, {KEEP}"


def _instead(owner: NodeReport, holder: NodeReport) -> tuple[str, str]:
    remedy = f"{add_address(owner)}, {_give_back(owner, holder)}, {KEEP}"
    return f"{_location(owner, holder)} instead", remedy


def _location(owner: NodeReport, holder: NodeReport) -> str:
    interfaces = ", ".join(interface.name for interface, _ in _holders(owner, holder))
    address = f"{owner.node.host_ip}, HOST_IP of {owner.node.name}"
    return f"{address}, is on {interfaces} of {holder.node.name}"


def _give_back(owner: NodeReport, holder: NodeReport) -> str:
    """Return how the holder loses the address, and gets its own one if it lacks that."""
    commands = [
        holder.command(f"sudo ip address del {address} dev {interface.name}")
        for interface, address in _holders(owner, holder)
    ]
    if not _has_address_of(holder, holder):
        commands.append(add_address(holder))
    return ", ".join(commands)


def _holders(owner: NodeReport, holder: NodeReport) -> Iterator[tuple[Interface, IPv4Interface]]:
    """Yield the interfaces of the holder that have the owner's address, with its network there."""
    for interface in holder.facts.links.interfaces:
        for address in interface.addresses:
            if address.ip == owner.node.host_ip:
                yield interface, address


ADDRESS_CONFLICTS = (_twice,)
