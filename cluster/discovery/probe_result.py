"""The result of a probe: changes of env files, drift, warnings, questions; as text and JSON."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

from cluster.discovery import proposal
from cluster.discovery.env_edits import ProposedValue, edited, lines, masked
from cluster.discovery.nodes import ClusterFiles, CurrentFile, ProbedNode
from cluster.discovery.remarks import Remark
from cluster.discovery.topology import Attachment, Kind, Topology
from cluster.errors import NodeError, Problem, SettingsError
from cluster.facts.ports import Twin
from cluster.node import DEFAULT
from cluster.scripts import here_document
from cluster.settings import settings
from cluster.settings.syntax import EnvText
from cluster.words import shell_word

UNDECIDED = NodeError.exit_code
MERGE_NICS = "NCCL_IB_MERGE_NICS"
GID_INDEX = "NCCL_IB_GID_INDEX"
ROCE = "RoCE v2"
NO_NEWLINE = "\n\\ No newline at end of file\n"
"""The line of diff(1)."""
EXPECTED: Mapping[str, str] = {
    "HOST_IP": "the interface has",
    "ETH_IF": "the link is on",
    "IB_IF": "the link is on",
    "HEAD_IP": "the head has",
    "SSH_HOST": "the command line has",
    "GPUS": "nvidia-smi lists",
}
"""The words before the right value of a key."""


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """An env file before and after a probe; as a step, it writes the file."""

    file: CurrentFile
    after: str
    values: tuple[ProposedValue, ...]

    @property
    def place(self) -> str:
        """The path from the root of the repository."""
        return self.file.parsed.path

    @property
    def before(self) -> str | None:
        """The text before; None if there is no such file."""
        return self.file.text

    @property
    def is_needed(self) -> bool:
        """Whether the file would change."""
        return self.before != self.after

    @property
    def title(self) -> str:
        """What the step does."""
        return "Create the env file" if self.before is None else "Change the env file"

    @property
    def text(self) -> str:
        """The shell line, secrets masked."""
        return here_document(f"cat >{shell_word(self.place)}", masked(self.after))


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """The changes of all files, and what people should know or decide."""

    kind: Kind
    changes: tuple[FileChange, ...] = ()
    """Of all files, also those that stay unchanged."""
    drifts: tuple[Problem, ...] = ()
    """Where a file differs from the machines."""
    warnings: tuple[Remark, ...] = ()
    questions: tuple[Remark, ...] = ()
    """With an open question, no file is written."""

    @property
    def needed(self) -> tuple[FileChange, ...]:
        """The files that would change."""
        return tuple(change for change in self.changes if change.is_needed)

    def exit_code(self, *, write: bool, check: bool) -> int:
        """Return 4 with an open question; else 1 if a file would change or, to check, differs."""
        if self.questions:
            return UNDECIDED
        return int(bool(self.drifts if check else self.needed and not write))


def probe_result(
    files: ClusterFiles, nodes: tuple[ProbedNode, ...], topology: Topology
) -> ProbeResult:
    """Return the changes of a cluster's files; none with an open question."""
    kind, warnings, questions = topology.kind, topology.warnings, topology.questions
    if questions:
        return ProbeResult(kind=kind, warnings=warnings, questions=questions)
    changes = tuple(_changes(files, nodes, topology))
    attachments = topology.attachments
    stale = [row for node in nodes for row in _stale_gid(node, attachments[node.name], files)]
    return ProbeResult(
        kind=kind,
        changes=changes,
        drifts=(*(drift for change in changes for drift in _drifts(change)), *stale),
        warnings=(*warnings, *_ring_leftovers(files, kind), *stale),
        questions=_remarks(_faults(files, changes)),
    )


def undecided(problems: Iterable[Problem]) -> ProbeResult:
    """Return a result that only has questions."""
    return ProbeResult(kind="undecided", questions=_remarks(problems))


def _remarks(problems: Iterable[Problem]) -> tuple[Remark, ...]:
    return tuple(Remark(problem.place, problem.message, problem.remedy) for problem in problems)


def text(result: ProbeResult) -> str:
    """Return the changes, warnings and questions; secrets are masked."""
    diffs = "".join(map(diff, result.needed))
    remarks = (*_lines("warning", result.warnings), *_lines("question", result.questions))
    return diffs + "".join(f"{line}\n" for line in remarks)


def drift(result: ProbeResult) -> str:
    """Return a line for each difference between a file and the machines, and each question."""
    remarks = (*map(str, result.drifts), *_lines("question", result.questions))
    return "".join(f"{line}\n" for line in remarks)


def diff(change: FileChange) -> str:
    """Return the difference between a file before and after."""
    before, after = lines(masked(change.before or "")), lines(masked(change.after))
    name = f"{change.place} (new)" if change.before is None else change.place
    rows = unified_diff(before, after, name, change.place)
    return "".join(row if row.endswith(("\n", "\r")) else f"{row}{NO_NEWLINE}" for row in rows)


