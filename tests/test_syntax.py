"""Lines of an env file: assignments, faults, and the right line numbers."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.settings.syntax import Assignment, Fault, parse_lines

PATH = "env/spark1.env"
OPEN = 'HF_TOKEN: has unclosed quotes, or text after them (write HF_TOKEN="value")'


def assignments(text: str) -> list[tuple[int, str, str]]:
    """Return the assignments of a text that has no faults."""
    entries = parse_lines(PATH, text)
    assert faults(text) == []
    return [
        (entry.line, entry.key, entry.value) for entry in entries if isinstance(entry, Assignment)
    ]


def faults(text: str) -> list[str]:
    """Return the faults of a text as the user reads them."""
    entries = parse_lines(PATH, text)
    return [str(entry.problem) for entry in entries if isinstance(entry, Fault)]


@pytest.mark.parametrize(
    "text,expected",
    [
        pytest.param("", [], id="nothing"),
        pytest.param("\n \t\n# words\n", [], id="blank lines and comments"),
        pytest.param("A=1", [(1, "A", "1")], id="no newline at the end"),
        pytest.param("A = 1\n", [(1, "A", "1")], id="spaces around ="),
        pytest.param("A=\n", [(1, "A", "")], id="empty"),
        pytest.param("A= # none\n", [(1, "A", "")], id="empty before a comment"),
        pytest.param("export A=1\n", [(1, "A", "1")], id="export"),
        pytest.param("'A'=1\n", [(1, "A", "1")], id="quoted key"),
        pytest.param("A=b c # d\n", [(1, "A", "b c")], id="words before a comment"),
        pytest.param("A=b#c\n", [(1, "A", "b#c")], id="# inside a word"),
        pytest.param("A='b # c' # d\n", [(1, "A", "b # c")], id="# in quotes"),
        pytest.param("A=$HOME ${X:-y}\n", [(1, "A", "$HOME ${X:-y}")], id="nothing is expanded"),
        pytest.param('A="b\\nc\\"d"\n', [(1, "A", 'b\nc"d')], id="escapes in double quotes"),
        pytest.param("A='b\\nc\\'d'\n", [(1, "A", "b\\nc'd")], id="escapes in single quotes"),
        pytest.param("\ufeffA=1\n", [(1, "A", "1")], id="byte order mark"),
        pytest.param("A=1\r\n\r\nB=2\r\n", [(1, "A", "1"), (3, "B", "2")], id="CRLF"),
        pytest.param("A=1\rB=2\r", [(1, "A", "1"), (2, "B", "2")], id="CR"),
        pytest.param("\n\n# x\n\n  A=1\n", [(5, "A", "1")], id="line after blank lines"),
        pytest.param(
            "A='x\ny\n\nz'\n\n\nB=1\n", [(1, "A", "x\ny\n\nz"), (7, "B", "1")], id="many lines"
        ),
        pytest.param(
            "A=x\u2028y\n\u2028\nB=1\n", [(1, "A", "x\u2028y"), (3, "B", "1")], id="U+2028"
        ),
    ],
)
def test_assignments(text: str, expected: list[tuple[int, str, str]]) -> None:
    """A valid line gives its key, its value as written, and the line of the key."""
    assert expected == assignments(text)


@pytest.mark.parametrize(
    "text,expected",
    [
        pytest.param(
            "\nHOST_IP\n",
            ["env/spark1.env:2: HOST_IP: has no value (write HOST_IP=value)"],
            id="bare key",
        ),
        pytest.param(
            "export HOST_IP\n",
            ["env/spark1.env:1: HOST_IP: has no value (write HOST_IP=value)"],
            id="bare export",
        ),
        pytest.param(
            "HOST_IP: 10.0.0.1\n",
            ["env/spark1.env:1: malformed line (write KEY=value)"],
            id="colon for =",
        ),
        pytest.param(
            "=hidden\n", ["env/spark1.env:1: malformed line (write KEY=value)"], id="no key"
        ),
        pytest.param(
            "HOST-IP=hidden\n",
            ["env/spark1.env:1: malformed line (write KEY=value)"],
            id="no identifier",
        ),
        pytest.param(
            "hf_hidden/+\n",
            ["env/spark1.env:1: malformed line (write KEY=value)"],
            id="a pasted token is not shown",
        ),
        pytest.param(
            'ROLE=head\n\nHF_TOKEN="hidden\n',
            [
                f"env/spark1.env:3: {OPEN}",
            ],
            id="open quotes",
        ),
        pytest.param(
            "export HF_TOKEN='hid'den\n",
            [
                f"env/spark1.env:1: {OPEN}",
            ],
            id="text after quotes",
        ),
        pytest.param(
            'A="x\0y"\n',
            ["env/spark1.env:1: A: contains a NUL character (remove it)"],
            id="NUL",
        ),
        pytest.param(
            "A=1\nB=2\nA=1\nA=3\n",
            [
                "env/spark1.env:3: A: is already set on line 1 (keep one of them)",
                "env/spark1.env:4: A: is already set on line 1 (keep one of them)",
            ],
            id="duplicates",
        ),
        pytest.param(
            "a b\r\nc d\r\n\r\ne f\r\n",
            [
                "env/spark1.env:1: malformed line (write KEY=value)",
                "env/spark1.env:2: malformed line (write KEY=value)",
                "env/spark1.env:4: malformed line (write KEY=value)",
            ],
            id="CRLF after malformed lines counts once",
        ),
    ],
)
def test_faults(text: str, expected: list[str]) -> None:
    """A wrong line is reported with its place and a remedy, without text that may be secret."""
    assert expected == faults(text)


def test_first_assignment_counts() -> None:
    """The value of a key that is set twice is the first one."""
    first, second = parse_lines(PATH, "A=1\nA=2\n")

    assert Assignment(path=PATH, line=1, key="A", value="1") == first
    assert isinstance(second, Fault)


def test_swallowed_keys_are_mentioned() -> None:
    """Unclosed quotes swallow lines; the fault mentions the keys in them."""
    (fault,) = parse_lines(PATH, 'A="x\nB=1\nexport C="y"\n')

    assert isinstance(fault, Fault)
    assert fault.mentions == ("A", "B", "C")


@given(st.text())
def test_never_raises(text: str) -> None:
    """Any text can be parsed, and every entry has a line that exists."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1

    assert all(1 <= entry.line <= lines for entry in parse_lines(PATH, text))


KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True).filter(lambda k: k != "export")
VALUES = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]))


def single(value: str) -> str:
    """Write a value in single quotes."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def double(value: str) -> str:
    """Write a value in double quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(
    st.dictionaries(KEYS, st.tuples(VALUES, st.sampled_from([single, double]))),
    st.lists(st.sampled_from(["", "\n", "  \n", "# note\n", "\n\n"]), min_size=9, max_size=9),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_round_trip(
    settings: dict[str, tuple[str, Callable[[str], str]]], gaps: list[str], newline: str
) -> None:
    """A value written in either quotes is read back, with the line on which it was written."""
    text, expected = "", []
    for number, (key, (value, quote)) in enumerate(settings.items()):
        text += gaps[number % len(gaps)]
        expected.append((text.count("\n") + 1, key, value))
        text += f"{key}={quote(value)}\n"

    assert expected == assignments(text.replace("\n", newline))
