"""Why a node lacks an image after `inv ship`: sentences with their remedies."""

import re

from cluster.errors import Problem
from cluster.host import host_problem
from cluster.node import Cluster
from cluster.ship.outcome import amount
from cluster.ship.route import Way, address
from cluster.ship.survey import Facts, Image
from cluster.words import shell_line

NO_ROOM = "no space left on device"
UNREACHED = "ssh: connect to host "
NO_DAEMON = "connect to the docker"
DAMAGED = re.compile(r"invalid diffID|unexpected (?:commit )?digest|wrong diff id")
"""An engine's words for a layer that is not what its digest says: overlay2's, containerd's."""
NOT_LOADED = frozenset({126, 127, 255})
"""Exit codes of a shell without `docker`, and of ssh itself (ssh(1))."""


def absent(name: str) -> Problem:
    """Say that there is nothing to ship."""
    return Problem(place=name, message="is not on this machine", remedy="`inv build`")


def alien(way: Way, name: str, image: Image, architecture: str) -> Problem:
    """Say that the node cannot run the image."""
    message = f"{name} is for {image.architecture}, and the node is {architecture}"
    return Problem(
        place=way.node, message=message, remedy=f"`inv build --platform linux/{architecture}`"
    )


def cut_short(cluster: Cluster, way: Way, reason: str) -> Problem:
    """Say that this machine could not give the whole image."""
    message = f"keeps its old image, because it got a part only: {reason}"
    return Problem(place=way.node, message=message, remedy=_again(cluster, way))


def stalled(way: Way, seconds: float) -> Problem:
    """Say that the node was given up, so that the others go on."""
    message = f"took no data for {seconds:g} s and was given up"
    return Problem(place=way.node, message=message, remedy="look at its disk and at the link to it")


def unloaded(cluster: Cluster, way: Way, name: str, code: int, words: str) -> Problem:
    """Say why `docker load` failed, in the words of SSH or of the node's engine."""
    if way.fabric and UNREACHED in words:
        must = shell_line(("ssh", *address(way), way.engine.ssh_host, "true"))
        message = f"SSH does not answer on the fast link: {last(words)}"
        return Problem(place=way.node, message=message, remedy=f"this must work: `{must}`")
    if NO_ROOM in words:
        usage = shell_line(way.engine.docker("system", "df"))
        message = f"has no room for {name}: {last(words)}"
        return Problem(place=way.node, message=message, remedy=f"`{usage}` shows what fills it")
    if code in NOT_LOADED or NO_DAEMON in words.lower():
        return host_problem(way.engine, words)
    if DAMAGED.search(words):
        message = f"got other bytes than were sent, and took none of them: {last(words)}"
        return Problem(place=way.node, message=message, remedy=_again(cluster, way))
    message = f"`docker load` of {name} failed: {last(words)}"
    remedy = f"its old image is as it was; {_again(cluster, way)}"
    return Problem(place=way.node, message=message, remedy=remedy)


def different(cluster: Cluster, way: Way, name: str) -> Problem:
    """Say that the node has something else under the image's name after a load without error."""
    message = f"has another {name} than this machine after the load; was it built meanwhile?"
    return Problem(place=way.node, message=message, remedy=_again(cluster, way))


def last(words: str) -> str:
    """Return the last line of what a program said."""
    return (words.strip().splitlines() or ["it gave no reason"])[-1]


def _again(cluster: Cluster, way: Way) -> str:
    return cluster.inv("ship", "--node", way.node)


def full(way: Way, name: str, facts: Facts, needed: int) -> Problem:
    """Say that the node has too little room, before a byte is sent."""
    usage = shell_line(way.engine.docker("system", "df"))
    free = amount(facts.free or 0)
    message = f"has {free} free in {facts.root} and needs {amount(needed)} for {name}"
    return Problem(place=way.node, message=message, remedy=f"`{usage}` shows what fills it")
