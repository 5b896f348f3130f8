"""A node in its cluster, as problems and remedies speak of it: its files, commands for it."""

import re
import shlex
from dataclasses import dataclass

from cluster.errors import Problem
from cluster.node import Cluster, Node, env_folder

PLAIN = re.compile(r"[\w@%+=:,./ -]*", re.ASCII)
"""A command that two shells, this machine's and the node's, leave unchanged."""


@dataclass(frozen=True, kw_only=True)
class NodeContext:
    """A node in its cluster."""

    cluster: Cluster
    node: Node
    is_local: bool = False
    """Whether the node is this machine, so that no SSH is needed."""

    def problem(self, message: str, remedy: str) -> Problem:
        """Return a problem of this node."""
        return Problem(place=self.node.name, message=message, remedy=remedy)

    def command(self, line: str) -> str:
        """Return a shell command for the node in backticks; with a terminal, as `sudo` may ask."""
        if self.is_local:
            return f"`{line}`"
        word = line if PLAIN.fullmatch(line) else shlex.quote(line)
        return f"`ssh -t {self.node.ssh_host} {word}`"

    def setting(self, key: str) -> str:
        """Return the name of a setting of the node where the user writes it."""
        return key

    def assignment(self, key: str, value: str) -> str:
        """Return what the user writes to give a setting of the node a value."""
        return f"{key}={value}"

    @property
    def in_node_file(self) -> str:
        """Where such an assignment is written, to stand behind it."""
        return f" in {self.node_file}"

    @property
    def in_cluster_file(self) -> str:
        """Where an assignment for all nodes is written, to stand behind it."""
        return f" in {self.cluster_file}"

    @property
    def no_such_interface(self) -> str:
        """What to do about an interface that does not exist, if no other has a similar name."""
        return f"write the name of the ConnectX link's interface{self.in_node_file}"

    @property
    def node_file(self) -> str:
        """The node's env file."""
        return f"{env_folder(self.cluster.name)}{self.node.name}.env"

    @property
    def cluster_file(self) -> str:
        """The env file that all nodes share."""
        return self.cluster.file

    @property
    def new_image(self) -> str:
        """The commands that bring a newly built image to every node."""
        return f"{self.cluster.inv('build')}, then {self.cluster.inv('ship')}"
