"""Whether the nodes let each other in at Ray's ports, where the way between them is open."""

from collections.abc import Iterator

from cluster.checks.alike import names
from cluster.checks.check import Check, Patient
from cluster.checks.pairs import linked, pairs
from cluster.checks.wanted import WORKER_PORT
from cluster.errors import Problem
from cluster.facts.reach import Answer

STOPPED: dict[Answer, str] = {"silent": "packets vanish", "unreachable": "it is turned away"}
"""What becomes of a connection that a firewall stops."""
RULES = "sudo nft list ruleset"


def _head_port(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    for its in patients:
        if its.node.role == "head":
            yield from _stopped(patients, its, its.cluster.head_port, "HEAD_PORT")


def _worker_port(patients: tuple[Patient, ...]) -> Iterator[Problem]:
    for its in patients:
        if its.node.role == "worker":
            yield from _stopped(patients, its, WORKER_PORT, "the first of Ray's workers")


def _stopped(
    patients: tuple[Patient, ...], target: Patient, port: int, whose: str
) -> Iterator[Problem]:
    """Say who cannot connect to a port of a node, all of them in one problem."""
    tried = {its.node.name: _stop(its, target, port) for its in _near(patients, target)}
    kept = tuple(its for its in patients if tried.get(its.node.name))
    if kept:
        where = f"port {port} ({whose}) of {target.node.name} at {target.node.host_ip}"
        how = ", ".join(dict.fromkeys(tried[its.node.name] for its in kept))
        both = tuple(its for its in patients if its in kept or its is target)
        message = f"{names(kept)} cannot connect to {where}: {how}{_by(target)}"
        yield Problem(place=names(both), message=message, remedy=let_in(target))


def _near(patients: tuple[Patient, ...], target: Patient) -> Iterator[Patient]:
    """Yield the nodes between which and the target the way is open."""
    for one, other in filter(linked, pairs(patients)):
        if target is one:
            yield other
        elif target is other:
            yield one


def _stop(one: Patient, other: Patient, port: int) -> str:
    """Say what stops a connection; nothing when nothing does, or nobody tried."""
    tried = (
        STOPPED.get(its.answer, "")
        for its in one.facts.reach.ports
        if (its.peer, its.port) == (other.node.host_ip, port)
    )
    return next(tried, "")


def _by(target: Patient) -> str:
    """Say what is known of a node's firewall, whose rules root alone may read."""
    its = target.facts.surroundings.firewall
    chains = ", ".join(f"`{chain}`" for chain in its.drops)
    if its.ufw:
        return f"; {target.node.name} has ufw switched on"
    return f"; {target.node.name} drops what no rule of {chains} lets in" if chains else ""


def let_in(target: Patient) -> str:
    """Return what opens a node's firewall for the fast network."""
    its, interface = target.facts.surroundings.firewall, target.node.eth_if
    if its.ufw:
        return target.on(f"sudo ufw allow in on {interface}")
    rules = (f"sudo nft insert rule {chain} iifname {interface} accept" for chain in its.drops)
    if its.drops:
        return (
            f"{', '.join(target.on(rule) for rule in rules)}, and its firewall's files to keep it"
        )
    return f"all must come in by {interface}: {target.on(RULES)} shows what keeps it out"


FIREWALL: tuple[Check, ...] = (
    Check(
        name="head-port",
        severity="blocks",
        title="The workers can connect to the head's control store",
        looks_at="a connection from each worker to HOST_IP and HEAD_PORT of the head; `ufw.conf`, "
        "`nft list chains`",
        why="Workers join Ray there. Where nobody listens yet the head refuses, which is well; a "
        "firewall lets them wait, or turns them away.",
        remedy="Let everything in on the fast network: Ray, gloo and NCCL choose ports as they "
        "like.",
        source="Ray's documentation, configuring Ray, ports; nft(8), ufw(8)",
        look=_head_port,
    ),
    Check(
        name="worker-port",
        severity="blocks",
        title="The nodes can connect to Ray's processes on the workers",
        looks_at=f"a connection from each node to HOST_IP and port {WORKER_PORT} of each worker; "
        "`ufw.conf`, `nft list chains`",
        why="Ray's processes talk to each other on ports from there on, gloo and NCCL on any: all "
        "seems well until a rank waits for another.",
        remedy="Let everything in on the fast network, on workers too.",
        source="Ray's documentation, configuring Ray, ports; nft(8), ufw(8)",
        look=_worker_port,
    ),
)
