"""The env files of a cluster as `inv probe` finds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from cluster.errors import Problem, RefusedError, SettingsError
from cluster.settings import settings
from cluster.settings.envfile import Assignment, EnvText, Fault, parse
from cluster.settings.page import CLUSTER_FILE, Page, page
from cluster.settings.schema import HOST_IP, RUNTIME

ENV = ".env"
SHARED = CLUSTER_FILE.removesuffix(ENV)
"""What the file of all nodes is called, as the others are after their nodes."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """An env file as it is."""

    page: Page
    raw: Mapping[str, str]
    """The values as they are written."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The env files of a cluster, each read."""

    name: str
    """The cluster's."""
    texts: tuple[EnvText, ...]

    def text(self, node: str) -> str | None:
        """Return the text of a node's file; None when there is none."""
        return next((its.text for its in self.texts if its.path == self.path(node)), None)

    def written(self, node: str) -> Written:
        """Return a node's file as it is; an empty one when there is none."""
        text = EnvText(path=self.path(node), text=self.text(node) or "")
        found = parse(text.path, text.text)
        raw = {its.key: its.value for its in found if isinstance(its, Assignment)}
        return Written(page=page(text), raw=raw)

    def path(self, node: str) -> str:
        """Return the path of a node's file; `cluster` is called what all share."""
        return f"{settings.folder(self.name)}{node}{ENV}"

    @property
    def shared(self) -> Written:
        """The file that all nodes share."""
        return self.written(SHARED)

    @property
    def nodes(self) -> tuple[Written, ...]:
        """The files of nodes."""
        names = (PurePosixPath(its.path).stem for its in self.texts)
        return tuple(self.written(name) for name in names if name != SHARED)

    @property
    def addresses(self) -> dict[str, IPv4Address]:
        """The HOST_IP of each node whose file has one."""
        found = ((its.page.name, its.page.get(HOST_IP)) for its in self.nodes)
        return {name: address for name, address in found if address}

    def check(self) -> None:
        """Raise for text that no value can be put into, and for nodes that are no machines."""
        troubles = tuple(
            Fault(path=its.path, message=its.trouble, remedy=its.remedy)
            for its in self.texts
            if its.trouble
        )
        found = (one for its in self.texts for one in parse(its.path, its.text))
        if faults := (*troubles, *(one for one in found if isinstance(one, Fault))):
            raise SettingsError(*(fault.problem for fault in faults))
        if self.shared.page.get(RUNTIME) == "process":
            message = "its nodes are namespaces of this machine, and have no ports"
            remedy = "its files are complete as they are"
            raise RefusedError(
                Problem(place=f"cluster {self.name}", message=message, remedy=remedy)
            )
