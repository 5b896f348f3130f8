"""`inv ship`: what it is asked for, and its dry run; the rest is loaded for a real one alone."""

from dataclasses import dataclass
from typing import get_args

from cluster.errors import Problem, RefusedError
from cluster.machine.terminal import show
from cluster.node import Cluster
from cluster.session import Session, engines
from cluster.ship import by_hand, route
from cluster.ship.route import Compress, Via
from cluster.ship.site import found
from cluster.text import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the flags ask for."""

    image: str = ""
    plan: bool = False
    via: str = "auto"
    compress: str = "auto"
    prune: bool = False
    json: bool = False


def ship_image(run: Session, names: list[str], wishes: Wishes) -> int:
    """Copy an image to the nodes with these names, to all without any; print what became of each.

    It comes from this machine's engine, and nodes with this engine have it. Returns 1 when only a
    plan was asked for, and there is work. A NodeError says which nodes lack the image in the end.
    """
    cluster = run.cluster
    _refuse(cluster, wishes)
    name = route.tagged(wishes.image or cluster.image)
    nodes, its = run.chosen(names, cluster.nodes), engines(cluster)
    sites = found(cluster, nodes, its)
    if run.dry:
        ways = tuple(site.way for site in sites if site.way.engine.ssh_host)
        show(by_hand.script(name, nodes, ways))
        return 0
    # What a dry run does without is not waited for.
    from cluster.ship.shipment import Shipment

    shipment = Shipment(cluster, run.report, name, wishes, sites)
    if wishes.plan:
        return shipment.show()
    with run.alone():
        shipment.ship()
    return 0


def _refuse(cluster: Cluster, wishes: Wishes) -> None:
    """Raise for what cannot work, all at once."""
    problems = [
        Problem(place=f"--{flag}", message=f"no such way: `{word}`", remedy=remedy)
        for flag, word, words in (
            ("via", wishes.via, get_args(Via)),
            ("compress", wishes.compress, get_args(Compress)),
        )
        if word not in words
        for remedy in (did_you_mean(word, words, f"one of {', '.join(words)}"),)
    ]
    if cluster.runtime == "process":
        message = "its nodes are namespaces of this machine, there is nothing to ship"
        problems.append(Problem(place=cluster.name, message=message))
    if problems:
        raise RefusedError(*problems)
