"""Words of command lines and values of variables as shell text; quoting and masking are types."""

import shlex
from dataclasses import dataclass, field

MASK = "********"
CONTINUED = " \\\n  "
"""Joins the lines of a command that is too long for one."""


@dataclass(frozen=True)
class Secret:
    """A value that prints masked; `origin` is where the user wrote it, `env/cluster.env:7`."""

    value: str = field(repr=False)
    origin: str = ""

    def __str__(self) -> str:
        """Return the mask, so that accidental output shows nothing."""
        return MASK


@dataclass(frozen=True)
class FileText:
    """The text of a file without its final newline, read when the command runs, never printed."""

    path: str

    def __str__(self) -> str:
        """Return the mask: the file may contain a secret."""
        return MASK


@dataclass(frozen=True)
class MarkedPid(FileText):
    """The PID that a process wrote to a file.

    PIDs are reused, so the process must have `mark` in its environment.
    """

    mark: tuple[str, str]
    """Name and value of a variable."""


@dataclass(frozen=True)
class NodeHome:
    """A path below the home folder of the user on a node, which only the node knows."""

    ssh_host: str
    """SSH destination of the node; empty for this machine."""
    path: str


Word = str | FileText
PrintedWord = Word | NodeHome
Value = str | Secret | FileText
Environment = tuple[tuple[str, Value], ...]
Secrets = tuple[tuple[str, Secret | FileText], ...]


def shell_word(word: PrintedWord) -> str:
    """Quote one word for a POSIX shell; a value not known yet becomes a command substitution."""
    if isinstance(word, NodeHome):
        home = f"""$(ssh {word.ssh_host} 'printf %s "$HOME"')""" if word.ssh_host else "$HOME"
        return f'"{home}"/{shlex.quote(word.path)}'
    return f'"$(cat {shlex.quote(word.path)})"' if isinstance(word, FileText) else shlex.quote(word)


def shell_line(words: tuple[PrintedWord, ...]) -> str:
    """Join words to a line that a POSIX shell splits into the same words."""
    return " ".join(shell_word(word) for word in words)


def shell_command(environment: Environment, argv: tuple[Word, ...], ending: str = "") -> str:
    """Render a command with its whole environment; an empty one means that of the shell.

    `ending` is its last line: redirections, `&`. Secrets are passed in a here-document: as
    arguments of `env` they would be in the list of processes.
    """
    plain = (
        f"{name}={shlex.quote(value)}" for name, value in environment if isinstance(value, str)
    )
    front = ("env -i", *plain) if environment else ()
    return _command(front, _secrets(environment), (argv,), ending)


def shell_parts(environment: Environment, parts: tuple[tuple[PrintedWord, ...], ...]) -> str:
    """Render a command with each part on a line, and with the secrets of an environment."""
    return _command((), _secrets(environment), parts)


def shell_secret(path: str) -> str:
    """Render a command that writes 32 random bytes, in hexadecimal, to a file of mode 0600."""
    file = shell_word(path)
    return f"(umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >{file})"


def _command(
    front: tuple[str, ...],
    hidden: Secrets,
    parts: tuple[tuple[PrintedWord, ...], ...],
    ending: str = "",
) -> str:
    reader = (f"sh -c {shlex.quote(_reader(hidden))} secrets",) if hidden else ()
    ending = f"3<<EOF {ending}".strip() if hidden else ending
    lines = (*front, *reader, *(shell_line(part) for part in parts), *((ending,) if ending else ()))
    document = (*(_reference(name, value) for name, value in hidden), "EOF") if hidden else ()
    return "\n".join((CONTINUED.join(lines), *document))


def _secrets(environment: Environment) -> Secrets:
    """Return the variables whose values must not be printed."""
    return tuple((name, value) for name, value in environment if not isinstance(value, str))


def _reader(hidden: Secrets) -> str:
    """Return a script that reads variables from lines, and then runs its arguments."""
    names = " ".join(name for name, _ in hidden)
    return f'for name in {names}; do IFS= read -r "$name" <&3; export "$name"; done; exec "$@" 3<&-'


def _reference(name: str, value: Secret | FileText) -> str:
    """Return the shell's expression for a secret; an unset variable is an error."""
    if isinstance(value, Secret):
        return f"${{{name}:?is set in {value.origin}}}"
    return f"$(cat {shlex.quote(value.path)})"
