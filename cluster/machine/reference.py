"""Writes the generated documentation: the tables in `docs/`, and the example env files."""

from pathlib import Path

from cluster.node import KEYS
from cluster.reference import example_file, regenerated


def rewrite(root: Path) -> tuple[Path, ...]:
    """Write all generated text of a repository, and return the files that changed."""
    pages = (_update(page, regenerated(_text(page))) for page in sorted(root.glob("docs/*.md")))
    examples = (_update(root / f"env/{scope}.env.example", example_file(scope)) for scope in KEYS)
    return tuple(path for path in (*pages, *examples) if path)


def _update(path: Path, text: str) -> Path | None:
    """Write a file unless it has the text already; return the path of a changed file."""
    if path.exists() and _text(path) == text:
        return None
    path.write_text(text, encoding="utf-8")
    return path


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    for changed in rewrite(Path()):
        print(changed)
