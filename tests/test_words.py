"""Quoting, tested with a real shell, and masking."""

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.words import (
    FileText,
    NodeHome,
    Secret,
    shell_command,
    shell_line,
    shell_parts,
    shell_word,
)

TOKEN = Secret("hf_secret", "env/cluster.env:7")
# Arguments and variables of a process may be any text without NUL.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), min_size=1)
SHOW = ("/bin/sh", "-c", 'printf %s "$NAME"')


def shell(script: str, **variables: str) -> bytes:
    """Return what a script prints in the POSIX shell of this machine."""
    run = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, env=variables)
    return run.stdout


@given(words=st.lists(TEXT, min_size=1, max_size=20))
@settings(max_examples=50)
def test_a_line_survives_the_shell(words: list[str]) -> None:
    """A shell splits a line into the same words again."""
    printed = shell(f"printf '%s\\0' {shell_line(tuple(words))}")

    assert words == printed.decode().split("\0")[:-1]


@given(value=TEXT)
@settings(max_examples=50)
def test_a_variable_survives_the_shell(value: str) -> None:
    """A variable has the same value in the process."""
    assert value == shell(shell_command((("NAME", value),), SHOW)).decode()


@given(value=ONE_LINE)
def test_a_secret_survives_the_shell(value: str) -> None:
    """A secret of one line is passed unchanged: quotes, `$`, backslashes, blanks at both ends."""
    text = shell_parts((("NAME", Secret(value, "env/cluster.env:7")),), (SHOW,))

    assert value == shell(text, NAME=value).decode()


def test_plain_words() -> None:
    """Plain words get no quotes, so that a line is readable."""
    assert "vllm serve --x '{\"a\": 1}' ''" == shell_line(("vllm", "serve", "--x", '{"a": 1}', ""))


def test_text_of_a_file(tmp_path: Path) -> None:
    """The shell reads a file's text as one word without the final newline."""
    file = tmp_path / "a file"
    file.write_text("two words\n", encoding="utf-8")
    word = shell_word(FileText(str(file)))

    assert f"\"$(cat '{file}')\"" == word
    assert b"<two words>" == shell(f"printf '<%s>' {word}", PATH="/usr/bin:/bin")


def test_command_without_an_environment() -> None:
    """A command without an environment gets that of the shell."""
    assert "ip link" == shell_command((), ("ip", "link"))
    assert "sleep 1 \\\n  &" == shell_command((), ("sleep", "1"), "&")


def test_secrets_in_a_here_document(tmp_path: Path) -> None:
    """Secrets reach the command and are not in its arguments."""
    file = tmp_path / "key"
    file.write_text("sk_secret\n", encoding="utf-8")
    environment = (("PATH", "/usr/bin:/bin"), ("HF_TOKEN", TOKEN), ("KEY", FileText(str(file))))
    show = ("sh", "-c", 'tr "\\0" " " </proc/$PPID/cmdline; echo "$HF_TOKEN $KEY"')
    text = shell_command(environment, show, "</dev/null")
    reader = 'for name in HF_TOKEN KEY; do IFS= read -r "$name" <&3; export "$name"; done'
    expected = f"""\
env -i \\
  PATH=/usr/bin:/bin \\
  sh -c '{reader}; exec "$@" 3<&-' secrets \\
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


def test_parts() -> None:
    """A long command has a line for each part, and gets its secrets in a here-document."""
    parts = (("docker", "create"), ("--label", "a b"), ("--env", "HF_TOKEN"), ("image",))
    plain = "docker create \\\n  --label 'a b' \\\n  --env HF_TOKEN \\\n  image"
    reader = 'for name in HF_TOKEN; do IFS= read -r "$name" <&3; export "$name"; done'
    hidden = f"""\
sh -c '{reader}; exec "$@" 3<&-' secrets \\
  {plain} \\
  3<<EOF
${{HF_TOKEN:?is set in env/cluster.env:7}}
EOF"""

    assert plain == shell_parts((), parts)
    assert plain == shell_parts((("NCCL_DEBUG", "INFO"),), parts)
    assert hidden == shell_parts((("NCCL_DEBUG", "INFO"), ("HF_TOKEN", TOKEN)), parts)


def test_home_of_a_node() -> None:
    """The home folder is expanded by the shell that runs the line, or by the node's shell."""
    remote = """"$(ssh me@spark2 'printf %s "$HOME"')"/.cache/huggingface:/models"""

    assert remote == shell_word(NodeHome("me@spark2", ".cache/huggingface:/models"))
    assert '"$HOME"/.cache' == shell_word(NodeHome("", ".cache"))


@given(home=ONE_LINE, path=TEXT)
def test_a_home_survives_the_shell(home: str, path: str) -> None:
    """A path below a home is one word, whatever characters it has."""
    printed = shell(f"printf '<%s>' {shell_word(NodeHome('', path))}", HOME=home)

    assert f"<{home}/{path}>" == printed.decode()


def test_secret_that_is_not_set() -> None:
    """A command run without its secret fails and names the place where it is written."""
    text = shell_command((("HF_TOKEN", TOKEN),), ("true",))
    run = subprocess.run(
        ["/bin/sh", "-c", text], check=False, capture_output=True, text=True, env={}
    )

    assert run.stderr.endswith("HF_TOKEN: is set in env/cluster.env:7\n")
    assert run.returncode != 0


def test_masks() -> None:
    """No form of printing shows a secret."""
    assert ("********", "********") == (str(TOKEN), str(FileText("/run/key")))
    assert "Secret(origin='env/cluster.env:7')" == repr(TOKEN)
