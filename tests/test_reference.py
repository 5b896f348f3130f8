"""The generated parts of the documentation."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.checks.checks import ANSWER
from cluster.machine.reference import rewrite
from cluster.reference import BLOCK, BLOCKS, EXAMPLE, checks, prefixes, regenerated, settings, table
from cluster.settings.schema import GPUS, HEAD_IP, IB_IF, ROLE

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_up_to_date(page: Path) -> None:
    """Generating a page again changes nothing; else run `python -m cluster.machine.reference`."""
    text = page.read_text(encoding="utf-8")

    assert regenerated(text) == text


def test_every_block_is_on_a_page() -> None:
    """No table is generated for nothing, and every `begin` has its `end`."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    used = [block["name"] for text in texts for block in BLOCK.finditer(text)]

    assert sorted(BLOCKS) == sorted(used)
    assert len(used) == sum(text.count("<!-- begin ") for text in texts)


def test_block_is_replaced_between_its_marks() -> None:
    """What stands between the marks is replaced, and nothing else."""
    page = """\
a
<!-- begin x -->
old
<!-- end -->
b
<!-- begin y -->
<!-- end -->
"""
    expected = """\
a
<!-- begin x -->

new \\1

<!-- end -->
b
<!-- begin y -->

more

<!-- end -->
"""

    assert expected == regenerated(page, {"x": lambda: "new \\1\n", "y": lambda: "more\n"})


def test_unknown_block() -> None:
    """A mark with an unknown name is an error, not an empty table."""
    with pytest.raises(KeyError, match=r"^'tabel'$"):
        regenerated("<!-- begin tabel -->\n<!-- end -->\n")


def test_table_escapes_what_ends_a_cell() -> None:
    """A cell may hold Markdown's column mark."""
    expected = "| A | B |\n| --- | --- |\n| 1 | `x\\|y` |\n"

    assert expected == table(("A", "B"), [("1", "`x|y`")])


def test_settings_say_what_counts_by_default() -> None:
    """A key is required, has a default, is derived, or is empty by default."""
    expected = f"""\
| Key | Default | Example | Meaning |
| --- | --- | --- | --- |
| `ROLE` | required | `head` | {ROLE.meaning} |
| `GPUS` | `1` | `1` | {GPUS.meaning} |
| `HEAD_IP` | the head's HOST_IP | `192.168.177.11` | {HEAD_IP.meaning} |
| `IB_IF` | none | `rocep1s0f1,roceP2p1s0f1` | {IB_IF.meaning} |
"""

    assert expected == settings((ROLE, GPUS, HEAD_IP, IB_IF))


def test_prefixes_are_one_line() -> None:
    """The prefixes are shown as code with a comma between them."""
    assert prefixes().startswith("`NCCL_`, `GLOO_`, ")
    assert prefixes().count("\n") == 1


def test_checks() -> None:
    """A check is listed with its severity, what it wants, where it looks, and who says so."""
    expected = f"""\
| Check | Severity | What should be so | Looks at | Known from |
| --- | --- | --- | --- | --- |
| `answer` | blocks | {ANSWER.title} | {ANSWER.looks_at} | {ANSWER.source} |
"""

    assert expected == checks([ANSWER])


def test_example_nodes_differ_in_every_interface() -> None:
    """The example shows per-node values as such: the two Sparks share no interface."""
    head, worker = EXAMPLE.nodes

    assert head.eth_if != worker.eth_if
    assert set(head.ib_if).isdisjoint(worker.ib_if)


def test_rewrite_touches_only_what_is_out_of_date(tmp_path: Path) -> None:
    """A page is written once; the second run finds nothing to do."""
    old, plain = tmp_path / "old.md", tmp_path / "plain.md"
    old.write_text("<!-- begin prefixes -->\n<!-- end -->\n", encoding="utf-8")
    plain.write_text("no block\n", encoding="utf-8")
    expected = f"<!-- begin prefixes -->\n\n{prefixes()}\n<!-- end -->\n"

    assert rewrite([old, plain]) == (old,)
    assert rewrite([old, plain]) == ()
    assert expected == old.read_text(encoding="utf-8")


def test_program_says_which_pages_it_changed(tmp_path: Path) -> None:
    """`python -m cluster.machine.reference` names the pages that were out of date."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("<!-- begin prefixes -->\n<!-- end -->\n", encoding="utf-8")
    command = [sys.executable, "-m", "cluster.machine.reference"]
    environment = {"PYTHONPATH": str(DOCS.parent)}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )

    assert run.stdout == "docs/page.md\n"
