"""Why a node lacks an image after `inv ship`: problems with their remedies."""

import re

from cluster.errors import Problem
from cluster.facts.facts import Facts
from cluster.facts.images import Image
from cluster.host import host_problem
from cluster.node import Cluster
from cluster.ship.routes import ShipRoute
from cluster.text import data_size
from cluster.words import shell_line

NO_SPACE = "no space left on device"
NO_CONNECTION = "ssh: connect to host "
NO_DAEMON = "connect to the docker"
DAMAGED = re.compile(r"invalid diffID|unexpected (?:commit )?digest|wrong diff id")
"""An engine's words for a layer that does not match its digest: overlay2's, containerd's."""
NOT_LOADED = frozenset({126, 127, 255})
"""Exit codes of a shell without `docker`, and of ssh itself (ssh(1))."""


def no_image(name: str) -> Problem:
    """Return the problem that this machine lacks the image."""
    return Problem(place=name, message="is not on this machine", remedy="`inv build`")


def wrong_architecture(route: ShipRoute, name: str, image: Image, architecture: str) -> Problem:
    """Return the problem that the node cannot run the image."""
    message = f"{name} is built for {image.architecture}, but the node is {architecture}"
    remedy = f"`inv build --platform linux/{architecture}`"
    return Problem(place=route.node, message=message, remedy=remedy)


def no_room(route: ShipRoute, name: str, facts: Facts, needed: int) -> Problem:
    """Return the problem that the node lacks disk space, found before a byte is sent."""
    disk, root = facts.engine_disk, facts.docker.root
    free = data_size(disk.free if disk else 0)
    message = f"has {free} free in {root} and needs {data_size(needed)} for {name}"
    return Problem(place=route.node, message=message, remedy=_disk_usage(route))


def incomplete(cluster: Cluster, route: ShipRoute, reason: str) -> Problem:
    """Return the problem that this machine could not send the whole image."""
    message = f"received only part of the image and keeps the old one: {reason}"
    return Problem(place=route.node, message=message, remedy=_retry(cluster, route))


def stalled(route: ShipRoute, seconds: float) -> Problem:
    """Return the problem that the transfer was stopped so that the others could continue."""
    message = f"transfer stopped: the node took no data for {seconds:g} s"
    return Problem(place=route.node, message=message, remedy="check its disk and the link to it")


def load_failed(cluster: Cluster, route: ShipRoute, name: str, code: int, output: str) -> Problem:
    """Return why `docker load` failed, in the words of SSH or of the node's engine."""
    reason = last_line(output)
    if route.fast_address and NO_CONNECTION in output:
        options = (word for option in route.options for word in ("-o", option))
        command = shell_line(("ssh", *options, route.host.ssh_host, "true"))
        message = f"no SSH connection over the fast link: {reason}"
        remedy = f"this command must succeed: `{command}`"
        return Problem(place=route.node, message=message, remedy=remedy)
    if NO_SPACE in output:
        message = f"not enough disk space for {name}: {reason}"
        return Problem(place=route.node, message=message, remedy=_disk_usage(route))
    if code in NOT_LOADED or NO_DAEMON in output.lower():
        return host_problem(route.host, output)
    if DAMAGED.search(output):
        message = f"the image was damaged on its way and not loaded: {reason}"
        return Problem(place=route.node, message=message, remedy=_retry(cluster, route))
    message = f"`docker load` of {name} failed: {reason}"
    remedy = f"the old image is unchanged; retry: {_retry(cluster, route)}"
    return Problem(place=route.node, message=message, remedy=remedy)


def different(cluster: Cluster, route: ShipRoute, name: str) -> Problem:
    """Return the problem that the node has different content after a load without error."""
    message = f"the loaded {name} differs from this machine's; was it rebuilt meanwhile?"
    return Problem(place=route.node, message=message, remedy=_retry(cluster, route))


def last_line(output: str) -> str:
    """Return the last line that a program printed."""
    return (output.strip().splitlines() or ["no reason given"])[-1]


def _retry(cluster: Cluster, route: ShipRoute) -> str:
    return cluster.inv("ship", "--node", route.node)


def _disk_usage(route: ShipRoute) -> str:
    return f"`{shell_line(route.host.docker('system', 'df'))}` shows what uses it"
