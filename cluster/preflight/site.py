"""A node as remedies speak of it: its files, the commands that run there, the image."""

import re
import shlex
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.settings.page import CLUSTER_FILE
from cluster.settings.settings import folder

PLAIN = re.compile(r"[\w@%+=:,./ -]*", re.ASCII)
"""A command that two shells, ours and the node's, leave as it is."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A node in its cluster."""

    cluster: Cluster
    node: Node
    here: bool = False
    """Whether the node is this machine, to which no SSH is needed."""

    def problem(self, message: str, remedy: str) -> Problem:
        """Return a problem of this node."""
        return Problem(place=self.node.name, message=message, remedy=remedy)

    def on(self, command: str) -> str:
        """Return a shell command for the node, in backticks; with a terminal: `sudo` may ask."""
        if self.here:
            return f"`{command}`"
        there = command if PLAIN.fullmatch(command) else shlex.quote(command)
        return f"`ssh -t {self.node.ssh_host} {there}`"

    @property
    def own_file(self) -> str:
        """The node's env file."""
        return f"{folder(self.cluster.name)}{self.node.name}.env"

    @property
    def shared_file(self) -> str:
        """The env file of all nodes."""
        return f"{folder(self.cluster.name)}{CLUSTER_FILE}"

    @property
    def renew(self) -> str:
        """How a better image comes to every node."""
        return f"{self.cluster.inv('build')}, then {self.cluster.inv('ship')}"
