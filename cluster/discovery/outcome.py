"""What becomes of the env files of a cluster by what its machines say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cluster.discovery import drift, proposal
from cluster.discovery.envtext import Entry, merged
from cluster.discovery.files import SHARED, Files
from cluster.discovery.proposal import Host
from cluster.discovery.remark import Remark, remark
from cluster.discovery.topology import Kind, Topology
from cluster.errors import NodeError, Problem, SettingsError
from cluster.settings import settings
from cluster.settings.envfile import EnvText

UNDECIDED = NodeError.exit_code
MERGE = "NCCL_IB_MERGE_NICS"


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
    def code(self) -> int:
        """The exit code: 4 with a question, else 1 if files would change, else 0."""
        return UNDECIDED if self.questions else int(bool(self.changed))

    @property
    def drift_code(self) -> int:
        """The exit code of a mere look: 4 with a question, else 1 if a value differs, else 0."""
        return UNDECIDED if self.questions else int(bool(self.drifts))

    @property
    def changed(self) -> tuple[Change, ...]:
        """The files that would not stay as they are."""
        return tuple(its for its in self.changes if its.before != its.after)


def outcome(files: Files, hosts: tuple[Host, ...], found: Topology) -> Outcome:
    """Return what becomes of the files; with a question left, they stay as they are."""
    if found.questions:
        return Outcome(kind=found.kind, warnings=found.warnings, questions=found.questions)
    changes = tuple(_changes(files, _entries(files, hosts, found)))
    moved = tuple(
        problem
        for host in hosts
        for problem in drift.moved(host, found.seats[host.name], files.shared)
    )
    warnings = (*_left_over(files, found), *(Remark(problem=problem) for problem in moved))
    return Outcome(
        kind=found.kind,
        changes=changes,
        drifts=(*_drifts(files, changes), *moved),
        warnings=(*found.warnings, *warnings),
        questions=tuple(_faults(files, changes)),
    )


def _entries(
    files: Files, hosts: tuple[Host, ...], found: Topology
) -> dict[str, tuple[Entry, ...]]:
    """Return what each file should say, by its name."""
    head = proposal.head(hosts, tuple(its.page for its in files.nodes))
    shared = proposal.shared(hosts, found, head, files.shared)
    nodes = {host.name: proposal.own(host, found, head, files.shared) for host in hosts}
    return ({SHARED: shared} if shared else {}) | nodes


def _changes(files: Files, entries: Mapping[str, tuple[Entry, ...]]) -> Iterator[Change]:
    for name, its in entries.items():
        before = files.text(name)
        after = merged(before or "", its)
        yield Change(path=files.path(name), before=before, after=after, entries=its)


def _drifts(files: Files, changes: tuple[Change, ...]) -> Iterator[Problem]:
    written = {its.page.path: its for its in (files.shared, *files.nodes)}
    for its in changes:
        if its.before is None:
            yield Problem(place=its.path, message="is missing")
        else:
            yield from drift.drifts(written[its.path], its.entries)


def _left_over(files: Files, found: Topology) -> Iterator[Remark]:
    """Yield what an earlier ring has left: it keeps a port's twins from working as one."""
    shared = files.shared
    if found.kind != "ring" and shared.raw.get(MERGE) == proposal.RING[MERGE]:
        message = f"is {shared.raw[MERGE]}, which is for a ring, and this is none"
        yield remark(f"{shared.page.place(MERGE)}: {MERGE}", message, "remove the line")


def _faults(files: Files, changes: tuple[Change, ...]) -> Iterator[Remark]:
    """Yield what would be wrong with the files after the changes."""
    after = {its.path: EnvText(path=its.path, text=its.after) for its in changes}
    texts = {its.path: its for its in files.texts} | after
    try:
        settings.resolve(files.name, tuple(texts[path] for path in sorted(texts)))
    except SettingsError as error:
        yield from (Remark(problem=problem) for problem in error.problems)
