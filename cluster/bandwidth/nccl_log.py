"""NCCL's own log (NCCL_DEBUG=INFO) of a rank: the transport that its data took."""

import re
from collections import Counter
from dataclasses import dataclass

MESSAGE = re.compile(r"NCCL (?:INFO|WARN) (.*)")
WARNING = re.compile(r"NCCL WARN (.*)")
NETWORK = re.compile(r"(?:Using network (.+)|Assigned NET plugin (.+) to comm)")
RDMA = re.compile(r"NET/IB : Using (.*)")
RDMA_DEVICE = re.compile(r"\[(\d+)\]([^\s:]+):[\d:]+/\w+")
"""`[0]rocep1s0f1:1/RoCE`; since 2.30 rail and plane may follow the port (net_ib/init.cc)."""
VIRTUAL = re.compile(r"NET/IB : Made virtual device \[(\d+)\] name=(\S+).*")
"""Every device is one; NICs that NCCL joins have a `+` in their name."""
SOCKETS = re.compile(r"NET/Socket : Using (.*)")
SOCKET = re.compile(r"\[(\d+)\]([^\s:]+):\S+<\d+>")
NO_DEVICE = "NET/IB : No device found."
CHANNEL = re.compile(r"Channel \d+(?:/\d+)? : \d+\[\w+\] -> \d+\[\w+\] (?:\[send\] )?via (.+)")
"""The sender's side; the receiver's has `[receive]` and would count twice (transport/net.cc)."""
BY_NETWORK = re.compile(r"NET/(.+?)/(\d+)(?:\(\d+\))?(/GDRDMA)?.*")
"""`NET/IB/0/GDRDMA/Shared`; in brackets the rank whose proxy sends (net.cc, PXN)."""
VARIABLE = re.compile(r"(NCCL_\w+) set (?:by environment )?to (.+?)\.?")
SOCKET_NETWORK = "Socket"


@dataclass(frozen=True, kw_only=True)
class ChannelRoute:
    """How some of a rank's channels send."""

    transport: str
    """`IB`, `Socket` or a plug-in's name; inside a node `P2P/CUMEM`, `SHM/direct` and the like."""
    device: str = ""
    """An RDMA device, two that NCCL joined (`a+b`), or an interface."""
    leaves_node: bool = False
    gpu_direct: bool = False
    """Whether the card reads the GPU's memory itself (GPUDirect RDMA); a Spark's cannot."""
    channels: int


@dataclass(frozen=True, kw_only=True)
class NcclLog:
    """The contents of a rank's log; a field is empty where the log is silent."""

    network: str = ""
    """The network that NCCL chose: `IB`, `Socket`, or the name of a plug-in."""
    socket_interfaces: tuple[str, ...] = ()
    no_device: bool = False
    """Whether NCCL looked for RDMA devices and found none that it may use."""
    routes: tuple[ChannelRoute, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """What NCCL read in its environment or in /etc/nccl.conf."""
    warnings: tuple[str, ...] = ()

    @property
    def lacks_transport(self) -> bool:
        """Whether the log does not show a transport."""
        return not (self.routes or self.network)

    @property
    def outward(self) -> tuple[ChannelRoute, ...]:
        """The routes that leave the node."""
        return tuple(route for route in self.routes if route.leaves_node)

    @property
    def uses_sockets(self) -> bool:
        """Whether anything that leaves the node goes over sockets."""
        return SOCKET_NETWORK in ({route.transport for route in self.outward} or {self.network})

    @property
    def uses_rdma(self) -> bool:
        """Whether all that leaves the node goes over a network other than sockets."""
        return bool(self.outward) and not self.uses_sockets

    @property
    def carriers(self) -> tuple[str, ...]:
        """The devices that carry what leaves the node, without duplicates."""
        names = (name for route in self.outward for name in route.device.split("+"))
        return tuple(dict.fromkeys(names))


def parse(log: str) -> NcclLog:
    """Parse a rank's log; lines of other programs and of unknown versions are skipped."""
    messages = tuple(match[1].strip() for match in MESSAGE.finditer(log))
    rdma = _numbered(RDMA, RDMA_DEVICE, messages)
    sockets = _numbered(SOCKETS, SOCKET, messages)
    joined = {match[1]: match[2] for match in _matches(VIRTUAL, messages)}
    counts = Counter(match[1] for match in _matches(CHANNEL, messages))
    return NcclLog(
        network=next((match[1] or match[2] for match in _matches(NETWORK, messages)), ""),
        socket_interfaces=tuple(sockets.values()),
        no_device=NO_DEVICE in messages,
        routes=tuple(_route(via, counts[via], rdma | joined, sockets) for via in sorted(counts)),
        variables=tuple({match[1]: match[2] for match in _matches(VARIABLE, messages)}.items()),
        warnings=tuple(dict.fromkeys(match[1].strip() for match in WARNING.finditer(log))),
    )


def _matches(pattern: re.Pattern[str], messages: tuple[str, ...]) -> tuple[re.Match[str], ...]:
    return tuple(match for line in messages if (match := pattern.fullmatch(line)))


def _numbered(
    listing: re.Pattern[str], item: re.Pattern[str], messages: tuple[str, ...]
) -> dict[str, str]:
    """Return the names in NCCL's listings, by the number before each."""
    listings = (match[1] for match in _matches(listing, messages))
    return {number: name for text in listings for number, name in item.findall(text)}


def _route(via: str, count: int, rdma: dict[str, str], sockets: dict[str, str]) -> ChannelRoute:
    match = BY_NETWORK.fullmatch(via)
    if not match:
        return ChannelRoute(transport=via, channels=count)
    transport, number, direct = match.groups()
    names = sockets if transport == SOCKET_NETWORK else rdma
    return ChannelRoute(
        transport=transport,
        device=names.get(number, number),
        leaves_node=True,
        gpu_direct=bool(direct),
        channels=count,
    )
