"""Shipping an image: the way to each node, the commands of the copy, and what became of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from typing import Any, Literal

from cluster.columns import aligned
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.nodes.engine import Engine
from cluster.word import shell_line

Result = Literal["here", "equal", "shipped", "failed"]
TITLES = ("node", "route", "result", "sent", "seconds", "MB/s")
# What a container gets from its image (OCI image-spec, config.md); builders and stores differ in
# the rest, as in the image's ID (moby issue 48401).
CONFIGURATION = (
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
)
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
GIGA = 1e9
PREPARING = "`docker save` prepares the layers"
UNPACKING = "the engine unpacks it"


@dataclass(frozen=True, kw_only=True)
class Image:
    """What makes two images the same, whichever stores of whichever engines hold them."""

    architecture: str
    """As Docker says it: `arm64`, `amd64`."""
    layers: tuple[str, ...]
    """Digests of the unpacked layers, the lowest first."""
    configuration: str
    """What a container gets from the image, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """The way of the bytes to a node with an engine of its own."""

    engine: Engine
    fabric: str = ""
    """The node's address on the fast link; empty when this machine is not on it."""
    known_as: str = ""
    """The name under which the user's known_hosts has the node's key."""

    @property
    def node(self) -> str:
        """The node's name."""
        return self.engine.node

    @property
    def text(self) -> str:
        """The way as the table has it."""
        return f"fabric {self.fabric}" if self.fabric else f"ssh {self.engine.ssh_host}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one node."""

    node: str
    route: str
    result: Result
    sent: int = 0
    """Bytes that its SSH client took."""
    seconds: float = 0.0
    """From the start of `docker save` to the proof that the node has the image."""
    problem: Problem | None = None


def tagged(name: str) -> str:
    """Return an image's name with its tag: without one, `docker save` takes all its tags."""
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def image(inspected: Mapping[str, Any]) -> Image:
    """Read the answer of `docker image inspect`."""
    has = inspected.get("Config") or {}
    kept = {key: has[key] for key in CONFIGURATION if has.get(key)}
    return Image(
        architecture=inspected["Architecture"],
        layers=tuple(inspected["RootFS"].get("Layers") or ()),
        configuration=json.dumps(kept, sort_keys=True),
    )


def way(cluster: Cluster, node: Node, engine: Engine, *, source: str, ssh: str) -> Way:
    """Choose the way to a node: over the fast link, if this machine has an address there.

    `source` is this machine's address on the way to the node's, empty when there is none; `ssh` is
    the output of `ssh -G` for the node.
    """
    if not source or IPv4Address(source) not in cluster.subnet:
        return Way(engine=engine)
    return Way(engine=engine, fabric=str(node.host_ip), known_as=known_as(ssh))


def detour(cluster: Cluster, ways: tuple[Way, ...]) -> str:
    """Return a line for the user when bytes do not take the fast link; nothing when all do."""
    if all(way.fabric for way in ways):
        return ""
    return (
        f"this machine has no address in {cluster.subnet}: "
        "the image goes by SSH_HOST, and not over the fast link"
    )


def known_as(ssh: str) -> str:
    """Return the name of a host in known_hosts, from the output of `ssh -G`.

    A port that is not 22 is part of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    """
    said = dict(line.partition(" ")[::2] for line in ssh.splitlines())
    name, port = said.get("hostname", ""), said.get("port", "22")
    return said.get("hostkeyalias") or (name if port == "22" else f"[{name}]:{port}")


def save(name: str) -> tuple[str, ...]:
    """Return the command that writes the image of this machine's engine to its output."""
    return ("docker", "save", name)


def address(way: Way) -> tuple[str, ...]:
    """Return what tells ssh to take the fast link, if that is the way.

    The host stays the user's alias, so user, key and port stay too; only the address is another. A
    jump or a proxy of the alias would lead around the link (either is undone by ProxyCommand).
    """
    if not way.fabric:
        return ()
    name = ("-o", f"HostName={way.fabric}", "-o", f"HostKeyAlias={way.known_as}")
    return (*name, "-o", "CheckHostIP=no", "-o", "ProxyCommand=none")


def load(way: Way) -> tuple[str, ...]:
    """Return the command that loads an image from its input on the node."""
    return (*SSH, *address(way), way.engine.ssh_host, "docker", "load")


def script(name: str, nodes: tuple[Node, ...], ways: tuple[Way, ...]) -> str:
    """Return the shell text that ships the image to one node after the other."""
    there = {way.node: _lines(name, way) for way in ways}
    return "\n".join(there.get(node.name) or _nothing(node) for node in nodes)


def table(rows: tuple[Row, ...]) -> str:
    """Return what became of the nodes as a person reads it."""
    return aligned((TITLES, *(_cells(row) for row in rows))) + "\n"


def as_json(name: str, rows: tuple[Row, ...]) -> str:
    """Return what became of the nodes as JSON."""
    complete = not any(row.problem for row in rows)
    nodes = [asdict(row) | _plain(row) for row in rows]
    return json.dumps({"image": name, "nodes": nodes, "complete": complete}, indent=2) + "\n"


def pace(sent: int, seconds: float) -> str:
    """Return how far a copy is, and how fast it has been since its first byte."""
    rate = f", {sent / seconds / 1e6:.0f} MB/s" if seconds >= 1 else ""
    return f"{amount(sent)}{rate}"


def amount(sent: int) -> str:
    """Return a number of bytes in decimal units, as networks and disks are sold."""
    return f"{sent / GIGA:.2f} GB" if sent >= GIGA else f"{sent / 1e6:.1f} MB"


def _nothing(node: Node) -> str:
    return f"# {node.name}: Has the engine of this machine, and so the image\n"


def _lines(name: str, way: Way) -> str:
    own = Engine(node=way.node)
    here, there = (shell_line(engine.layers(name)) for engine in (own, way.engine))
    return (
        f"# {way.node}: Ship {name} ({way.text})\n"
        f"{shell_line(save(name))} | {shell_line(load(way))}\n\n"
        f"# {way.node}: Check that it has the same layers\n"
        f'test "$({here})" = "$({there})"\n'
    )


def _plain(row: Row) -> dict[str, str | float]:
    return {"seconds": round(row.seconds, 3), "problem": str(row.problem or "")}


def _cells(row: Row) -> tuple[str, ...]:
    if not row.sent:
        return (row.node, row.route, row.result, "", "", "")
    rate = f"{row.sent / row.seconds / 1e6:.0f}"
    return (row.node, row.route, row.result, amount(row.sent), f"{row.seconds:.1f}", rate)
