"""The values that the env files of nodes should have, each with its source."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from cluster.discovery.env_edits import ProposedValue
from cluster.discovery.nodes import CurrentFile, ProbedNode
from cluster.discovery.topology import Attachment, Topology
from cluster.node import KEYS, default_subnet
from cluster.settings.env_file import EnvFile

RING = {
    "NCCL_NET_PLUGIN": "none",
    "NCCL_IB_SUBNET_AWARE_ROUTING": "1",
    "NCCL_IB_MERGE_NICS": "0",
}
"""For a ring, where each cable is a network (NVIDIA dgx-spark-playbooks, connect-three-sparks)."""
RING_SOURCE = "a ring, in which each cable is its own network"
WIDEST = 1
"""The shortest prefix that SUBNET may have."""


def shared_values(
    nodes: tuple[ProbedNode, ...], topology: Topology, head: str, file: CurrentFile
) -> tuple[ProposedValue, ...]:
    """Return the values for cluster.env, which is `file`."""
    attachments = topology.attachments
    addresses = tuple(attachments[node.name].end.address.ip for node in nodes)
    first = attachments.get(head, next(iter(attachments.values()))).end.address
    subnet = file.parsed.get("SUBNET", IPv4Network) or default_subnet(first.ip)
    subnets = () if _holds(subnet, addresses) else _subnets(first.network, addresses)
    source = "holds HOST_IP of every node"
    ring = RING if topology.kind == "ring" else {}
    return (
        *(ProposedValue("SUBNET", str(net), source) for net in subnets),
        *(ProposedValue(key, value, RING_SOURCE) for key, value in ring.items()),
    )


def node_values(
    node: ProbedNode, topology: Topology, head: str, shared: CurrentFile
) -> Iterator[ProposedValue]:
    """Yield the values for a node's file; `shared` is cluster.env."""
    attachment, raw = topology.attachments[node.name], node.file.raw
    interface, address = attachment.end.interface, attachment.end.address
    if not node.file.parsed.get("ROLE", str):
        is_head = node.name == head
        source = "the first machine named" if is_head else f"{head} is the head"
        yield ProposedValue("ROLE", "head" if is_head else "worker", source)
    yield _value(node, "HOST_IP", str(address.ip), f"of {interface.name}, in {address.network}")
    yield _value(node, "ETH_IF", interface.name, _interface_source(attachment))
    devices = ",".join(twin.device.name for twin in attachment.twins)
    # An existing file without IB_IF is right if there are no devices.
    if devices or "IB_IF" in raw or not raw:
        yield _value(node, "IB_IF", devices, _devices_source(attachment))
    if "HEAD_IP" in raw and head in topology.attachments:
        head_address = topology.attachments[head].end.address.ip
        yield _value(node, "HEAD_IP", str(head_address), f"HOST_IP of {head}")
    yield from _ssh_host(node, address.ip)
    if shared.parsed.get("ACCELERATOR", str) != "none":
        yield from _gpus(node)


def head(nodes: tuple[ProbedNode, ...], files: tuple[EnvFile, ...]) -> str:
    """Return the name of the head: that of a file, else the first node without a role."""
    heads = (file.name for file in files if file.get("ROLE", str) == "head")
    free = (node.name for node in nodes if not node.file.parsed.get("ROLE", str))
    return next(heads, "") or next(free, "")


def _ssh_host(node: ProbedNode, address: IPv4Address) -> Iterator[ProposedValue]:
    """Yield the SSH destination, unless it is HOST_IP, or the file has it with a user."""
    destination = node.target.destination
    current = node.file.parsed.get("SSH_HOST", str) or ""
    if destination and destination not in {str(address), current.rpartition("@")[2]}:
        yield _value(node, "SSH_HOST", destination, "from the command line")


def _gpus(node: ProbedNode) -> Iterator[ProposedValue]:
    count = len(node.facts.gpus.gpus)
    if count and (count > 1 or "GPUS" in node.file.raw):
        yield _value(node, "GPUS", str(count), f"nvidia-smi lists {count}")


def _value(node: ProbedNode, key: str, value: str, source: str) -> ProposedValue:
    """Return a value; if the file's own value means the same, that one."""
    raw = node.file.raw.get(key, value)
    is_same = _meaning(node.file.parsed.values.get(key)) == _meaning(KEYS["node"][key].parse(value))
    return ProposedValue(key, raw if is_same else value, source)


def _meaning(value: object) -> object:
    """Return a value without the order of devices, which does not matter."""
    return frozenset(value) if isinstance(value, tuple) else value


def _interface_source(attachment: Attachment) -> str:
    interface, peers = attachment.end.interface, attachment.peers
    suffix = f", and {len(peers) - 1} more" if len(peers) > 1 else ""
    reached = (f"reaches {peer.machine} at {peer.address.ip}{suffix}" for peer in peers[:1])
    speed = f"{interface.speed / 1000:g} Gb/s" if interface.speed else ""
    hardware = ", ".join(filter(None, (interface.pci, speed)))
    return "; ".join(filter(None, (f"{interface.name} {next(reached, 'has a link')}", hardware)))


def _devices_source(attachment: Attachment) -> str:
    if not attachment.ports:
        return "no RDMA device: TCP sockets only"
    ports, twins = attachment.ports, attachment.twins
    count = sum(len(port.twins) for port in ports)
    part = "" if len(twins) == count else f"{len(twins)} of {count} twins of "
    port = f"{part}{'both ports' if len(ports) > 1 else f'the port of {ports[0].name}'}"
    addresses = ", ".join(filter(None, (twin.device.pci for twin in twins)))
    return f"{port}: {addresses}" if addresses else port


def _holds(network: IPv4Network, addresses: tuple[IPv4Address, ...]) -> bool:
    """Whether a network has all addresses, none of them at its ends; a /31 has no ends."""
    is_pair = network.num_addresses == 2  # noqa: PLR2004 (a pair is two)
    ends = () if is_pair else (network.network_address, network.broadcast_address)
    return all(address in network and address not in ends for address in addresses)


def _subnets(first: IPv4Network, addresses: tuple[IPv4Address, ...]) -> tuple[IPv4Network, ...]:
    """Return the smallest network around the first that holds all; none if SUBNET cannot."""
    prefixes = range(min(first.prefixlen, first.max_prefixlen - 1), WIDEST - 1, -1)
    networks = (first.supernet(new_prefix=prefix) for prefix in prefixes)
    return tuple(network for network in networks if _holds(network, addresses))[:1]