def as_json(result: ProbeResult) -> str:
    """Return everything as JSON."""
    report = {
        "topology": result.kind,
        "files": {change.place: _file_fields(change) for change in result.changes},
        "drift": [str(problem) for problem in result.drifts],
        "warnings": _remark_fields(result.warnings),
        "questions": _remark_fields(result.questions),
    }
    return json.dumps(report, indent=2) + "\n"


def next_step(result: ProbeResult, cluster: str, hosts: tuple[str, ...]) -> str:
    """Return the last line, with the command that writes the files."""
    if result.questions:
        return "Nothing is written until all questions are answered.\n"
    if not result.needed:
        return "The env files match the machines.\n"
    option = () if cluster == DEFAULT else ("--cluster", cluster)
    words = ("inv", "probe", "--write", *option, *(("--", *hosts) if hosts else ()))
    return f"Write these files: `{shlex.join(words)}`\n"


def written(result: ProbeResult) -> str:
    """Return a line for each file that has been written."""
    if result.questions or not result.needed:
        return next_step(result, "", ())
    return "".join(f"wrote {change.place}\n" for change in result.needed)


def _changes(
    files: ClusterFiles, nodes: tuple[ProbedNode, ...], topology: Topology
) -> Iterator[FileChange]:
    head = proposal.head(nodes, tuple(file.parsed for file in files.nodes))
    if values := proposal.shared_values(nodes, topology, head, files.shared):
        yield _change(files.shared, values)
    for node in nodes:
        yield _change(node.file, tuple(proposal.node_values(node, topology, head, files.shared)))


def _change(file: CurrentFile, values: tuple[ProposedValue, ...]) -> FileChange:
    return FileChange(file=file, after=edited(file.text or "", values), values=values)


def _drifts(change: FileChange) -> Iterator[Problem]:
    """Yield the keys of a file whose values differ from the machines."""
    if change.before is None:
        yield Problem(change.place, "is missing")
        return
    for row in change.values:
        current = change.file.raw.get(row.key)
        expected = f"{EXPECTED.get(row.key, 'expected')} {row.value}"
        expected = expected if row.value else "there is no RDMA device"
        if current is None:
            yield Problem(f"{change.place}: {row.key}", f"is missing, {expected}")
        elif current != row.value:
            state = f"is {current}" if current else "is empty"
            yield Problem(_place(change.file, row.key), f"{state}, {expected}")


def _place(file: CurrentFile, key: str) -> str:
    return f"{file.parsed.place(key)}: {key}"


def _stale_gid(node: ProbedNode, attachment: Attachment, files: ClusterFiles) -> Iterator[Remark]:
    """Yield a forced GID row that is no longer the row of the address."""
    file = node.file if GID_INDEX in node.file.raw else files.shared
    forced = file.raw.get(GID_INDEX, "")
    wrong = (twin for twin in attachment.twins if (rows := _gid_rows(twin)) and forced not in rows)
    if twin := next(wrong, None) if forced.isdecimal() else None:
        row, address = next(iter(_gid_rows(twin).items()))
        message = f"is {forced}, but {twin.device.name} of {node.name} has {address} in row {row}"
        yield Remark(_place(file, GID_INDEX), message, "remove the line: NCCL finds the row")


def _gid_rows(twin: Twin) -> dict[str, str]:
    """Return the RoCE v2 rows that have an IPv4 address of the twin's interface, by number."""
    addresses = {address.ip for address in twin.interface.addresses}
    return {
        str(row.index): str(row.address)
        for row in twin.device.gids
        if row.kind == ROCE and row.address in addresses
    }


def _ring_leftovers(files: ClusterFiles, kind: Kind) -> Iterator[Remark]:
    """Yield a variable of an earlier ring: it keeps a port's twins from working as one."""
    value = files.shared.raw.get(MERGE_NICS)
    if kind != "ring" and value == proposal.RING[MERGE_NICS]:
        message = f"is {value}, which is for a ring, but this is no ring"
        yield Remark(_place(files.shared, MERGE_NICS), message, "remove the line")


def _faults(files: ClusterFiles, changes: tuple[FileChange, ...]) -> tuple[Problem, ...]:
    after = {change.place: EnvText(path=change.place, text=change.after) for change in changes}
    texts = {file.path: file for file in files.texts} | after
    try:
        settings.resolve(files.cluster, tuple(texts[path] for path in sorted(texts)))
    except SettingsError as error:
        return error.problems
    return ()


def _lines(kind: str, remarks: tuple[Remark, ...]) -> tuple[str, ...]:
    return tuple(f"{kind}: {remark}" for remark in remarks)


def _file_fields(change: FileChange) -> dict[str, object]:
    values = {row.key: {"value": row.value, "source": row.source} for row in change.values}
    return {"new": change.before is None, "changed": change.is_needed, "values": values}


def _remark_fields(remarks: tuple[Remark, ...]) -> list[dict[str, object]]:
    return [{**remark.fields, "lines": remark.lines} for remark in remarks]
