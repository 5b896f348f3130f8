"""New values in the text of an env file; all that is not theirs stays as it is."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO

from dotenv.parser import parse_stream

from cluster.settings import passthrough
from cluster.settings.values import one_line
from cluster.words import MASK

MARK = "# probe: "
"""How the comments begin that are ours."""
WIDTH = 100
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
ENDING = re.compile(r"\r\n|\r|\n")
# As dotenv.parser has them: a key, its sign, a value in quotes, a comment behind one without.
FRONT = re.compile(r"""[^\S\r\n]*(?:export[^\S\r\n]+)?(?:'[^']+'|[^='\s]+)[^\S\r\n]*=""")
QUOTED = re.compile(r"""[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL)
BEHIND = re.compile(r"(?:[^\S\r\n]+#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
IN_COMMENT = re.compile(r"([^#\r\n]*#[^\r\n]*?([A-Za-z_][A-Za-z0-9_]*)[^\S\r\n]*=)([^\r\n]*)")
PLAIN = re.compile(r"[A-Za-z0-9_.,:@/+-]*")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A value for a key, and where it is from."""

    key: str
    value: str
    why: str

    @property
    def comment(self) -> str:
        """The line above it."""
        line = one_line(f"{MARK}{self.why}")
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


@dataclass(frozen=True, kw_only=True)
class Place:
    """The lines of an assignment, counted from 0; `stop` is the one after them."""

    key: str
    value: str
    start: int
    stop: int


def lines(text: str) -> list[str]:
    """Return the lines with their ends; only newlines and carriage returns make one."""
    return LINE.findall(text)


def merged(text: str, entries: Iterable[Entry]) -> str:
    """Return the text of an env file with these values.

    A line changes only when its value does, and with it our own comment above; what is missing
    comes last. The text is one that `cluster.settings.envfile` reads without a fault.
    """
    places = {place.key: place for place in _places(text)}
    inside = {number for its in places.values() for number in range(its.start, its.stop)}
    after, new = lines(text), list[Entry]()
    for entry in entries:
        if place := places.get(entry.key):
            _renew(after, place, entry, above=place.start - 1 not in inside)
        else:
            new.append(entry)
    return _extended("".join(after), new, _ending(text))


def unsecret(text: str) -> str:
    """Return the text with a mask for each secret: a line for a line, so that diffs stay true."""
    after = lines(text)
    for place in _places(text):
        if passthrough.is_secret(place.key, place.value):
            for number in range(place.start, place.stop):
                front = FRONT.match(after[number]) if number == place.start else None
                shown = f"{front[0] if front else ''}{MASK}"
                after[number] = f"{shown}{_ending(after[number], '')}"
    return "".join(map(_unsecret_comment, after))


def _unsecret_comment(line: str) -> str:
    """Mask what stands behind the name of a secret in a comment: it may be one that is kept."""
    found = IN_COMMENT.match(line)
    if not found or not found[3] or not passthrough.is_secret(found[2], found[3]):
        return line
    return f"{found[1]}{MASK}{line[found.end() :]}"


def _places(text: str) -> Iterator[Place]:
    """Yield the assignments; as `cluster.settings.envfile` does, with one kind of line ends."""
    line = 0
    for binding in parse_stream(StringIO(ENDING.sub("\n", text))):
        whole = binding.original.string
        own = whole.lstrip()
        start = line + whole.count("\n") - own.count("\n")
        line += whole.count("\n")
        if binding.key is not None:
            stop = line if own.endswith("\n") else line + 1
            yield Place(key=binding.key, value=binding.value or "", start=start, stop=stop)


def _renew(after: list[str], place: Place, entry: Entry, *, above: bool) -> None:
    """Write a value and its comment into the lines; the places of all lines stay."""
    first, comment = place.start, f"{entry.comment}{_ending(''.join(after))}"
    if above and first and after[first - 1].startswith(MARK):
        after[first - 1] = f"{entry.comment}{_ending(after[first - 1])}"
        comment = ""
    if place.value != entry.value:
        old = "".join(after[first : place.stop])
        after[first : place.stop] = [""] * (place.stop - first)
        after[first] = f"{comment}{_rewritten(old, entry.value)}"


def _rewritten(old: str, value: str) -> str:
    """Return the lines of an assignment with another value; what stands behind it stays."""
    front = FRONT.match(old)
    start = front.end() if front else 0
    quoted = QUOTED.match(old, start)
    if quoted:
        behind = old[quoted.end() :]
    else:
        found = BEHIND.search(old, start)
        behind = found[0] if found else ""
    written = value if PLAIN.fullmatch(value) else _in_quotes(value)
    return f"{old[:start]}{written}{behind}"


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _extended(text: str, new: list[Entry], ending: str) -> str:
    """Add entries, each with its comment, and a blank line between."""
    for entry in new:
        end = "" if not text or text.endswith(("\n", "\r")) else ending
        blank = ending if text and lines(text)[-1].strip() else ""
        written = _rewritten(f"{entry.key}=", entry.value)
        text = f"{text}{end}{blank}{entry.comment}{ending}{written}{ending}"
    return text


def _ending(text: str, otherwise: str = "\n") -> str:
    """Return how the first line ends."""
    found = ENDING.search(text)
    return found[0] if found else otherwise
