"""The runtimes by the setting RUNTIME: each is one room."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from cluster.host import Host
from cluster.node import Cluster
from cluster.plan.runtime import Runtime

ROOMS = {"docker": "cluster.containers", "process": "cluster.namespaces"}
VIRTUAL = frozenset({"process"})
"""Runtimes whose nodes are parts of this machine: without an engine, image or link of their own."""


@dataclass(frozen=True, kw_only=True)
class LocalMachine:
    """The facts of this machine that a runtime needs; paths are absolute."""

    root: str
    """The repository."""
    rehearsal: str
    """The environment of the rehearsal."""
    state: str
    """The folder of the cluster's run state."""
    hosts: Mapping[str, Host]
    """How each node's machine is reached, by the node's name."""
    rootless: bool
    """Whether namespaces can only be made inside a user namespace."""


def is_virtual(cluster: Cluster) -> bool:
    """Whether the nodes are parts of this machine."""
    return cluster.runtime in VIRTUAL


def runtime(cluster: Cluster, machine: LocalMachine, *, recreate: bool = False) -> Runtime:
    """Return the cluster's runtime; `recreate` replaces services that run with other settings."""
    # Only the one room is loaded: containers take 7 ms, of 240 for `inv --dry up`.
    room = import_module(f"{ROOMS[cluster.runtime]}.runtime")
    return cast("Runtime", room.runtime(cluster, machine, recreate=recreate))
