"""An environment as text for other programs: dotenv, POSIX shell, Docker's `--env-file`, JSON."""

import json
import re
from collections.abc import Callable

from cluster.errors import Problem, SettingsError
from cluster.words import MASK, Environment, FileText, Secret, Value

Pairs = tuple[tuple[str, str | None], ...]
"""Names and texts to print; None for a secret that is not shown."""

PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./-]+")
"""Texts that need no quotes in any of the formats; `=` is excluded, as zsh expands it."""

IN_SINGLE_QUOTES = str.maketrans({"\\": r"\\", "'": r"\'"})
IN_DOUBLE_QUOTES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})

DOCKER_LINE = 65_535
"""Longest line of an env file in bytes: Go's bufio.MaxScanTokenSize without the newline."""


def masked(environment: Environment) -> Pairs:
    """Return the texts without those of secrets and files."""
    return tuple((name, value if isinstance(value, str) else None) for name, value in environment)


def revealed(environment: Environment, read: Callable[[str], str]) -> Pairs:
    """Return the texts with all secrets; `read` returns the content of the file at a path."""
    return tuple((name, _text(value, read)) for name, value in environment)


def _text(value: Value, read: Callable[[str], str]) -> str:
    """Return the text that a process gets."""
    if isinstance(value, FileText):
        return read(value.path).rstrip("\n")
    return value.value if isinstance(value, Secret) else value


def dotenv(pairs: Pairs) -> str:
    """Render for python-dotenv with `interpolate=False`, one variable a line.

    With interpolation python-dotenv replaces `${NAME}` in every value, quoted or not, and has no
    way to escape it; all other values are safe there as well.
    """
    return _lines(pairs, lambda name, value: f"{name}={_dotenv_value(value)}")


def _dotenv_value(value: str) -> str:
    """Quote a value; only double quotes can escape a line break."""
    if PLAIN.fullmatch(value):
        return value
    if "\n" in value or "\r" in value:
        return f'"{value.translate(IN_DOUBLE_QUOTES)}"'
    return f"'{value.translate(IN_SINGLE_QUOTES)}'"


def shell(pairs: Pairs) -> str:
    """Render as `export` commands for any POSIX shell."""
    return _lines(pairs, lambda name, value: f"export {name}={_shell_value(value)}")


def _shell_value(value: str) -> str:
    """Quote a value; within single quotes only a single quote needs an escape."""
    return value if PLAIN.fullmatch(value) else "'" + value.replace("'", r"'\''") + "'"


def docker(pairs: Pairs) -> str:
    """Render for `docker run --env-file`, which has neither quotes nor escapes.

    Raises SettingsError for all variables whose values the format cannot express.
    """
    problems = tuple(
        Problem(place=name, message=message, remedy="use `--format shell` or `--format json`")
        for name, value in pairs
        if value is not None and (message := _docker_problem(name, value))
    )
    if problems:
        raise SettingsError(*problems)
    return _lines(pairs, lambda name, value: f"{name}={value}")


def _docker_problem(name: str, value: str) -> str:
    """Return why an env file cannot contain a variable, or nothing (docker/cli pkg/kvfile)."""
    if "\n" in value:
        return "Docker's env file cannot contain a line break"
    if value.endswith("\r"):
        return "Docker's env file drops a carriage return at the end"
    if len(f"{name}={value}".encode()) > DOCKER_LINE:
        return f"Docker's env file cannot contain a line of more than {DOCKER_LINE} bytes"
    return ""


def as_json(pairs: Pairs) -> str:
    """Render as one JSON object, with a mask for a secret that is not shown."""
    shown = {name: MASK if value is None else value for name, value in pairs}
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def _lines(pairs: Pairs, line: Callable[[str, str], str]) -> str:
    """Render line by line; a hidden secret is a comment, as a mask would be read as a value."""
    hidden = "# {} is a secret: --reveal shows it\n"
    return "".join(
        hidden.format(name) if value is None else f"{line(name, value)}\n" for name, value in pairs
    )


FORMATS: dict[str, Callable[[Pairs], str]] = {
    "dotenv": dotenv,
    "shell": shell,
    "docker": docker,
    "json": as_json,
}
