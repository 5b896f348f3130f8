"""The way of an image to each node: over the fast link where this machine is on it."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from cluster.host import Host
from cluster.node import Cluster, Node

Via = Literal["auto", "star", "chain"]
Compress = Literal["auto", "none", "zstd"]
# A terminal would change bytes, a question would wait unseen; a connection that others share may be
# one over another address; the rest undoes settings of the user for a session by hand.
SSH = (
    *(
        "ssh",
        "-T",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=10",
        "-o",
        "ServerAliveInterval=10",
    ),
    *("-o", "ControlPath=none", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"),
    *("-o", "Compression=no"),
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """The way of the bytes to a node with an engine of its own."""

    engine: Host
    fabric: str = ""
    """The node's address on the fast link; empty when this machine is not on it."""
    known_as: str = ""
    """The name under which the user's known_hosts has the node's key."""

    @property
    def node(self) -> str:
        """The node's name."""
        return self.engine.name

    @property
    def text(self) -> str:
        """The way as the table has it."""
        return f"fabric {self.fabric}" if self.fabric else f"ssh {self.engine.ssh_host}"


def tagged(name: str) -> str:
    """Return an image's name with its tag: without one, `docker save` takes all its tags."""
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def way(cluster: Cluster, node: Node, engine: Host, *, source: str, ssh: str) -> Way:
    """Choose the way to a node: over the fast link, if this machine has an address there.

    `source` is this machine's address on the way to the node's, empty when there is none; `ssh` is
    the output of `ssh -G` for the node.
    """
    if not source or IPv4Address(source) not in cluster.subnet:
        return Way(engine=engine)
    return Way(engine=engine, fabric=str(node.host_ip), known_as=known_as(ssh))


def detour(cluster: Cluster, ways: tuple[Way, ...], speed: int | None = None) -> str:
    """Return a line for the user when bytes do not take the fast link; nothing when all do.

    `speed` is that of the slowest link that they take instead, in Mb/s, if it is known.
    """
    if all(way.fabric for way in ways):
        return ""
    link = f" at {speed / 1000:g} Gb/s" if speed else ""
    return (
        f"this machine has no address in {cluster.subnet}: "
        f"the image goes by SSH_HOST{link}, and not over the fast link"
    )


def known_as(ssh: str) -> str:
    """Return the name of a host in known_hosts, from the output of `ssh -G`.

    A port that is not 22 is part of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    """
    said = dict(line.partition(" ")[::2] for line in ssh.splitlines())
    name, port = said.get("hostname", ""), said.get("port", "22")
    return said.get("hostkeyalias") or (name if port == "22" else f"[{name}]:{port}")


def address(way: Way) -> tuple[str, ...]:
    """Return what tells ssh to take the fast link, if that is the way.

    The host stays the user's alias, so user, key and port stay too; only the address is another. A
    jump or a proxy of the alias would lead around the link (either is undone by ProxyCommand).
    """
    if not way.fabric:
        return ()
    name = ("-o", f"HostName={way.fabric}", "-o", f"HostKeyAlias={way.known_as}")
    return (*name, "-o", "CheckHostIP=no", "-o", "ProxyCommand=none")
