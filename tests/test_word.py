"""Quoting, proved by a real shell, and masking."""

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.word import FileText, Secret, assignment, shell_line, shell_word

TOKEN = Secret("hf_secret", "env/cluster.env:7")
# What a process can be given: any text but a NUL.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def shell(script: str, **variables: str) -> bytes:
    """Return what a script prints in the POSIX shell of this machine."""
    run = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, env=variables)
    return run.stdout


@given(words=st.lists(TEXT, min_size=1, max_size=20))
@settings(max_examples=50)
def test_a_line_survives_the_shell(words: list[str]) -> None:
    """A shell splits a line into exactly the words that it was made of."""
    printed = shell(f"printf '%s\\0' {shell_line(tuple(words))}")

    assert words == printed.decode().split("\0")[:-1]


@given(value=TEXT)
@settings(max_examples=50)
def test_an_assignment_survives_the_shell(value: str) -> None:
    """A variable arrives with exactly the value that it was given."""
    printed = shell(f"env -i {assignment('NAME', value)} /bin/sh -c 'printf %s \"$NAME\"'")

    assert value == printed.decode()


def test_words() -> None:
    """Plain words stay plain, so that a line can be read."""
    assert "vllm serve --x '{\"a\": 1}' ''" == shell_line(("vllm", "serve", "--x", '{"a": 1}', ""))


def test_text_of_a_file(tmp_path: Path) -> None:
    """A file's text is read by the shell, as one word, without its final newline."""
    file = tmp_path / "a file"
    file.write_text("two words\n", encoding="utf-8")
    word = shell_word(FileText(str(file)))

    assert f"\"$(cat '{file}')\"" == word
    assert b"<two words>" == shell(f"printf '<%s>' {word}", PATH="/usr/bin:/bin")


def test_secret_of_a_file() -> None:
    """As a variable it is read in the same way."""
    assert 'VLLM_API_KEY="$(cat /run/key)"' == assignment("VLLM_API_KEY", FileText("/run/key"))


def test_secret() -> None:
    """A secret is taken from the variable of its name, and never stands on a line."""
    line = assignment("HF_TOKEN", TOKEN)

    assert 'HF_TOKEN="${HF_TOKEN:?is set in env/cluster.env:7}"' == line
    assert b"hf_secret" == shell(f'{line}; printf %s "$HF_TOKEN"', HF_TOKEN="hf_secret")


def test_secret_that_is_not_set() -> None:
    """Run by hand without the secret, a line fails and says where it is written."""
    run = subprocess.run(
        ["/bin/sh", "-c", assignment("HF_TOKEN", TOKEN)],
        check=False,
        capture_output=True,
        text=True,
        env={},
    )

    assert run.stderr.endswith("HF_TOKEN: is set in env/cluster.env:7\n")
    assert run.returncode != 0


def test_masks() -> None:
    """However a secret is printed, it does not show."""
    assert ("********", "********") == (str(TOKEN), str(FileText("/run/key")))
    assert "Secret(origin='env/cluster.env:7')" == repr(TOKEN)
