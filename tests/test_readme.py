"""The documentation keeps its word: its examples run and print what it shows, its tables are whole."""

import re
from pathlib import Path

import pytest
from invoke import Program, Task
from invoke.parser import Context, ParseError, Parser

import tasks
from cluster import errors
from tests import pages
from tests.pages import ROOT

README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", ROOT / "docs/architecture.md", ROOT / "docs/rehearsal.md")
ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.MULTILINE)


def rows(page: Path, header: str) -> dict[str, str]:
    """Return the first two columns of a page's table."""
    _, _, text = page.read_text(encoding="utf-8").partition(f"\n| {header} |")
    return dict(ROW.findall(text.partition("\n\n")[0].partition("\n| --")[2]))


def unknown(arguments: list[str]) -> str:
    """Return what Invoke says against the arguments of an `inv`; nothing when it takes them."""
    parser = Parser(initial=Context(args=Program().core_args()), contexts=tasks.ns.to_contexts())
    try:
        parser.parse_argv(arguments)
    except ParseError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_and_flags_exist(page: Path) -> None:
    """Every `inv` on a page is one that Invoke takes."""
    wrong = [(call, said) for call in pages.calls(page) if (said := unknown(call))]

    assert [] == wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page: Path, tmp_path: Path) -> None:
    """Every example that needs neither network nor processes prints what the page shows."""
    tree = pages.clone(tmp_path)
    pages.write_files(tree, page)

    assert [] == pages.differences(tree, page, "", seconds=60)


def test_verbs() -> None:
    """The README lists every verb, with the words of `inv --list`."""
    expected = {f"`inv {name}`": first_line(task) for name, task in tasks.ns.tasks.items()}

    assert expected == rows(README, "Verb")


def first_line(task: "Task[object]") -> str:
    """Return the sentence that says what a verb does."""
    return str(task.__doc__).splitlines()[0]
