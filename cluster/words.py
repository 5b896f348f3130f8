"""The words of a command line and the values of variables: quoting and masking are types."""

import shlex
from dataclasses import dataclass, field

MASK = "********"
CONTINUED = " \\\n  "
"""Between the parts of a command that is too long for one line."""


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


@dataclass(frozen=True)
class ProcessNumber(FileText):
    """The number of a process that wrote it to a file; numbers are used again, so it is proved."""

    mark: tuple[str, str]
    """The variable that the process has in its environment if it is the one that is meant."""


@dataclass(frozen=True)
class NodeHome:
    """A path below the home folder of the user who logs in at a node: known there alone."""

    ssh_host: str
    """How `ssh` reaches the node; empty for this machine."""
    path: str


Word = str | FileText
Printed = Word | NodeHome
Value = str | Secret | FileText
Environment = tuple[tuple[str, Value], ...]
Hidden = tuple[tuple[str, Secret | FileText], ...]


def shell_word(word: Printed) -> str:
    """Quote one word for a POSIX shell; what is known later becomes a command substitution."""
    if isinstance(word, NodeHome):
        asked = f"""$(ssh {word.ssh_host} 'printf %s "$HOME"')""" if word.ssh_host else "$HOME"
        return f'"{asked}"/{shlex.quote(word.path)}'
    return f'"$(cat {shlex.quote(word.path)})"' if isinstance(word, FileText) else shlex.quote(word)


def shell_line(words: tuple[Printed, ...]) -> str:
    """Join words to a line that a POSIX shell splits into the same words again."""
    return " ".join(shell_word(word) for word in words)


def shell_command(environment: Environment, argv: tuple[Word, ...], ending: str = "") -> str:
    """Render a command with its whole environment; without one, it has that of the shell.

    `ending` stands on its last line: redirections, `&`. Secrets come in by a here-document: as
    arguments of `env` they would be in the list of processes.
    """
    plain = tuple(f"{name}={shlex.quote(its)}" for name, its in environment if isinstance(its, str))
    clear = ("env -i", *plain) if environment else ()
    return _command(clear, hidden(environment), (argv,), ending)


def shell_parts(environment: Environment, parts: tuple[tuple[Printed, ...], ...]) -> str:
    """Render a command, each part of it on a line, with the environment's secrets added to it."""
    return _command((), hidden(environment), parts)


def shell_secret(path: str) -> str:
    """Render what writes 32 random bytes, in hexadecimal, to a file for its owner alone."""
    file = shell_word(path)
    return f"(umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >{file})"


def hidden(environment: Environment) -> Hidden:
    """Return the variables whose values must not show."""
    return tuple((name, its) for name, its in environment if not isinstance(its, str))


def _command(
    front: tuple[str, ...],
    secrets: Hidden,
    parts: tuple[tuple[Printed, ...], ...],
    ending: str = "",
) -> str:
    reader = (f"sh -c {shlex.quote(_reader(secrets))} secrets",) if secrets else ()
    ends = " ".join(("3<<EOF", ending) if secrets else (ending,)).strip()
    lines = (*front, *reader, *(shell_line(part) for part in parts), *((ends,) if ends else ()))
    document = (*(_reference(name, its) for name, its in secrets), "EOF") if secrets else ()
    return "\n".join((CONTINUED.join(lines), *document))


def _reader(hidden: Hidden) -> str:
    """Return the script that takes variables from lines, and then becomes its arguments."""
    names = " ".join(name for name, _ in hidden)
    return f'for it in {names}; do IFS= read -r "$it" <&3; export "$it"; done; exec "$@" 3<&-'


def _reference(name: str, value: Secret | FileText) -> str:
    """Return where the shell that runs the text finds a secret; one that is not set is an error."""
    if isinstance(value, Secret):
        return f"${{{name}:?is set in {value.origin}}}"
    return f"$(cat {shlex.quote(value.path)})"
