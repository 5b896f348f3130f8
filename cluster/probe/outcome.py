"""What becomes of the env files of a cluster by what its machines say."""

from collections.abc import Mapping
from dataclasses import dataclass

from cluster.errors import Problem, RefusedError, SettingsError
from cluster.facts.facts import Facts
from cluster.node import Cluster
from cluster.probe import drift, proposal
from cluster.probe.envtext import Entry, merged
from cluster.probe.proposal import Host, Written
from cluster.probe.remark import Remark
from cluster.probe.topology import Kind, Topology
from cluster.settings import settings
from cluster.settings.envfile import Assignment, EnvText, Fault, parse
from cluster.settings.page import CLUSTER_FILE, page


@dataclass(frozen=True, kw_only=True)
class Change:
    """An env file as it is and as it should be."""

    path: str
    before: str | None
    """None when there is no such file."""
    after: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was found, and what follows from it."""

    kind: Kind
    changes: tuple[Change, ...] = ()
    """Of all files, also those that stay as they are."""
    drifts: tuple[Problem, ...] = ()
    """Where a file says something else than the machines."""
    warnings: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()
    """As long as there are any, nothing is written."""

    @property
    def changed(self) -> tuple[Change, ...]:
        """The files that would not stay as they are."""
        return tuple(its for its in self.changes if its.before != its.after)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The env files of a cluster, each read."""

    name: str
    """The cluster's."""
    texts: tuple[EnvText, ...]

    def written(self, node: str) -> Written:
        """Return a file as it is; an empty one when it is not there."""
        path = self.path(node)
        text = next((its for its in self.texts if its.path == path), EnvText(path=path))
        found = parse(path, text.text)
        raw = {its.key: its.value for its in found if isinstance(its, Assignment)}
        return Written(page=page(text), raw=raw)

    def path(self, node: str) -> str:
        """Return the path of a node's file; `cluster` has the one of all."""
        return f"{settings.folder(self.name)}{node}.env"

    @property
    def shared(self) -> Written:
        """The file that all nodes share."""
        return self.written(CLUSTER_FILE.removesuffix(".env"))

    @property
    def nodes(self) -> tuple[Written, ...]:
        """The files of nodes."""
        names = (its.path.rpartition("/")[2] for its in self.texts)
        return tuple(self.written(name[:-4]) for name in names if name != CLUSTER_FILE)

    def check(self) -> None:
        """Raise for text that no value can be put into, and for nodes that are no machines."""
        troubles = tuple(
            Fault(path=its.path, what=its.trouble, remedy=its.remedy)
            for its in self.texts
            if its.trouble
        )
        found = (one for its in self.texts for one in parse(its.path, its.text))
        if faults := (*troubles, *(one for one in found if isinstance(one, Fault))):
            raise SettingsError(*(fault.problem for fault in faults))
        if self.shared.raw.get("RUNTIME") == "process":
            what = "its nodes are namespaces of this machine, and have no ports"
            raise RefusedError(Problem(place=f"cluster {self.name}", what=what))
