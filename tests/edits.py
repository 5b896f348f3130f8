"""Edits of captures and env files that break or change one thing."""

from dataclasses import dataclass

from tests.situations import Edit

NODES = ("spark1", "spark2")
ETH, TWIN = "enp1s0f1np1", "enP2p1s0f1np1"
"""The twins of the port that the cable is in, in one-cable."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One broken thing, by default in the situation `one-cable`."""

    edits: tuple[Edit, ...]
    findings: tuple[str, ...]
    """Severity, check and place."""
    situation: str = "one-cable"


def each(*edits: tuple[str, str]) -> tuple[Edit, ...]:
    """Return edits of both machines."""
    return tuple((node, old, new) for node in NODES for old, new in edits)


def files(*edits: tuple[str, str]) -> tuple[Edit, ...]:
    """Return edits of both nodes' env files."""
    return tuple((f"{node}.env", old, new) for node in NODES for old, new in edits)


def line(file: str, text: str) -> Edit:
    """Add a line to an env file."""
    return (file, r"\A", f"{text}\n")


def section(name: str, text: str) -> tuple[str, str]:
    """Return the edit that gives a part another answer."""
    return (rf"(?s)^== {name}\n(.*?\n)??(?=\n== )", f"== {name}\n{text}")


def sysfs(path: str, value: str) -> tuple[str, str]:
    """Return the edit of a file of sysfs."""
    return (rf"^(/sys/class/{path}:).*", rf"\g<1>{value}")


def meminfo(**rows: int) -> tuple[tuple[str, str], ...]:
    """Return edits of /proc/meminfo, in GiB."""
    return tuple(
        (rf"^(/proc/meminfo:{row}: +)\d+", rf"\g<1>{size << 20}") for row, size in rows.items()
    )


def on(node: str, *edits: tuple[str, str]) -> tuple[Edit, ...]:
    """Return edits of one machine."""
    return tuple((node, old, new) for old, new in edits)


def others(old: str, new: str) -> tuple[Edit, ...]:
    """Return the edit of all machines at the switch except the third."""
    return tuple((node, old, new) for node in ("spark1", "spark2", "spark4"))


def field(interface: str, name: str, value: str) -> tuple[str, str]:
    """Return the edit of one field of an interface, in the JSON of `ip`."""
    return (rf'("ifname":"{interface}",[^{{}}]*?"{name}":)[^,]+', rf"\g<1>{value}")


def given(node: str, number: int) -> tuple[Edit, ...]:
    """Return the edits that give a node the HOST_IP of the other, so that it asks itself."""
    return (
        (f"{node}.env", "(HOST_IP=192.168.177.).*", rf"\g<1>{number}"),
        (node, rf"^(ping {ETH}|port|way) 192.168.177.{number} ", rf"\1 192.168.177.{23 - number} "),
        (node, r'^(route .*"dev":)"[^"]*"', r'\1"lo"'),
    )


def unaddressed(interface: str, device: str) -> tuple[tuple[str, str], ...]:
    """Return the edits that remove the IPv4 address of an interface."""
    return (
        (rf'\{{"family":"inet","local":[^}}]*"label":"{interface}"[^}}]*\}},', ""),
        (rf"^/sys/class/infiniband/{device}/ports/1/(gids|gid_attrs/\w+)/[23]:.*\n", ""),
    )


def unplugged(interface: str, device: str) -> tuple[tuple[str, str], ...]:
    """Return the edits that remove the link of an interface."""
    return (
        (
            rf'("ifname":"{interface}","flags":\[)"BROADCAST","MULTICAST","UP","LOWER_UP"',
            r'\g<1>"NO-CARRIER","BROADCAST","MULTICAST","UP"',
        ),
        (rf"^/sys/class/net/{interface}/speed:.*\n", ""),
        sysfs(f"infiniband/{device}/ports/1/state", "1: DOWN"),
        sysfs(f"infiniband/{device}/ports/1/rate", "40 Gb/sec (4X QDR)"),
    )


def tagged(node: str, number: int) -> tuple[Edit, ...]:
    """Return the edits that move a node's address from the port to a VLAN on it."""
    vlan = (
        f'{{"ifname":"{ETH}.7","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":9000,'
        '"link_type":"ether","linkinfo":{"info_kind":"vlan"},"addr_info":[{"family":"inet",'
        f'"local":"192.168.177.{number}","prefixlen":24,"label":"{ETH}.7"}}]}},'
    )
    return on(
        node,
        *unaddressed(ETH, "rocep1s0f1"),
        *unaddressed(TWIN, "roceP2p1s0f1"),
        (r"^== addresses\n\[", rf"\g<0>{vlan}"),
        (rf"^ping {ETH} ", rf"ping {ETH}.7 "),
        (r'^(route .*"dev":)"[^"]*"', rf'\1"{ETH}.7"'),
    )


NOT_BOUND = (
    r"^(ping \S+ \S+ \d+) 0 .*",
    rf"\1 2 ping: SO_BINDTODEVICE {ETH}: Operation not permitted",
)
UNANSWERED = (r"^(ping \S+ \S+ \d+) 0 .*", r"\1 1 1 packets transmitted, 0 received")
BIG_UNANSWERED = (r"^(ping \S+ \S+ 9000) 0 .*", r"\1 1 1 packets transmitted, 0 received")
CLOSED = (r"^(port \S+ \d+) [01]\b.*", r"\1 124 ")
NO_RDMA = (r"^/(sys/class|dev)/infiniband/.*\n", "")
TEN_GIGABIT = (
    (r"^ping \S+ 192.168.177.(1.) 84", r"ping enP7s7 192.168.1.X\1 84"),
    (r"^ping \S+ 192.168.177.(1.) 9000", r"ping enP7s7 192.168.1.X\1 1500"),
    (r"^(port|way) 192.168.177.", r"\1 192.168.1.X"),
    (r'^(route .*"dev":)"[^"]*"', r'\1"enP7s7"'),
    (r"192.168.1.X1", "192.168.1.6"),
)
"""The pings and connections over the other network."""
