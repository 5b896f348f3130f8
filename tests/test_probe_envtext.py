"""New values in the text of an env file: what changes, and all that does not."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster.discovery.envtext import Entry, merged, unsecret
from cluster.settings.envfile import Assignment, parse

HOST_IP = Entry(key="HOST_IP", value="10.0.0.1", why="of eth0")
IB_IF = Entry(key="IB_IF", value="", why="none")


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
def test_merged(before: str, after: str) -> None:
    """A value takes the place of another, with our comment above, and nothing else changes."""
    assert after == merged(before, [HOST_IP])


def test_no_value() -> None:
    """A value may be empty, and then there is nothing behind the sign."""
    assert "# probe: none\nIB_IF=\n" == merged("IB_IF=rocep1s0f0\n", [IB_IF])


def test_quotes() -> None:
    """What a shell or dotenv would read otherwise stands in quotes."""
    entry = Entry(key="ETH_IF", value="it's\\#1", why="odd")

    assert "# probe: odd\nETH_IF='it\\'s\\\\#1'\n" == merged("", [entry])


def test_comment_fits() -> None:
    """A comment has at most 100 characters, all of them on one line."""
    entry = Entry(key="A", value="1", why="a\nb" + "x" * 200)

    assert f"# probe: a\\nb{'x' * 84}..." == entry.comment
    assert 100 == len(entry.comment)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("A=1\nHF_TOKEN=hf_1 # of mine\nB=2", "A=1\nHF_TOKEN=********\nB=2"),
        ("export HF_TOKEN='hf\r\n1'\r\nB=2", "export HF_TOKEN=********\r\n********\r\nB=2"),
        ("#HF_TOKEN=hf_1\n# NCCL_DEBUG=INFO\n", "#HF_TOKEN=********\n# NCCL_DEBUG=INFO\n"),
        ("A=1 # HF_TOKEN=hf_1\r\n# HF_TOKEN=\n", "A=1 # HF_TOKEN=********\r\n# HF_TOKEN=\n"),
    ],
)
def test_unsecret(text: str, shown: str) -> None:
    """No secret shows, not even one that a comment keeps, and every line stays in its place."""
    assert shown == unsecret(text)


NAMES = st.sampled_from(("HOST_IP", "ETH_IF", "IB_IF", "A", "MODEL", "HF_TOKEN"))
PLAIN = st.text("abz019.,:/-_@+#=$", max_size=8)
QUOTED = st.text("ab 1.#=\n'\"\\$é\t", max_size=8)
ENDS = st.sampled_from(("\n", "\r\n", "\r"))
COMMENTS = st.sampled_from(("", " # mine", "\t#", " # probe: no"))
OTHERS = st.sampled_from(("", "  ", "# mine", "# probe: old", "#HOST_IP=1", "\t# é", "#"))


@st.composite
def assignments(draw: st.DrawFn, name: str) -> str:
    """Draw a line that sets a key, in one of the ways that dotenv reads."""
    front = draw(st.sampled_from(("", "export ", "  ", "\n\n ")))
    sign = draw(st.sampled_from(("=", " = ", " =", "= ")))
    kind = draw(st.sampled_from("'\"="))
    text = draw(PLAIN if kind == "=" else QUOTED)
    escaped = re.sub(r"([\\'\"])", r"\\\1", text)
    value = text if kind == "=" else f"{kind}{escaped}{kind}"
    return f"{front}{name}{sign}{value}{draw(COMMENTS)}"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Draw an env file with every key at most once, of any line ends, the last perhaps without."""
    keys = draw(st.lists(NAMES, unique=True))
    lines = [draw(assignments(key)) for key in keys] + draw(st.lists(OTHERS, max_size=4))
    return draw(ENDS).join(draw(st.permutations(lines))) + draw(st.sampled_from(("", "\n", "\r\n")))


@st.composite
def proposals(draw: st.DrawFn) -> list[Entry]:
    """Draw values for some keys, such as may be written."""
    keys = draw(st.lists(st.sampled_from(("HOST_IP", "ETH_IF", "IB_IF")), unique=True))
    value = st.text("abz019.,:/-_'\"\\ #=$é", max_size=8)
    return [Entry(key=key, value=draw(value), why=draw(PLAIN)) for key in keys]


def values(text: str) -> dict[str, str]:
    """Return what the settings read in a text without a complaint."""
    found = parse("env/a.env", text)
    read = {one.key: one.value for one in found if isinstance(one, Assignment)}

    assert len(found) == len(read)
    return read


@given(texts(), proposals())
@example("A='\n'\r\nHOST_IP=1", [HOST_IP])
def test_merged_reads_as_proposed(before: str, entries: list[Entry]) -> None:
    """Whatever a file looks like, it then has the new values, and all its other ones."""
    old = values(before)
    after = merged(before, entries)

    assert old | {entry.key: entry.value for entry in entries} == values(after)
    assert after == merged(after, entries)


@given(texts(), proposals())
def test_hand_written_lines_stay(before: str, entries: list[Entry]) -> None:
    """Lines that are neither our comments nor those of a proposed key stay, in their order."""
    assert list(filter(_stays, before.splitlines())) == list(
        filter(_stays, merged(before, entries).splitlines())
    )


def _stays(line: str) -> bool:
    return line.startswith(("# mine", "#HOST_IP", "MODEL="))
