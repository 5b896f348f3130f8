"""Writing the generated tables into the pages of `docs/`."""

from collections.abc import Iterable
from pathlib import Path

from cluster.reference import regenerated


def rewrite(pages: Iterable[Path]) -> tuple[Path, ...]:
    """Write every page's blocks anew and return the pages that changed."""
    return tuple(page for page in pages if _rewrite(page))


def _rewrite(page: Path) -> bool:
    """Write one page if it is out of date, and return whether it was."""
    old = page.read_text(encoding="utf-8")
    new = regenerated(old)
    if new != old:
        page.write_text(new, encoding="utf-8")
    return new != old


if __name__ == "__main__":
    for changed in rewrite(sorted(Path("docs").glob("*.md"))):
        print(changed)
