"""Whether the interface and the address of a node are as its settings say, and have a link."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from cluster.checks.check import check, each
from cluster.checks.node_report import NodeReport, is_linked, is_machine
from cluster.errors import Problem
from cluster.facts.links import DOCKERS, RJ45, Interface
from cluster.node import Node
from cluster.text import did_you_mean

KEEP = "and keep it in netplan"


def missing_interface(report: NodeReport) -> Iterator[Problem]:
    """Report an ETH_IF that does not exist, or that the node cannot list its interfaces."""
    if error := report.facts.links.error:
        install = report.command("sudo apt install iproute2")
        yield report.problem(f"cannot list its interfaces: {error}", install)
    elif not report.interface:
        rows = (f"{candidate.name} ({_addresses(candidate)})" for candidate in report.interfaces)
        name = f"{report.setting('ETH_IF')} {report.node.eth_if}"
        message = f"{name} does not exist; interfaces: {', '.join(rows) or 'none'}"
        yield report.problem(message, _right_name(report))


def _right_name(report: NodeReport) -> str:
    """Return how to find the right name: HOST_IP shows it, if its interface may be ETH_IF."""
    if holder := _candidate(report):
        name = report.assignment("ETH_IF", holder.name)
        address = f"{report.setting('HOST_IP')} {report.node.host_ip}"
        return f"write {name}{report.in_node_file}: it has {address}"
    names = (interface.name for interface in report.interfaces if interface.name != RJ45)
    return did_you_mean(report.node.eth_if, names, report.no_such_interface)


def disabled_interface(report: NodeReport) -> Iterator[Problem]:
    """Report an ETH_IF that is switched off."""
    interface = report.interface
    if interface and not interface.enabled and not _is_elsewhere(report):
        up = report.command(f"sudo ip link set {interface.name} up")
        message = f"{report.setting('ETH_IF')} {interface.name} is switched off"
        yield report.problem(message, f"{up}, {KEEP}")


@check("cable", "blocks", is_linked)
@each
def missing_link(report: NodeReport) -> Iterator[Problem]:
    """ETH_IF has a link.

    Looks at: `ip address`, the flag NO-CARRIER
    Why: Without a cable that ends at a running machine, no node reaches this one by its HOST_IP.
    Do: plug the cable in, or write the port that it is in as ETH_IF and IB_IF; two Sparks need not
      use the same port.
    Known from: NVIDIA dgx-spark-playbooks, connect-two-sparks
    """
    interface = report.interface
    if interface and interface.enabled and not interface.carrier and not _is_elsewhere(report):
        linked = ", ".join(candidate.name for candidate in report.interfaces if candidate.alive)
        name = f"{report.setting('ETH_IF')} {interface.name}"
        message = f"{name} has no link; interfaces with a link: {linked or 'none'}"
        yield report.problem(message, check_cable(report))


def check_cable(report: NodeReport) -> str:
    """Return what to do about a port without a link."""
    look = f"check the cable and its other end with {report.command('ibdev2netdev')}"
    keys = f"{report.setting('ETH_IF')} and {report.setting('IB_IF')}"
    return f"{look}, or write the port that the cable is in as {keys}{report.in_node_file}"


def misplaced_address(report: NodeReport) -> Iterator[Problem]:
    """Report a HOST_IP that another interface than ETH_IF has, or none."""
    interface, holder = report.interface, report.holder
    if interface and (_is_elsewhere(report) or not holder):
        place = f"{_place(holder)}, not on" if holder else f"{_place(holder)};"
        keys = (report.setting("HOST_IP"), report.setting("ETH_IF"))
        message = f"{keys[0]} {report.node.host_ip} is on {place} {keys[1]} {interface.name}"
        addresses = f"{', which' if holder else ''} has {_addresses(interface)}"
        yield report.problem(f"{message}{addresses}", _bring_together(report, interface))


def _bring_together(report: NodeReport, interface: Interface) -> str:
    """Return how HOST_IP and ETH_IF come together."""
    candidate = _candidate(report)
    lasting = tuple(address.ip for address in interface.addresses if not address.is_link_local)
    assignments = (
        *((report.assignment("ETH_IF", candidate.name),) if candidate else ()),
        *(report.assignment("HOST_IP", str(address)) for address in lasting[:1]),
    )
    if assignments:
        return f"write {' or '.join(assignments)}{report.in_node_file}"
    if _is_elsewhere(report):
        key = report.setting("HOST_IP")
        return f"give {interface.name} an address, and write it as {key}{report.in_node_file}"
    return f"{add_address(report)}, {KEEP}"


def add_address(report: NodeReport) -> str:
    """Return the command that gives ETH_IF its HOST_IP, in the network of the cluster."""
    address = f"{report.node.host_ip}/{report.cluster.subnet.prefixlen}"
    return report.command(f"sudo ip address add {address} dev {report.node.eth_if}")


def detour(report: NodeReport) -> tuple[Node, Interface, IPv4Address] | None:
    """Return what leads to the other nodes, if ETH_IF has HOST_IP and does not.

    That is a peer, the interface, and its address in the network of the peer. The head's ETH_IF is
    always right, except on the slow port.
    """
    interface = report.interface
    if not interface or report.node.host_ip not in (address.ip for address in interface.addresses):
        return None
    cluster = report.cluster
    peers: tuple[Node, ...] = cluster.workers if report.node.eth_if == RJ45 else ()
    if report.node.role == "worker":
        peers = (cluster.head,)
    if any(peer.host_ip in address.network for address in interface.addresses for peer in peers):
        return None
    detours = (
        (peer, candidate, address.ip)
        for candidate in report.interfaces
        if candidate.name != RJ45
        for address in candidate.addresses
        for peer in peers
        if peer.host_ip in address.network
    )
    return next(detours, None)


@check("interface", "blocks", is_machine)
@each
def _interface(report: NodeReport) -> Iterator[Problem]:
    """ETH_IF is an interface of the node, and switched on.

    Looks at: `ip address`
    Why: NCCL and gloo are given this interface, and fail when it does not exist.
    Do: write the name of the ConnectX link's interface as ETH_IF in the node's env file; nodes may
      have different ones.
    Known from: NCCL's user guide, NCCL_SOCKET_IFNAME; torch.distributed, GLOO_SOCKET_IFNAME
    """
    yield from missing_interface(report)
    yield from disabled_interface(report)


@check("address", "blocks", is_machine, requires=("twice",))
@each
def _address(report: NodeReport) -> Iterator[Problem]:
    """HOST_IP is an address of ETH_IF.

    Looks at: `ip address`
    Why: Ray binds to HOST_IP, which fails if no interface has it; if another interface has it, the
      cluster's data uses the slow network.
    Do: give ETH_IF the address, or write the address that it has as HOST_IP.
    Known from: vLLM's guide to multi-node serving, VLLM_HOST_IP
    """
    # An interface without a link may have no address because of that; one node needs no link.
    link, is_alone = report.interface, not report.cluster.workers
    if _is_elsewhere(report) or (link and link.enabled and (link.carrier or is_alone)):
        yield from misplaced_address(report)
    if better := detour(report):
        peer, interface, address = better
        expected = f"{peer.name}'s {peer.host_ip} is in the network of {interface.name}"
        message = f"HOST_IP {report.node.host_ip} is on {_place(report.interface)}; {expected}"
        lines = f"ETH_IF={interface.name} and HOST_IP={address}"
        yield report.problem(message, f"write {lines} in {report.node_file}")


@check("link-local", "note", is_linked)
@each
def _link_local(report: NodeReport) -> Iterator[Problem]:
    """HOST_IP is a permanent address.

    Looks at: HOST_IP, and the network 169.254.0.0/16
    Why: A link-local address changes with each restart, and the settings are wrong then.
    Do: give the interface a static address in netplan.
    Known from: RFC 3927
    """
    interface, address = report.interface, report.node.host_ip
    if interface and address.is_link_local and not _is_elsewhere(report):
        message = f"HOST_IP {address} is link-local: after a restart the node has another one"
        static = f"give {interface.name} an address in netplan"
        yield report.problem(message, f"{static}, and write it as HOST_IP in {report.node_file}")


@check("default-route", "note", is_linked)
@each
def _default_route(report: NodeReport) -> Iterator[Problem]:
    """No default route goes over the cluster's link.

    Looks at: `ip route`
    Why: Downloads and packages would look for the internet at the other end of the cable.
    Do: keep the internet on the RJ45 port or the wireless network.
    Known from: NVIDIA dgx-spark-playbooks, multi-sparks-through-switch, step 4
    """
    fast = {twin.interface.name for twin in report.used}
    routes = report.facts.links.routes
    devices = (route.device for route in routes if route.destination == "default")
    for name in dict.fromkeys(device for device in devices if device in fast):
        message = f"a default route goes over {name}, the cluster's link"
        apply = report.command("sudo netplan apply")
        yield report.problem(message, f"remove its gateway from /etc/netplan/, then {apply}")


def _candidate(report: NodeReport) -> Interface | None:
    """Return the interface with HOST_IP, if it may be ETH_IF."""
    holder = report.holder
    if not holder or holder.name.startswith(DOCKERS):
        return None
    return holder if holder.name != RJ45 or report.is_in_ring else None


def _is_elsewhere(report: NodeReport) -> bool:
    """Whether another interface has HOST_IP: ETH_IF's link does not matter then."""
    return bool(report.holder and report.holder.name != report.node.eth_if)


def _place(holder: Interface | None) -> str:
    """Return the name of an interface, with what the slow one is."""
    if not holder:
        return "no interface"
    return f"{RJ45}, the 10 Gb/s port" if holder.name == RJ45 else holder.name


def _addresses(interface: Interface) -> str:
    return ", ".join(str(address.ip) for address in interface.addresses) or "no IPv4 address"


INTERFACES = (_interface, _address, missing_link, _link_local, _default_route)
