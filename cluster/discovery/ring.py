"""Hosts joined in a ring: each of the two ports of each leads to one neighbour."""

from collections.abc import Iterator

from cluster.discovery.remark import Remark, remark
from cluster.discovery.wiring import Wiring
from cluster.facts.ports import Port, ports

Ring = tuple[str, ...]
"""Hosts, each with its neighbours before and after it; the last is the first's neighbour."""
OFFICIAL = 3
"""NVIDIA describes rings of this size alone (dgx-spark-playbooks, connect-three-sparks)."""


def ring(wiring: Wiring) -> Ring:
    """Return the hosts in the order of their cables; nothing when they are no ring."""
    beside = {name: _beside(wiring, name) for name in wiring.hosts}
    if any(len(its) != 2 for its in beside.values()):  # noqa: PLR2004 (a ring has two directions)
        return ()
    found = [next(iter(beside))]
    while rest := [name for name in beside[found[-1]] if name not in found]:
        found.append(rest[0])
    return tuple(found) if len(found) == len(beside) else ()


def used(wiring: Wiring, name: str) -> tuple[Port, ...]:
    """Return the ports of a host that lead to a neighbour."""
    return tuple(port for port in ports(wiring.hosts[name]) if wiring.neighbours(name, port))


def warnings(wiring: Wiring, order: Ring) -> Iterator[Remark]:
    """Yield what is odd about a ring."""
    if len(order) > OFFICIAL:
        message = f"a ring of {len(order)}: not every node reaches every other on a port"
        yield remark(", ".join(order), message, "a switch joins more than three")
    for one, other in zip(order, (*order[1:], order[0]), strict=True):
        here, there = _towards(wiring, one, other), _towards(wiring, other, one)
        if _function(here) == _function(there):
            message = f"the cable joins the same port of both, {here.name} and {there.name}"
            yield remark(
                f"{one}, {other}", message, "join port 0 of each node with port 1 of the next"
            )


def _beside(wiring: Wiring, name: str) -> tuple[str, ...]:
    """Return the neighbours of a host, if each of its ports has one at most."""
    its = [wiring.neighbours(name, port) for port in ports(wiring.hosts[name])]
    if any(len(names) > 1 for names in its):
        return ()
    return tuple(dict.fromkeys(one for names in its for one in names))


def _towards(wiring: Wiring, name: str, other: str) -> Port:
    return next(port for port in used(wiring, name) if wiring.neighbours(name, port) == (other,))


def _function(port: Port) -> str:
    """Return the port's number: the function in its PCI address."""
    return port.twins[0].device.pci.rpartition(".")[2]
