"""The examples in the documentation: extracted, run as a reader runs them, and compared.

A block fenced as `console` is a session: commands after `$ `, each followed by its output. A second
word selects the test: without one the unit tests run it, with `live` the live tests, and `named`
checks only that its verbs and flags exist. A block fenced with the name of a file is that file's
content. One fenced as `text` with a word is rendered by a test (tests/test_two_sparks.py). A line
`...` stands for any lines. Durations, times and the repository's folder compare as equal.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SHOWN_ROOT = "~/spark-vllm-cluster"
"""Path of the repository on the pages."""
FENCED = re.compile(r"^```(\S+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n", re.MULTILINE)
CODE = re.compile(r"`(?:\./)?inv ([^`]+)`")
SECONDS = re.compile(r"\b\d+\.\d s$", re.MULTILINE)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
OF_THE_REPOSITORY = (
    *("inv", "bootstrap.py", "requirements.txt", "__main__.py", "tasks.py", "cluster", "docker"),
    *("env/examples", "env/rehearsal", "env/cluster.env.example", "env/node.env.example"),
)


class Block(NamedTuple):
    """A fenced block: its language, the word after that, and its text."""

    language: str
    word: str
    text: str


class Example(NamedTuple):
    """A command and its output according to the page."""

    command: str
    output: str


def blocks(page: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of a page."""
    return tuple(Block(*match) for match in FENCED.findall(page.read_text(encoding="utf-8")))


def examples(block: Block) -> tuple[Example, ...]:
    """Return the commands of a session."""
    _, *parts = COMMAND.split(block.text)
    return tuple(map(Example, parts[::2], parts[1::2]))


def calls(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each `inv` on a page: in sessions of all kinds, and in the prose."""
    for block in blocks(page):
        for example in examples(block) if block.language == "console" else ():
            yield from arguments(example.command)
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    yield from (shlex.split(words) for words in CODE.findall(prose))


def arguments(command: str) -> Iterator[list[str]]:
    """Yield the arguments of each `./inv` in a shell command."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.wordchars += "$"
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            yield from [] if call is None else [call]
            call = None
        elif word == "./inv":
            call = []
        elif call is not None:
            call.append(word)


def clone(folder: Path) -> Path:
    """Return a clone of the repository in which `./inv` runs with the Python of the tests."""
    tree = folder / "spark-vllm-cluster"
    for name in OF_THE_REPOSITORY:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tree / name)
    python = tree / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    shutil.copy(tree / "requirements.txt", tree / ".venv" / "made-from")
    (tree / ".venv" / "made-with").write_text("python3\n", encoding="utf-8")
    return tree


def printed(tree: Path, command: str, seconds: float) -> str:
    """Run a command of a page in a clone and return its output, errors included."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tree,
        env={name: text for name, text in os.environ.items() if name not in {"PYTHON", "COLUMNS"}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.stdout.replace(str(tree), SHOWN_ROOT)


def compared(expected: str, actual: str) -> tuple[str, str]:
    """Return both texts normalised; if they match, the second is equal to the first."""
    expected, actual = (
        MOMENT.sub("MOMENT", SECONDS.sub("N s", text)) for text in (expected, actual)
    )
    lines = expected.splitlines(keepends=True)
    pattern = (r"(?:.*\n)*?" if line == "...\n" else re.escape(line) for line in lines)
    return expected, expected if re.fullmatch("".join(pattern), actual) else actual


def differences(tree: Path, page: Path, word: str, seconds: float) -> list[tuple[str, str, str]]:
    """Run a page's sessions; return each differing command with its expected and actual output."""
    sessions = (
        block for block in blocks(page) if (block.language, block.word) == ("console", word)
    )
    pairs = (
        (example.command, *compared(example.output, printed(tree, example.command, seconds)))
        for block in sessions
        for example in examples(block)
    )
    return [pair for pair in pairs if pair[1] != pair[2]]


def write_files(tree: Path, page: Path) -> None:
    """Write the files that a page shows."""
    for block in blocks(page):
        if "/" in block.word:
            (tree / block.word).write_text(block.text, encoding="utf-8")
