"""Writes the generated parts of the documentation; prints the files that changed."""

from collections.abc import Iterator

from cluster.machine import files, terminal
from cluster.machine.places import ROOT
from cluster.node import KEYS
from cluster.reference.tables import example_file, regenerated


def rewrite(root: str) -> tuple[str, ...]:
    """Write all generated text of a repository, and return the paths that changed."""
    return tuple(path for path, text in _generated(root) if _update(path, text))


def _generated(root: str) -> Iterator[tuple[str, str]]:
    for page in files.matches(f"{root}/docs", "*.md"):
        yield page, regenerated(files.text(page))
    for scope in KEYS:
        yield f"{root}/env/{scope}.env.example", example_file(scope)


def _update(path: str, text: str) -> bool:
    """Write a file unless it has the text already; return whether it changed."""
    changed = files.text(path) != text
    if changed:
        files.write(path, text)
    return changed


if __name__ == "__main__":
    terminal.show("".join(f"{path}\n" for path in rewrite(ROOT)))
