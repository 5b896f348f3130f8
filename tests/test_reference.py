"""The generated parts of the documentation."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cluster.checks.checks import silent_node
from cluster.node import KEYS
from cluster.reference.__main__ import rewrite
from cluster.reference.tables import (
    BLOCK,
    BLOCKS,
    EXAMPLE,
    checks,
    example_file,
    prefixes,
    regenerated,
    settings,
    table,
)
from cluster.settings.keys import Scope
from cluster.settings.settings import resolve
from cluster.settings.syntax import EnvText

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_up_to_date(page: Path) -> None:
    """Generating a page again changes nothing; else run `python -m cluster.reference`."""
    text = page.read_text(encoding="utf-8")

    assert regenerated(text) == text


def test_every_block_is_on_a_page() -> None:
    """Every table is on a page, and every `begin` has its `end`."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    used = [block["name"] for text in texts for block in BLOCK.finditer(text)]

    assert sorted(BLOCKS) == sorted(used)
    assert len(used) == sum(text.count("<!-- begin ") for text in texts)


def test_block_is_replaced_between_its_marks() -> None:
    """The text between the marks is replaced, and no other."""
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
    """A mark with an unknown name is an error."""
    with pytest.raises(KeyError, match=r"^'tabel'$"):
        regenerated("<!-- begin tabel -->\n<!-- end -->\n")


def test_table_escapes_the_column_separator() -> None:
    """A cell may contain Markdown's column separator."""
    expected = "| A | B |\n| --- | --- |\n| 1 | `x\\|y` |\n"

    assert expected == table(("A", "B"), [("1", "`x|y`")])


def test_defaults_of_settings() -> None:
    """A key is required, has a default, is derived, or is empty by default."""
    names = ("ROLE", "GPUS", "HEAD_IP", "IB_IF")
    role, gpus, head_ip, ib_if = (KEYS["node"][name] for name in names)
    expected = f"""\
| Key | Default | Example | Meaning |
| --- | --- | --- | --- |
| `ROLE` | required | `head` | {role.meaning} |
| `GPUS` | `1` | `1` | {gpus.meaning} |
| `HEAD_IP` | the head's HOST_IP | `192.168.177.11` | {head_ip.meaning} |
| `IB_IF` | none | `rocep1s0f1,roceP2p1s0f1` | {ib_if.meaning} |
"""

    assert expected == settings((role, gpus, head_ip, ib_if))


def test_prefixes_are_one_line() -> None:
    """The prefixes are shown as code with a comma between them."""
    assert prefixes().startswith("`NCCL_`, `GLOO_`, ")
    assert prefixes().count("\n") == 1


def test_checks() -> None:
    """A check is listed with its severity, title, facts and source."""
    expected = f"""\
| Check | Severity | Expected | Facts | Source |
| --- | --- | --- | --- | --- |
| `answer` | blocks | {silent_node.title} | {silent_node.looks_at} | {silent_node.source} |
"""

    assert expected == checks([silent_node])


def test_example_nodes_differ_in_every_interface() -> None:
    """The two Sparks of the example share no interface, so that per-node values differ."""
    head, worker = EXAMPLE.nodes

    assert head.eth_if != worker.eth_if
    assert set(head.ib_if).isdisjoint(worker.ib_if)


def test_rewrite_changes_only_what_is_out_of_date(tmp_path: Path) -> None:
    """Tables and example files are written once; a second run changes nothing."""
    examples = [tmp_path / f"env/{scope}.env.example" for scope in KEYS]
    page, plain = tmp_path / "docs/page.md", tmp_path / "docs/plain.md"
    for path in (page, *examples):
        path.parent.mkdir(exist_ok=True)
    page.write_text("<!-- begin prefixes -->\n<!-- end -->\n", encoding="utf-8")
    plain.write_text("no block\n", encoding="utf-8")
    examples[0].write_text("old\n", encoding="utf-8")
    expected = f"<!-- begin prefixes -->\n\n{prefixes()}\n<!-- end -->\n"

    assert tuple(map(str, (page, *examples))) == rewrite(str(tmp_path))
    assert () == rewrite(str(tmp_path))
    assert expected == page.read_text(encoding="utf-8")
    assert [example_file(scope) for scope in KEYS] == [
        path.read_text(encoding="utf-8") for path in examples
    ]


def example(scope: Scope) -> str:
    """Return an example file as it is in the repository."""
    return (ROOT / f"env/{scope}.env.example").read_text(encoding="utf-8")


@pytest.mark.parametrize("scope", ["cluster", "node"])
def test_example_files_are_up_to_date(scope: Scope) -> None:
    """Writing an example again changes nothing; else run `python -m cluster.reference`."""
    assert example_file(scope) == example(scope)


@pytest.mark.parametrize(
    "name,paragraph",
    [
        pytest.param("ROLE", "# {meaning}\nROLE=head", id="required"),
        pytest.param("GPUS", "# {meaning}\n#GPUS=1", id="default"),
        pytest.param("IB_IF", "# {meaning}\nIB_IF=rocep1s0f1,roceP2p1s0f1", id="advised"),
    ],
)
def test_paragraph(name: str, paragraph: str) -> None:
    """A key is its meaning and a line, which is a comment unless a copy needs it."""
    number = list(KEYS["node"]).index(name) + 1
    expected = paragraph.format(meaning=KEYS["node"][name].meaning)

    assert expected == example_file("node").split("\n\n")[number].replace("\n# ", " ")


def test_copies_are_a_cluster() -> None:
    """Copied and with two values changed, the examples are a cluster of two Sparks."""
    spark2 = (
        example("node")
        .replace("=head", "=worker")
        .replace("HOST_IP=192.168.177.11", "HOST_IP=192.168.177.12")
    )
    settings = resolve(
        "default",
        (
            EnvText(path="env/cluster.env", text=example("cluster")),
            EnvText(path="env/spark1.env", text=example("node")),
            EnvText(path="env/spark2.env", text=spark2),
        ),
    )

    assert [node.name for node in settings.cluster.nodes] == ["spark1", "spark2"]
    assert [IPv4Address("192.168.177.11")] * 2 == [node.head_ip for node in settings.cluster.nodes]
    assert {("rocep1s0f1", "roceP2p1s0f1")} == {node.ib_if for node in settings.cluster.nodes}


def test_comments_can_be_set() -> None:
    """With the `#` before every key removed, the examples are valid as well."""
    cluster, node = (
        "\n".join(
            line if line.startswith("# ") else line.removeprefix("#")
            for line in example(scope).split("\n")
        )
        for scope in ("cluster", "node")
    )
    settings = resolve(
        "default",
        (EnvText(path="env/cluster.env", text=cluster), EnvText(path="env/spark1.env", text=node)),
    )

    assert settings.cluster.model == "Qwen/Qwen3-4B"
    assert [value.key for value in settings.values if not value.source.startswith("env/")] == []
