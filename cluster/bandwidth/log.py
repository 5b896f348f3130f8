"""What NCCL's own log (NCCL_DEBUG=INFO) says of the way that a rank's data took."""

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
SET = re.compile(r"(NCCL_\w+) set (?:by environment )?to (.+?)\.?")
SOCKET_NETWORK = "Socket"


@dataclass(frozen=True, kw_only=True)
class Way:
    """How some of a rank's channels send."""

    by: str
    """`IB`, `Socket` or a plug-in's name; inside a node `P2P/CUMEM`, `SHM/direct` and others."""
    device: str = ""
    """What carries it: an RDMA device, two that NCCL joined (`a+b`), or an interface."""
    network: bool = False
    """Whether it leaves the node."""
    direct: bool = False
    """Whether the card reads the GPU's memory itself (GPUDirect RDMA); a Spark's cannot."""
    channels: int


@dataclass(frozen=True, kw_only=True)
class Transport:
    """What a rank's log says; empty where it says nothing."""

    network: str = ""
    """What NCCL chose: `IB`, `Socket`, or the name of a plug-in."""
    sockets: tuple[str, ...] = ()
    """Interfaces that it takes for its sockets."""
    no_device: bool = False
    """It looked for RDMA devices, and found none that it may take."""
    ways: tuple[Way, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """What it found in its environment, or in /etc/nccl.conf."""
    warnings: tuple[str, ...] = ()

    @property
    def unknown(self) -> bool:
        """Whether the log does not tell the way."""
        return not (self.ways or self.network)

    @property
    def outward(self) -> tuple[Way, ...]:
        """The ways that leave the node."""
        return tuple(way for way in self.ways if way.network)

    @property
    def by_sockets(self) -> bool:
        """Whether anything that leaves the node goes over sockets."""
        named = {way.by for way in self.outward} or {self.network}
        return SOCKET_NETWORK in named

    @property
    def by_rdma(self) -> bool:
        """Whether all that leaves the node goes over another network than sockets."""
        return bool(self.outward) and not self.by_sockets

    @property
    def carriers(self) -> tuple[str, ...]:
        """The devices that carry what leaves the node, each once."""
        names = (name for way in self.outward for name in way.device.split("+"))
        return tuple(dict.fromkeys(names))


def transport(log: str) -> Transport:
    """Read a rank's log; lines of other programs, and those of later versions, are skipped."""
    messages = tuple(found[1].strip() for found in MESSAGE.finditer(log))
    rdma = _numbered(RDMA, RDMA_DEVICE, messages)
    sockets = _numbered(SOCKETS, SOCKET, messages)
    joined = {found[1]: found[2] for found in _all(VIRTUAL, messages)}
    return Transport(
        network=next((found[1] or found[2] for found in _all(NETWORK, messages)), ""),
        sockets=tuple(sockets.values()),
        no_device=NO_DEVICE in messages,
        ways=_ways(messages, rdma | joined, sockets),
        variables=tuple({found[1]: found[2] for found in _all(SET, messages)}.items()),
        warnings=tuple(dict.fromkeys(found[1].strip() for found in WARNING.finditer(log))),
    )


def _all(pattern: re.Pattern[str], messages: tuple[str, ...]) -> tuple[re.Match[str], ...]:
    return tuple(found for line in messages if (found := pattern.fullmatch(line)))


def _numbered(
    line: re.Pattern[str], one: re.Pattern[str], messages: tuple[str, ...]
) -> dict[str, str]:
    """Return the names in a list of NCCL's, by the number in front of each."""
    return {
        number: name for found in _all(line, messages) for number, name in one.findall(found[1])
    }


def _ways(
    messages: tuple[str, ...], rdma: dict[str, str], sockets: dict[str, str]
) -> tuple[Way, ...]:
    counted = Counter(found[1] for found in _all(CHANNEL, messages))
    return tuple(_way(via, count, rdma, sockets) for via, count in sorted(counted.items()))


def _way(via: str, count: int, rdma: dict[str, str], sockets: dict[str, str]) -> Way:
    found = BY_NETWORK.fullmatch(via)
    if not found:
        return Way(by=via, channels=count)
    by, number, direct = found.groups()
    names = sockets if by == SOCKET_NETWORK else rdma
    device = names.get(number, number)
    return Way(by=by, device=device, network=True, direct=bool(direct), channels=count)
