"""The lines of an env file as assignments and faults; nothing is expanded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from dotenv.parser import Binding, parse_stream

from cluster.errors import Problem

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class EnvText:
    """An env file as read from disk: its text, or the error that prevented reading it."""

    path: str
    """Relative to the repository's root, as the user knows it: `env/spark1.env`."""
    text: str = ""
    error: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A problem in an env file with its position, so that problems can be sorted."""

    path: str
    line: int = 0
    """0 when the fault concerns the file as a whole."""
    key: str = ""
    message: str
    remedy: str = ""
    mentions: tuple[str, ...] = ()
    """Keys that the file tried to set here, which are not reported as missing as well."""

    @property
    def problem(self) -> Problem:
        """The fault as the user reads it: `FILE:LINE: KEY: what is wrong (what to do)`."""
        place = f"{self.path}:{self.line}" if self.line else self.path
        return Problem(
            place=f"{place}: {self.key}" if self.key else place,
            message=self.message,
            remedy=self.remedy,
        )


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One `KEY=value`, and the line on which its key stands."""

    path: str
    line: int
    key: str
    value: str

    def fault(self, message: str, remedy: str, *mentions: str) -> Fault:
        """Return a fault of this key, which may mention others."""
        return _fault(self.path, self.line, self.key, message, remedy, *mentions)


def parse_lines(path: str, text: str) -> tuple[Assignment | Fault, ...]:
    """Parse every line; an unusable one is a fault, as is the second assignment of a key."""
    entries: list[Assignment | Fault] = []
    first: dict[str, int] = {}
    for entry in _entries(path, text):
        if isinstance(entry, Assignment) and entry.key in first:
            message = f"is already set on line {first[entry.key]}"
            entries.append(entry.fault(message, "keep one of them"))
        else:
            first.setdefault(entry.key, entry.line)
            entries.append(entry)
    return tuple(entries)


def _entries(path: str, text: str) -> Iterator[Assignment | Fault]:
    # python-dotenv counts a line too many after a malformed line that ends with \r\n.
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    for binding in parse_stream(StringIO(lines)):
        if binding.error or binding.key is not None:
            yield _entry(path, _line(binding), binding)


def _line(binding: Binding) -> int:
    """Return the line of the key: python-dotenv counts from the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _entry(path: str, line: int, binding: Binding) -> Assignment | Fault:
    if binding.error or not NAME.fullmatch(binding.key or ""):
        return _malformed(path, line, binding.original.string)
    key, value = str(binding.key), binding.value
    if value is None:
        return _fault(path, line, key, "has no value", f"write {key}=value")
    if "\0" in value:
        return _fault(path, line, key, "contains a NUL character", "remove it")
    return Assignment(path=path, line=line, key=key, value=value)


def _fault(path: str, line: int, key: str, message: str, remedy: str, *mentions: str) -> Fault:
    keys = (key, *mentions)
    return Fault(path=path, line=line, key=key, message=message, remedy=remedy, mentions=keys)


def _malformed(path: str, line: int, text: str) -> Fault:
    """Describe a line without showing it: it may contain a secret."""
    if not ASSIGNED.match(text):
        return Fault(path=path, line=line, message="malformed line", remedy="write KEY=value")
    key, *swallowed = ASSIGNED.findall(text)
    message = "has unclosed quotes, or text after them"
    return _fault(path, line, key, message, f'write {key}="value"', *swallowed)
