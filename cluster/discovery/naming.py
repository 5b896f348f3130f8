"""Which node a machine is: by how it was named, by its file, or by its own name."""

from collections.abc import Iterable, Iterator, Mapping

from cluster.discovery.remark import Remark, remark
from cluster.facts.facts import Facts
from cluster.settings.page import Page
from cluster.settings.schema import HOST_IP, SSH_HOST
from cluster.settings.values import WrongValueError, label, shown

Answered = Mapping[str, Facts]
"""What each machine said, by how it was named; this one may have no name."""


def node(destination: str, facts: Facts, pages: Iterable[Page]) -> str:
    """Return the name of a node; empty when nothing it is called may be one.

    A file that has the machine's address or destination knows best, then the alias of
    ~/.ssh/config, then the machine.
    """
    host = destination.rpartition("@")[2]
    described = (page.name for page in pages if _describes(page, destination, facts))
    own = facts.machine.hostname.partition(".")[0].lower().replace("_", "-")
    return next(described, "") or next(filter(_usable, (host, own)), "")


def doubts(names: Mapping[str, str], said: Answered) -> Iterator[Remark]:
    """Yield what keeps names, by destination, from meaning one machine each."""
    seen: dict[str, str] = {}
    cards: dict[tuple[str, ...], str] = {}
    for destination, name in names.items():
        place = destination or "this machine"
        facts = said[destination]
        macs = _cards(facts)
        if macs and (twin := cards.setdefault(macs, place)) != place:
            yield remark(place, f"is the same machine as {twin}", "name it once")
        elif not name:
            message = f"its name {shown(facts.machine.hostname)} cannot be a node's"
            yield remark(
                place, message, "give it an alias like spark1 in ~/.ssh/config, and name that"
            )
        elif (other := seen.setdefault(name, place)) != place:
            yield remark(
                place, f"is called {name}, as is {other}", "name both by different aliases"
            )


def _describes(page: Page, destination: str, facts: Facts) -> bool:
    """Tell whether a file is that of a machine."""
    ours = {one.ip for its in facts.links.interfaces for one in its.addresses}
    if not destination:
        return page.get(HOST_IP) in ours
    return destination in {page.get(SSH_HOST), str(page.get(HOST_IP))}


def _usable(name: str) -> bool:
    try:
        return bool(label(name))
    except WrongValueError:
        return False


def _cards(facts: Facts) -> tuple[str, ...]:
    """Return the addresses of a machine's real network cards."""
    return tuple(sorted(its.mac for its in facts.links.interfaces if its.pci and its.mac))
