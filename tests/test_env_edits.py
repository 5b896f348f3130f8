"""New values in the text of an env file: what changes, and what stays."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.discovery.env_edits import ProposedValue, edited, masked
from cluster.settings.syntax import Assignment, parse_lines

HOST_IP = ProposedValue(key="HOST_IP", value="10.0.0.1", source="of eth0")
IB_IF = ProposedValue(key="IB_IF", value="", source="none")


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "# probe: of eth0\nHOST_IP=10.0.0.1\n"),
        ("HOST_IP=10.0.0.1", "HOST_IP=10.0.0.1"),
        ("HOST_IP=10.0.0.2", "# probe: of eth0\nHOST_IP=10.0.0.1"),
        ("A=1", "A=1\n\n# probe: of eth0\nHOST_IP=10.0.0.1\n"),
        ("A=1\n\n", "A=1\n\n# probe: of eth0\nHOST_IP=10.0.0.1\n"),
        ("A=1\r\n", "A=1\r\n\r\n# probe: of eth0\r\nHOST_IP=10.0.0.1\r\n"),
        (
            "# ours\n# probe: old\nHOST_IP=10.0.0.2\nB=2\n",
            "# ours\n# probe: of eth0\nHOST_IP=10.0.0.1\nB=2\n",
        ),
        ("# probe: old\nHOST_IP=10.0.0.1\n", "# probe: of eth0\nHOST_IP=10.0.0.1\n"),
        ("# probe: old\n\nHOST_IP=10.0.0.1\n", "# probe: old\n\nHOST_IP=10.0.0.1\n"),
        (
            "# mine\nexport HOST_IP = '10.0.0.2'  # as it was\n",
            "# mine\n# probe: of eth0\nexport HOST_IP =10.0.0.1  # as it was\n",
        ),
        ("HOST_IP=10.0.0.2 # mine\r\n", "# probe: of eth0\r\nHOST_IP=10.0.0.1 # mine\r\n"),
        ("HOST_IP= # mine\n", "# probe: of eth0\nHOST_IP=10.0.0.1 # mine\n"),
        (
            'A="\n# probe: no\n"\nHOST_IP=1\n',
            'A="\n# probe: no\n"\n# probe: of eth0\nHOST_IP=10.0.0.1\n',
        ),
        ('HOST_IP="1\n2" # two\nB=2', "# probe: of eth0\nHOST_IP=10.0.0.1 # two\nB=2"),
    ],
)
def test_edited(before: str, after: str) -> None:
    """A new value replaces the old one, with a comment above it, and no other text changes."""
    assert after == edited(before, [HOST_IP])


def test_no_value() -> None:
    """A value may be empty."""
    assert "# probe: none\nIB_IF=\n" == edited("IB_IF=rocep1s0f0\n", [IB_IF])


def test_quotes() -> None:
    """A value with special characters is quoted."""
    value = ProposedValue(key="ETH_IF", value="it's\\#1", source="odd")

    assert "# probe: odd\nETH_IF='it\\'s\\\\#1'\n" == edited("", [value])


def test_comment_fits() -> None:
    """A comment is one line of at most 100 characters."""
    value = ProposedValue(key="A", value="1", source="a\nb" + "x" * 200)

    assert f"# probe: a\\nb{'x' * 84}..." == value.comment
    assert 100 == len(value.comment)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("A=1\nHF_TOKEN=hf_1 # of mine\nB=2", "A=1\nHF_TOKEN=********\nB=2"),
        ("export HF_TOKEN='hf\r\n1'\r\nB=2", "export HF_TOKEN=********\r\n********\r\nB=2"),
        ("#HF_TOKEN=hf_1\n# NCCL_DEBUG=INFO\n", "#HF_TOKEN=********\n# NCCL_DEBUG=INFO\n"),
        ("A=1 # HF_TOKEN=hf_1\r\n# HF_TOKEN=\n", "A=1 # HF_TOKEN=********\r\n# HF_TOKEN=\n"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    """Secrets are masked, also in comments, and every line keeps its number."""
    assert shown == masked(text)


NAMES = st.sampled_from(("HOST_IP", "ETH_IF", "IB_IF", "A", "MODEL", "HF_TOKEN"))
PLAIN = st.text("abz019.,:/-_@+#=$", max_size=8)
QUOTED = st.text("ab 1.#=\n'\"\\$é\t", max_size=8)
ENDS = st.sampled_from(("\n", "\r\n", "\r"))
COMMENTS = st.sampled_from(("", " # mine", "\t#", " # probe: no"))
OTHERS = st.sampled_from(("", "  ", "# mine", "# probe: old", "#HOST_IP=1", "\t# é", "#"))


@st.composite
def assignments(draw: st.DrawFn, name: str) -> str:
    """Draw an assignment in one of the forms that dotenv reads."""
    front = draw(st.sampled_from(("", "export ", "  ", "\n\n ")))
    sign = draw(st.sampled_from(("=", " = ", " =", "= ")))
    kind = draw(st.sampled_from("'\"="))
    text = draw(PLAIN if kind == "=" else QUOTED)
    escaped = re.sub(r"([\\'\"])", r"\\\1", text)
    value = text if kind == "=" else f"{kind}{escaped}{kind}"
    return f"{front}{name}{sign}{value}{draw(COMMENTS)}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw an env file with distinct keys and any line ends, the last one optional."""
    keys = draw(st.lists(NAMES, unique=True))
    lines = [draw(assignments(key)) for key in keys] + draw(st.lists(OTHERS, max_size=4))
    return draw(ENDS).join(draw(st.permutations(lines))) + draw(st.sampled_from(("", "\n", "\r\n")))


@st.composite
def proposals(draw: st.DrawFn) -> list[ProposedValue]:
    """Draw proposed values for several keys."""
    keys = draw(st.lists(st.sampled_from(("HOST_IP", "ETH_IF", "IB_IF")), unique=True))
    value = st.text("abz019.,:/-_'\"\\ #=$é", max_size=8)
    return [ProposedValue(key=key, value=draw(value), source=draw(PLAIN)) for key in keys]


def values(text: str) -> dict[str, str]:
    """Return the values that the settings parse in a text without a fault."""
    entries = parse_lines("env/a.env", text)
    parsed = {entry.key: entry.value for entry in entries if isinstance(entry, Assignment)}

    assert len(entries) == len(parsed)
    return parsed


@given(texts(), proposals())
@example("A='\n'\r\nHOST_IP=1", [HOST_IP])
def test_values_after_an_edit(before: str, proposed: list[ProposedValue]) -> None:
    """Any file has the new values after an edit, and keeps all its other values."""
    old = values(before)
    after = edited(before, proposed)

    assert old | {value.key: value.value for value in proposed} == values(after)
    assert after == edited(after, proposed)


@given(texts(), proposals())
def test_hand_written_lines_stay(before: str, proposed: list[ProposedValue]) -> None:
    """Lines without a proposed key or a comment of `inv probe` stay, in their order."""
    assert list(filter(_stays, before.splitlines())) == list(
        filter(_stays, edited(before, proposed).splitlines())
    )


def _stays(line: str) -> bool:
    return line.startswith(("# mine", "#HOST_IP", "MODEL="))
