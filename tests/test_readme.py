"""The documentation is true: examples print what it shows, and its tables are complete."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tasks
from cluster.command_line import arguments
from cluster.errors import ClusterError, NodeError, RefusedError, SettingsError
from cluster.machine import verb
from cluster.machine.program import SparkProgram
from tests import pages
from tests.pages import ROOT

README = ROOT / "README.md"
PAGES = (
    *(README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs").glob("*.md")),
)
REHEARSAL, TWO_SPARKS = ROOT / "docs/rehearsal.md", ROOT / "docs/two-sparks.md"
OTHERS = ("nsenter: failed to execute ip: No such file", "Error: Unknown device type.")
"""Messages of system programs that `inv` passes on."""
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
"""A link to a file of the repository: its path from the page, and the heading."""
ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)


def rows(page: Path, header: str) -> dict[str, str]:
    """Return the first two columns of a page's table."""
    _, _, text = page.read_text(encoding="utf-8").partition(f"\n| {header} |")
    return dict(ROW.findall(text.partition("\n\n")[0].partition("\n| --")[2]))


def sentences(path: Path) -> Iterator[str]:
    """Yield the texts in a Python file, with `…` for inserted values."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def mistake(words: list[str]) -> str:
    """Return the errors in the arguments of an `inv`; nothing if they are valid.

    A verb alone is a mention: it need not have what it could not run without.
    """
    if words in [[name] for name in tasks.ns.tasks]:
        return ""
    try:
        arguments(SparkProgram(tasks.ns).usage, words)
    except ClusterError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_and_flags_exist(page: Path) -> None:
    """Every `inv` command on a page is valid."""
    assert [] == list(filter(None, map(mistake, pages.calls(page))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page: Path, tmp_path: Path) -> None:
    """Every example that needs neither network nor processes prints what the page shows."""
    tree = pages.clone(tmp_path)
    pages.write_files(tree, page)

    assert [] == pages.differences(tree, page, "", seconds=60)


def test_verbs() -> None:
    """The README lists every verb in the order and with the words of the start page."""
    verbs = SparkProgram(tasks.ns).usage.verbs.values()
    expected = [(f"`inv {verb.name}`", verb.summary) for verb in verbs]

    assert expected == list(rows(README, "Verb").items())


def test_exit_codes() -> None:
    """The README explains every exit code: success, each kind of error, Ctrl-C, a closed pipe."""
    kinds = (ClusterError, SettingsError, RefusedError, NodeError)
    expected = [0, *(kind.exit_code for kind in kinds), verb.INTERRUPTED, verb.SIGPIPE]

    assert expected == [int(code) for code in rows(README, "Exit code")]


@pytest.mark.parametrize("page", [REHEARSAL, TWO_SPARKS], ids=lambda page: page.name)
def test_troubleshooting(page: Path) -> None:
    """Every message on a page is in the code, or is one of `nsenter` and `ip`."""
    files = (ROOT / "tasks.py", *sorted((ROOT / "cluster").rglob("*.py")))
    code = [text for path in files for text in sentences(path)]
    sources = (*code, (ROOT / "inv").read_text(encoding="utf-8"), *OTHERS)
    spans = [span for row in rows(page, "It says") for span in re.findall("`(.+?)`", row)]

    assert len(spans) > 10
    assert [] == [span for span in spans if not any(fits(span, text) for text in sources)]


def fits(span: str, text: str) -> bool:
    """Whether a text has the parts of a span in order; `…` stands for any text."""
    return bool(re.search(".*".join(map(re.escape, filter(None, span.split("…")))), text))


def test_architecture_names_files_that_exist() -> None:
    """Every file that the architecture page names exists."""
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "docs/architecture.md").read_text("utf-8"))
    places = (ROOT, ROOT / "cluster")

    assert len(named) > 10
    assert [] == [name for name in named if not any((place / name).exists() for place in places)]


def test_architecture_has_every_room() -> None:
    """The table of rooms has each folder of `cluster/` once."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = text.partition("\n| Room |")[2].partition("\n\n")[0]
    rooms = sorted(path.parent.name for path in (ROOT / "cluster").glob("*/__init__.py"))

    assert rooms == sorted(re.findall(r"^\| `(\w+)/`", table, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Every link to a file of the repository leads to an existing file and heading."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    wrong = [(path, anchor) for path, anchor in links if not leads(page, path, anchor)]

    assert [] == wrong


def leads(page: Path, path: str, anchor: str) -> bool:
    """Whether a link from a page has a target."""
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
