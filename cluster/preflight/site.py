"""A node as remedies speak of it: its files, the commands that run there, the image."""

from dataclasses import dataclass

from cluster.advice import inv
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.settings.page import CLUSTER_FILE
from cluster.settings.settings import folder


@dataclass(frozen=True, kw_only=True)
class Site:
    """A node in its cluster."""

    cluster: Cluster
    node: Node

    def problem(self, what: str, remedy: str) -> Problem:
        """Return a problem of this node."""
        return Problem(place=self.node.name, what=what, remedy=remedy)

    def on(self, command: str) -> str:
        """Return a command for the node, in backticks; with a terminal, as `sudo` may ask."""
        return f"`ssh -t {self.node.ssh_host} {command}`"

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
        return f"{inv(self.cluster, 'build')}, then {inv(self.cluster, 'ship')}"
