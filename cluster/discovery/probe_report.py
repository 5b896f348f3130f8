"""The report of `inv probe`: diffs, warnings, questions and drift for people, or JSON."""

import json
import shlex
from difflib import unified_diff

from cluster.discovery.env_edits import lines, masked
from cluster.discovery.probe_result import FileChange, ProbeResult
from cluster.discovery.remarks import Remark
from cluster.node import DEFAULT

NO_NEWLINE = "\n\\ No newline at end of file\n"
"""The line of diff(1)."""


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


def _lines(kind: str, remarks: tuple[Remark, ...]) -> tuple[str, ...]:
    return tuple(f"{kind}: {remark}" for remark in remarks)


def _file_fields(change: FileChange) -> dict[str, object]:
    values = {row.key: {"value": row.value, "source": row.source} for row in change.values}
    return {"new": change.before is None, "changed": change.is_needed, "values": values}


def _remark_fields(remarks: tuple[Remark, ...]) -> list[dict[str, object]]:
    return [{**remark.fields, "lines": remark.lines} for remark in remarks]
