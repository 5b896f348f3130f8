"""What is wrong between the files: only the whole cluster can know it."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from cluster.node import DEFAULT
from cluster.settings.envfile import Fault
from cluster.settings.page import CLUSTER_FILE, Page
from cluster.settings.schema import HEAD_IP, HEAD_PORT, HOST_IP, ROLE, SERVE_PORT, SUBNET


def faults(name: str, shared: Page, nodes: tuple[Page, ...]) -> Iterator[Fault]:
    """Yield what does not fit together; a value that is missing or wrong is not judged again."""
    folder = shared.path.removesuffix(CLUSTER_FILE)
    heads = tuple(node for node in nodes if node.get(ROLE) == "head")
    yield from _ports(shared)
    yield from _addresses(nodes)
    if nodes:
        yield from _heads(folder, nodes, heads)
    else:
        yield _no_nodes(name, folder)
    if len(heads) == 1:
        yield from _head_ips(heads[0], nodes)
    if subnet := _subnet(shared, heads):
        yield from _outside(subnet, shared, nodes)


def around(head_ip: IPv4Address) -> IPv4Network:
    """Return the /24 around an address: what SUBNET is by default."""
    return IPv4Network(f"{head_ip}/24", strict=False)


def _ports(shared: Page) -> Iterator[Fault]:
    if (port := shared.get(SERVE_PORT)) and port == shared.get(HEAD_PORT):
        one, other = (
            (SERVE_PORT, HEAD_PORT) if SERVE_PORT.name in shared.lines else (HEAD_PORT, SERVE_PORT)
        )
        yield shared.fault(
            one, f"{port} is {other.name} as well", "choose another; both listen on the head"
        )


def _addresses(nodes: tuple[Page, ...]) -> Iterator[Fault]:
    first: dict[IPv4Address, Page] = {}
    for node in nodes:
        if (host_ip := node.get(HOST_IP)) and first.setdefault(host_ip, node) is not node:
            yield node.fault(
                HOST_IP,
                f"{host_ip} is {first[host_ip].name}'s already",
                "every node has its own address",
            )


def _no_nodes(name: str, folder: str) -> Fault:
    own = "" if name == DEFAULT else f" --cluster {name}"
    copy = f"`cp env/node.env.example {folder}spark1.env`"
    remedy = f"`inv probe --write{own} -- HOST...` writes them, or {copy}"
    return Fault(path=folder, message="no nodes", remedy=remedy)


def _heads(folder: str, nodes: tuple[Page, ...], heads: tuple[Page, ...]) -> Iterator[Fault]:
    if len(heads) > 1:
        names = ", ".join(node.name for node in heads)
        yield Fault(
            path=folder,
            message=f"{len(heads)} heads: {names}",
            remedy="set ROLE=worker on all but one",
        )
    elif not heads and all(node.get(ROLE) for node in nodes):
        yield Fault(path=folder, message="no head", remedy="set ROLE=head on one node")


def _head_ips(head: Page, nodes: tuple[Page, ...]) -> Iterator[Fault]:
    right = head.get(HOST_IP)
    for node in nodes:
        if right and (head_ip := node.get(HEAD_IP)) and head_ip != right:
            yield node.fault(
                HEAD_IP,
                f"should be {head.name}'s HOST_IP, {right}: `{head_ip}`",
                "remove the line or correct it",
            )


def _subnet(shared: Page, heads: tuple[Page, ...]) -> IPv4Network | None:
    """Return the network to check against, if it is known: written, or derived from one head."""
    if SUBNET.name in shared.tried:
        return shared.get(SUBNET)
    head_ip = heads[0].get(HOST_IP) if len(heads) == 1 else None
    return around(head_ip) if head_ip else None


def _outside(subnet: IPv4Network, shared: Page, nodes: tuple[Page, ...]) -> Iterator[Fault]:
    named = (
        f"SUBNET {subnet}" if SUBNET.name in shared.lines else f"{subnet}, the /24 around the head"
    )
    for node in nodes:
        if (host_ip := node.get(HOST_IP)) and host_ip not in subnet:
            yield node.fault(
                HOST_IP,
                f"{host_ip} is outside {named}",
                f"correct it, or set SUBNET in {shared.path}",
            )
        elif host_ip and host_ip in _ends(subnet):
            yield node.fault(
                HOST_IP, f"{host_ip} is not a host's address in {named}", "use one in between"
            )


def _ends(subnet: IPv4Network) -> tuple[IPv4Address, ...]:
    """Return the addresses that no host may have; a /31 has none (RFC 3021)."""
    pair = subnet.num_addresses == 2  # noqa: PLR2004 (a pair is two)
    return () if pair else (subnet.network_address, subnet.broadcast_address)
