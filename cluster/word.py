"""The words of a command line and the values of variables: quoting and masking are types."""

import shlex
from dataclasses import dataclass, field

MASK = "********"


@dataclass(frozen=True)
class Secret:
    """A value that prints masked; `origin` is where the user wrote it (`env/cluster.env:7`)."""

    value: str = field(repr=False)
    origin: str = ""

    def __str__(self) -> str:
        """Render as the mask, so that printing by accident shows nothing."""
        return MASK


@dataclass(frozen=True)
class FileText:
    """The text of a file without its final newline: read when the command runs, never printed."""

    path: str

    def __str__(self) -> str:
        """Render as the mask: the file may hold a secret."""
        return MASK


Word = str | FileText
Value = str | Secret | FileText
Environment = tuple[tuple[str, Value], ...]


def shell_word(word: Word) -> str:
    """Quote one word for a POSIX shell; a file's text becomes a command substitution."""
    return f'"$(cat {shlex.quote(word.path)})"' if isinstance(word, FileText) else shlex.quote(word)


def shell_line(words: tuple[Word, ...]) -> str:
    """Join words to a line that a POSIX shell splits into the same words again."""
    return " ".join(shell_word(word) for word in words)


def assignment(name: str, value: Value) -> str:
    """Render `NAME=value` for a POSIX shell; a secret becomes a reference that fails when unset."""
    if isinstance(value, Secret):
        return f'{name}="${{{name}:?is set in {value.origin}}}"'
    return f"{name}={shell_word(value)}"
