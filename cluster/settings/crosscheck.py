"""Checks between the env files of a cluster."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from cluster.node import DEFAULT, default_subnet, env_folder
from cluster.settings.env_file import EnvFile
from cluster.settings.syntax import Fault


def faults(name: str, shared: EnvFile, nodes: tuple[EnvFile, ...]) -> Iterator[Fault]:
    """Yield the contradictions between files; missing and wrong values are not reported again."""
    folder = env_folder(name)
    heads = tuple(node for node in nodes if node.get("ROLE", str) == "head")
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


def _ports(shared: EnvFile) -> Iterator[Fault]:
    port = shared.get("SERVE_PORT", int)
    if port and port == shared.get("HEAD_PORT", int):
        pair = ("SERVE_PORT", "HEAD_PORT")
        key, equal = pair if "SERVE_PORT" in shared.lines else reversed(pair)
        message = f"{port} is also {equal}"
        yield shared.fault(key, message, "choose another port; both listen on the head")


def _addresses(nodes: tuple[EnvFile, ...]) -> Iterator[Fault]:
    first: dict[IPv4Address, EnvFile] = {}
    for node in nodes:
        host_ip = node.get("HOST_IP", IPv4Address)
        if host_ip and first.setdefault(host_ip, node) is not node:
            message = f"{host_ip} is already the address of {first[host_ip].name}"
            yield node.fault("HOST_IP", message, "give every node its own address")


def _no_nodes(name: str, folder: str) -> Fault:
    option = "" if name == DEFAULT else f" --cluster {name}"
    copy = f"`cp env/node.env.example {folder}spark1.env`"
    remedy = f"`inv probe --write{option} -- HOST...` writes them, or start with {copy}"
    return Fault(path=folder, message="no nodes", remedy=remedy)


def _heads(folder: str, nodes: tuple[EnvFile, ...], heads: tuple[EnvFile, ...]) -> Iterator[Fault]:
    if len(heads) > 1:
        message = f"{len(heads)} heads: {', '.join(node.name for node in heads)}"
        yield Fault(path=folder, message=message, remedy="set ROLE=worker on all but one")
    elif not heads and all(node.get("ROLE", str) for node in nodes):
        yield Fault(path=folder, message="no head", remedy="set ROLE=head on one node")


def _head_ips(head: EnvFile, nodes: tuple[EnvFile, ...]) -> Iterator[Fault]:
    expected = head.get("HOST_IP", IPv4Address)
    for node in nodes:
        head_ip = node.get("HEAD_IP", IPv4Address)
        if expected and head_ip and head_ip != expected:
            message = f"must be {expected}, the HOST_IP of {head.name}, not `{head_ip}`"
            yield node.fault("HEAD_IP", message, "remove the line or correct it")


def _subnet(shared: EnvFile, heads: tuple[EnvFile, ...]) -> IPv4Network | None:
    """Return the network to check against, if it is known: written, or derived from one head."""
    if "SUBNET" in shared.attempted:
        return shared.get("SUBNET", IPv4Network)
    head_ip = heads[0].get("HOST_IP", IPv4Address) if len(heads) == 1 else None
    return default_subnet(head_ip) if head_ip else None


def _outside(subnet: IPv4Network, shared: EnvFile, nodes: tuple[EnvFile, ...]) -> Iterator[Fault]:
    derived = "SUBNET" not in shared.lines
    network = f"{subnet}, the /24 around the head" if derived else f"SUBNET {subnet}"
    for node in nodes:
        host_ip = node.get("HOST_IP", IPv4Address)
        if host_ip and host_ip not in subnet:
            message = f"{host_ip} is outside {network}"
            yield node.fault("HOST_IP", message, f"correct it, or set SUBNET in {shared.path}")
        elif host_ip in reserved_addresses(subnet):
            message = f"{host_ip} cannot be a host's address in {network}"
            yield node.fault("HOST_IP", message, "use an address between its first and its last")


def reserved_addresses(subnet: IPv4Network) -> tuple[IPv4Address, ...]:
    """Return the first and the last address, which no host may have; a /31 has none (RFC 3021)."""
    pair = subnet.num_addresses == 2  # noqa: PLR2004 (a pair is two)
    return () if pair else (subnet.network_address, subnet.broadcast_address)
