"""The shell programs that run on nodes: files of this package, and what stands in front of them."""

import shlex
from collections.abc import Mapping
from pkgutil import get_data

END = "QUESTION"
"""The line that ends a here-document; no program has it."""


def program(package: str, name: str) -> str:
    """Return the text of a shell program that lies in a package."""
    data = get_data(package, name)
    assert data is not None  # noqa: S101 (only loaders that cannot read data return None)
    return data.decode()


def assignments(variables: Mapping[str, str]) -> str:
    """Return the lines that give a program its variables: text from outside stands nowhere else."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def here_document(command: str, text: str) -> str:
    """Return the shell text that runs a command with `text` as its standard input."""
    return f"{command} <<'{END}'\n{text.rstrip()}\n{END}"
