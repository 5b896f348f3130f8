"""The parts of a virtual node: its cable to the bridge, its names and its mounts."""

from typing import TypeAlias

from cluster.node import Cluster, Node
from cluster.words import Word

BRIDGE = "fabric"
# Ray's sockets live in its session folder; the path of a socket has at most 107 bytes (unix(7)).
RAY_FOLDER = "/run/ray"
TEMPORARY = "/run/tmp"

Line: TypeAlias = tuple[Word, ...]
Lines: TypeAlias = tuple[Line, ...]


def bridge(on_link: Line) -> Lines:
    """Return the commands that make the bridge; `on_link` is the prefix of commands on the link."""
    return (
        (*on_link, "ip", "link", "add", BRIDGE, "type", "bridge"),
        (*on_link, "ip", "link", "set", BRIDGE, "up"),
    )


def cable(cluster: Cluster, node: Node, on_link: Line, enter: Line, number: Word) -> Lines:
    """Plug the node's interface into its own port of the bridge.

    `enter` is the prefix of commands in the node, whose process is `number`.
    """
    port = f"port{cluster.nodes.index(node)}"
    peer = ("peer", "name", node.eth_if, "netns", number)
    address = f"{node.host_ip}/{cluster.subnet.prefixlen}"
    return (
        (*on_link, "ip", "link", "add", port, "type", "veth", *peer),
        (*on_link, "ip", "link", "set", port, "master", BRIDGE, "up"),
        (*enter, "ip", "link", "set", "lo", "up"),
        (*enter, "ip", "address", "add", address, "dev", node.eth_if),
        (*enter, "ip", "link", "set", node.eth_if, "up"),
    )


def system(node: Node, enter: Line, *, ray: str, hosts: str) -> Lines:
    """Give the node its own name, process table, shared memory, temporary files and hosts file.

    `ray` is the folder that Ray's session goes to, `hosts` the file with the nodes' addresses.
    """
    lines = (
        ("hostname", node.name),
        ("mount", "-t", "proc", "proc", "/proc"),
        ("mount", "-t", "tmpfs", "tmpfs", "/dev/shm"),  # noqa: S108  # a mount point, not a temporary file
        ("mount", "-t", "tmpfs", "tmpfs", "/run"),
        ("mkdir", RAY_FOLDER, TEMPORARY),
        ("mount", "--bind", ray, RAY_FOLDER),
        ("mount", "--bind", hosts, "/etc/hosts"),
    )
    return tuple((*enter, *line) for line in lines)


def hosts_file(cluster: Cluster) -> str:
    """Return the text of the nodes' /etc/hosts."""
    nodes = (f"{node.host_ip} {node.name}\n" for node in cluster.nodes)
    return "".join(("127.0.0.1 localhost\n", *nodes))
