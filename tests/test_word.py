"""Quoting, proved by a real shell, and masking."""

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.word import FileText, Secret, shell_command, shell_line, shell_word

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
def test_a_variable_survives_the_shell(value: str) -> None:
    """A variable arrives with exactly the value that it was given."""
    argv = ("/bin/sh", "-c", 'printf %s "$NAME"')

    assert value == shell(shell_command((("NAME", value),), argv)).decode()


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


def test_command_without_an_environment() -> None:
    """A command of no node has the environment of the shell that runs it."""
    assert "ip link" == shell_command((), ("ip", "link"))
    assert "sleep 1 \\\n  &" == shell_command((), ("sleep", "1"), "&")


def test_secrets_come_in_by_a_here_document(tmp_path: Path) -> None:
    """Secrets reach the command, and stand in no argument on the way."""
    file = tmp_path / "key"
    file.write_text("sk_secret\n", encoding="utf-8")
    environment = (("PATH", "/usr/bin:/bin"), ("HF_TOKEN", TOKEN), ("KEY", FileText(str(file))))
    show = ("sh", "-c", 'tr "\\0" " " </proc/$PPID/cmdline; echo "$HF_TOKEN $KEY"')
    text = shell_command(environment, show, "</dev/null")
    take = 'for it in HF_TOKEN KEY; do read -r "$it" <&3; export "$it"; done'
    expected = f"""\
env -i \\
  PATH=/usr/bin:/bin \\
  sh -c '{take}; exec "$@" 3<&-' secrets \\
  {shell_line(show)} \\
  3<<EOF </dev/null
${{HF_TOKEN:?is set in env/cluster.env:7}}
$(cat {file})
EOF"""

    assert expected == text
    assert shell(text, PATH="/usr/bin:/bin", HF_TOKEN="hf_secret").endswith(
        b"hf_secret sk_secret\n"
    )
    assert shell(text, PATH="/usr/bin:/bin", HF_TOKEN="hf_secret").count(b"secret\n") == 1


def test_secret_that_is_not_set() -> None:
    """Run by hand without the secret, a command fails and says where it is written."""
    text = shell_command((("HF_TOKEN", TOKEN),), ("true",))
    run = subprocess.run(
        ["/bin/sh", "-c", text], check=False, capture_output=True, text=True, env={}
    )

    assert run.stderr.endswith("HF_TOKEN: is set in env/cluster.env:7\n")
    assert run.returncode != 0


def test_masks() -> None:
    """However a secret is printed, it does not show."""
    assert ("********", "********") == (str(TOKEN), str(FileText("/run/key")))
    assert "Secret(origin='env/cluster.env:7')" == repr(TOKEN)
