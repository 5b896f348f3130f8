"""What is to be shipped, as `inv ship --plan` prints it: a table with notes, or JSON."""

import json

from cluster.node import Cluster
from cluster.ship.leg import Leg, Order
from cluster.ship.outcome import amount
from cluster.ship.plan import chains, work
from cluster.ship.route import detour
from cluster.text import aligned

TITLES = ("node", "route", "store", "layers", "send", "free", "expected")


def table(cluster: Cluster, legs: tuple[Leg, ...]) -> str:
    """Return the plan as a person reads it: a row for each node, then what is worth a look."""
    lines = (aligned((TITLES, *(_cells(leg) for leg in legs))), *notes(cluster, legs))
    return "".join(f"{line}\n" for line in lines)


def notes(cluster: Cluster, legs: tuple[Leg, ...]) -> tuple[str, ...]:
    """Return lines for the user: a way around the fast link, and what is odd about a node."""
    first = tuple(chain[0] for chain in chains(legs))
    speed = min((leg.link for leg in first if leg.link and not leg.way.fabric), default=None)
    around = detour(cluster, tuple(leg.way for leg in first), speed)
    own = (f"{leg.way.node}: {note}" for leg in legs for note in leg.notes)
    return (*filter(None, (around,)), *own)


def as_json(order: Order, legs: tuple[Leg, ...]) -> str:
    """Return the plan as JSON."""
    nodes = [_plain(leg) for leg in legs]
    return json.dumps({"image": order.name, "nodes": nodes, "work": work(legs)}, indent=2) + "\n"


def _cells(leg: Leg) -> tuple[str, ...]:
    facts = leg.facts
    store = f"{facts.store} {facts.version}" if facts else ""
    layers = f"{leg.lowest}/{leg.layers}" if leg.state == "ship" else ""
    free = amount(facts.free) if facts and facts.free is not None else ""
    expected = f"about {max(1, round(leg.seconds))} s" if leg.seconds is not None else ""
    return (leg.way.node, leg.route, store, layers, _send(leg), free, expected)


def _send(leg: Leg) -> str:
    """Return how much goes to the node, or why nothing does."""
    if leg.state != "ship":
        return {"here": "is here", "equal": "has it", "failed": "cannot"}[leg.state]
    most = "" if leg.exact else "at most "
    return f"{most}{amount(leg.size)}{', zstd' if leg.compress else ''}"


def _plain(leg: Leg) -> dict[str, object]:
    facts = leg.facts
    return {
        "node": leg.way.node,
        "route": leg.route,
        "state": leg.state,
        "store": facts.store if facts else "",
        "version": facts.version if facts else "",
        "present": leg.lowest,
        "layers": leg.layers,
        "send": leg.size,
        "exact": leg.exact,
        "free": facts.free if facts else None,
        "link": leg.link,
        "zstd": leg.compress,
        "chain": leg.chain if leg.state == "ship" else None,
        "seconds": None if leg.seconds is None else round(leg.seconds, 1),
        "notes": list(leg.notes),
        "problem": str(leg.problem or ""),
    }
