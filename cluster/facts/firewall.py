"""What lets connections into a machine: its firewall and its listening ports."""

import re
from dataclasses import dataclass

from cluster.facts.part import Part

UFW = re.compile(r"^ENABLED=(\w+)", re.MULTILINE)
TABLE = re.compile(r"^(table (.+) \{\n)((?:.*\n)*?)^\}", re.MULTILINE)
DROPS = re.compile(r"^\s*chain (\S+) \{\n\s*type filter hook input .*policy drop;", re.MULTILINE)
POLICY = re.compile(r"^-P (INPUT) DROP$", re.MULTILINE)
LISTENER = re.compile(
    r'^LISTEN\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+(?:\s+users:\(\("([^"]*)")?', re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class Firewall:
    """The filters of incoming packets, as far as the user may read them: the rules are root's."""

    ufw: bool | None = None
    """Whether ufw is switched on; None if its settings cannot be read."""
    drops: tuple[str, ...] = ()
    """Chains for incoming packets whose policy is to drop them, as `ip filter INPUT`."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A TCP port on which a process listens."""

    address: str
    """`0.0.0.0`, `*`, `[::]`, `127.0.0.1`."""
    port: int
    process: str = ""
    """Its name, if the user may know it."""


def firewall(text: str) -> Firewall:
    """Parse ufw's switch and the chains that drop, in the listing of nft or iptables."""
    switch = UFW.search(text)
    by_nft = (
        f"{table[2]} {chain[1]}"
        for table in TABLE.finditer(text)
        for chain in DROPS.finditer(table[3])
    )
    return Firewall(
        ufw=switch[1] == "yes" if switch else None,
        drops=(*by_nft, *(f"ip filter {chain}" for chain in POLICY.findall(text))),
    )


def listeners(text: str) -> tuple[Listener, ...]:
    """Parse the output of `ss`."""
    return tuple(
        Listener(address=address, port=int(port), process=process)
        for address, port, process in LISTENER.findall(text)
    )


FIREWALL = Part(name="firewall", parse=firewall)
LISTENERS = Part(name="listeners", parse=listeners)
