"""How an image's bytes reach each node: over the fast link if this machine is on it, else by SSH.

Also how one node of a chain reaches the next, and what a dry run prints for a route.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from cluster.host import BULK_OPTIONS, Host, ssh
from cluster.node import Cluster, Node
from cluster.plan.steps import ShellStep
from cluster.words import shell_line

HOP_SSH = ssh(*BULK_OPTIONS, "ProxyCommand=none")
"""How a node reaches the next one: with the user name from here, and its own known hosts."""
UNSAFE = re.compile(rb"[^\w@.:-]")
"""Bytes to which a shell between here and the last node might give a meaning."""


@dataclass(frozen=True, kw_only=True)
class Hop:
    """How the node before it in a chain reaches a node, over the fast link."""

    address: str = ""
    """The node's HOST_IP."""
    user: str = ""
    port: str = "22"

    @property
    def ssh(self) -> tuple[str, ...]:
        """The words before a command that is to run on the node."""
        return (*HOP_SSH, "-p", self.port, "--", f"{self.user}@{self.address}")

    @property
    def word(self) -> str:
        """The hop as one word, the same for all shells; `printf %b` undoes the escapes."""
        user = UNSAFE.sub(lambda match: b"\\0%03o" % ord(match[0]), self.user.encode())
        return f"{self.port}:{user.decode()}@{self.address}"


@dataclass(frozen=True, kw_only=True)
class ShipRoute:
    """The route of the bytes to a node."""

    host: Host
    fast_address: str = ""
    """The node's address on the fast link; empty if this machine is not on it."""
    known_as: str = ""
    """The name under which the user's known_hosts has the node's key."""
    hop: Hop = field(default_factory=Hop)

    @property
    def node(self) -> str:
        """The node's name."""
        return self.host.name

    @property
    def is_local(self) -> bool:
        """Whether the node uses this machine's engine, which has the image."""
        return not self.host.ssh_host

    @property
    def text(self) -> str:
        """The route as tables show it."""
        return f"fabric {self.fast_address}" if self.fast_address else f"ssh {self.host.ssh_host}"

    @property
    def options(self) -> tuple[str, ...]:
        """The SSH options that lead over the fast link; none if the route does not.

        The host stays the user's alias, so user, key and port stay too; only the address changes. A
        jump or a proxy of the alias would lead around the link (ProxyCommand undoes either).
        """
        if not self.fast_address:
            return ()
        host = (f"HostName={self.fast_address}", f"HostKeyAlias={self.known_as}")
        return (*host, "CheckHostIP=no", "ProxyCommand=none")

    def ssh(self, *words: str) -> tuple[str, ...]:
        """Return the command that runs another on the node, with a stream for its input."""
        return self.host.ssh(*words, options=(*BULK_OPTIONS, *self.options))


def tagged(name: str) -> str:
    """Return an image's name with its tag: without one, `docker save` takes all its tags."""
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def route(
    cluster: Cluster, node: Node, host: Host, *, own_address: str, ssh_config: str
) -> ShipRoute:
    """Return the route to a node: over the fast link if this machine has an address there.

    `own_address` is this machine's address towards the node's HOST_IP, or empty; `ssh_config` is
    the output of `question`.
    """
    config = dict(line.partition(" ")[::2] for line in ssh_config.splitlines())
    port = config.get("port", "22")
    hop = Hop(address=str(node.host_ip), user=config.get("user", ""), port=port)
    if not own_address or IPv4Address(own_address) not in cluster.subnet:
        return ShipRoute(host=host, hop=hop)
    # A port other than 22 is part of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    name = config.get("hostname", "")
    known_as = config.get("hostkeyalias") or (name if port == "22" else f"[{name}]:{port}")
    return ShipRoute(host=host, fast_address=str(node.host_ip), known_as=known_as, hop=hop)


def dry_steps(name: str, routes: tuple[ShipRoute, ...]) -> tuple[ShellStep, ...]:
    """Return shell steps with the result of a shipment: whole images, one node after the other."""
    return tuple(step for route in routes for step in _dry_steps(name, route))


def _dry_steps(name: str, route: ShipRoute) -> tuple[ShellStep, ...]:
    if route.is_local:
        return (ShellStep(place=route.node, title="Uses this machine's engine, nothing to copy"),)
    copy = f"{shell_line(('docker', 'save', name))} | {shell_line(route.ssh('docker', 'load'))}"
    hosts = (Host(name=route.node), route.host)
    source, node = (shell_line(host.layers(name)) for host in hosts)
    comparison = f'test "$({source})" = "$({node})"'
    title = f"Ship {name} ({route.text}); `inv ship` sends only missing layers"
    return (
        ShellStep(place=route.node, title=title, text=copy),
        ShellStep(place=route.node, title="Check that it has the same layers", text=comparison),
    )


def detour(cluster: Cluster, speed: int | None) -> str:
    """Return the note for bytes that do not take the fast link.

    `speed` is that of the slowest link that they take instead, in Mb/s, if it is known.
    """
    link = f" at {speed / 1000:g} Gb/s" if speed else ""
    return (
        f"this machine has no address in {cluster.subnet}: "
        f"the image is sent to SSH_HOST{link}, not over the fast link"
    )
