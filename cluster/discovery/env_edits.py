"""New values in the text of an env file; all other text stays unchanged."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO

from dotenv.parser import parse_stream

from cluster.settings import passthrough
from cluster.settings.values import one_line
from cluster.words import MASK

MARK = "# probe: "
"""The beginning of the comments that `inv probe` writes."""
WIDTH = 100
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
ENDING = re.compile(r"\r\n|\r|\n")
# As in dotenv.parser: a key and its sign, a quoted value, a comment behind an unquoted value.
FRONT = re.compile(r"""[^\S\r\n]*(?:export[^\S\r\n]+)?(?:'[^']+'|[^='\s]+)[^\S\r\n]*=""")
QUOTED = re.compile(r"""[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL)
BEHIND = re.compile(r"(?:[^\S\r\n]+#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
IN_COMMENT = re.compile(r"([^#\r\n]*#[^\r\n]*?([A-Za-z_][A-Za-z0-9_]*)[^\S\r\n]*=)([^\r\n]*)")
PLAIN = re.compile(r"[A-Za-z0-9_.,:@/+-]*")


@dataclass(frozen=True)
class ProposedValue:
    """A value for a key, and its source."""

    key: str
    value: str
    source: str

    @property
    def comment(self) -> str:
        """The comment above the assignment."""
        line = one_line(f"{MARK}{self.source}")
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


@dataclass(frozen=True)
class AssignmentLines:
    """The lines of an assignment, counted from 0; `stop` is the line after them."""

    key: str
    value: str
    start: int
    stop: int


def lines(text: str) -> list[str]:
    """Return the lines with their ends; only newlines and carriage returns end a line."""
    return LINE.findall(text)


def edited(text: str, values: Iterable[ProposedValue]) -> str:
    """Return the text of an env file with these values.

    A line changes only if its value does, together with the comment of `inv probe` above it;
    missing keys are added at the end. The text has to be free of faults.
    """
    assignments = {current.key: current for current in _assignments(text)}
    inside = {line for key in assignments.values() for line in range(key.start, key.stop)}
    rows, missing = lines(text), list[ProposedValue]()
    for value in values:
        if current := assignments.get(value.key):
            _replace(rows, current, value, has_comment=current.start - 1 not in inside)
        else:
            missing.append(value)
    return _extended("".join(rows), missing, _ending(text))


def masked(text: str) -> str:
    """Return the text with its secrets masked; it has the same lines, so that diffs stay true."""
    rows = lines(text)
    for assignment in _assignments(text):
        if passthrough.is_secret(assignment.key, assignment.value):
            for number in range(assignment.start, assignment.stop):
                front = FRONT.match(rows[number]) if number == assignment.start else None
                rows[number] = f"{front[0] if front else ''}{MASK}{_ending(rows[number], '')}"
    return "".join(map(_masked_comment, rows))


def _masked_comment(line: str) -> str:
    """Mask the value behind the name of a secret in a comment, where people keep old ones."""
    match = IN_COMMENT.match(line)
    if not match or not match[3] or not passthrough.is_secret(match[2], match[3]):
        return line
    return f"{match[1]}{MASK}{line[match.end() :]}"


def _assignments(text: str) -> Iterator[AssignmentLines]:
    """Yield the assignments as the settings parse them, with a single kind of line ends."""
    line = 0
    for binding in parse_stream(StringIO(ENDING.sub("\n", text))):
        original = binding.original.string
        statement = original.lstrip()
        start = line + original.count("\n") - statement.count("\n")
        line += original.count("\n")
        if binding.key is not None:
            stop = line if statement.endswith("\n") else line + 1
            yield AssignmentLines(binding.key, binding.value or "", start, stop)


def _replace(
    rows: list[str], current: AssignmentLines, value: ProposedValue, *, has_comment: bool
) -> None:
    """Write a value and its comment into the lines, without moving any line."""
    first, comment = current.start, f"{value.comment}{_ending(''.join(rows))}"
    if has_comment and first and rows[first - 1].startswith(MARK):
        rows[first - 1] = f"{value.comment}{_ending(rows[first - 1])}"
        comment = ""
    if current.value != value.value:
        old = "".join(rows[first : current.stop])
        rows[first : current.stop] = [""] * (current.stop - first)
        rows[first] = f"{comment}{_with_value(old, value.value)}"


def _with_value(old: str, value: str) -> str:
    """Return the lines of an assignment with a new value; a comment behind it stays."""
    front = FRONT.match(old)
    start = front.end() if front else 0
    if quoted := QUOTED.match(old, start):
        behind = old[quoted.end() :]
    else:
        match = BEHIND.search(old, start)
        behind = match[0] if match else ""
    if not PLAIN.fullmatch(value):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    return f"{old[:start]}{value}{behind}"


def _extended(text: str, values: list[ProposedValue], ending: str) -> str:
    """Return the text with more values, each with its comment, and blank lines between."""
    for value in values:
        end = "" if not text or text.endswith(("\n", "\r")) else ending
        blank = ending if text and lines(text)[-1].strip() else ""
        assignment = _with_value(f"{value.key}=", value.value)
        text = f"{text}{end}{blank}{value.comment}{ending}{assignment}{ending}"
    return text


def _ending(text: str, default: str = "\n") -> str:
    """Return the end of the first line."""
    match = ENDING.search(text)
    return match[0] if match else default
