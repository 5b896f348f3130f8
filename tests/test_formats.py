"""An environment as text: every value survives the program that reads the format."""

import io
import json
import re
import shutil
import subprocess

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.environment.formats import (
    DOCKER_LINE,
    FORMATS,
    as_json,
    docker,
    dotenv,
    masked,
    revealed,
    shell,
)
from cluster.errors import SettingsError
from cluster.settings.syntax import Assignment, parse_lines
from cluster.words import FileText, Secret

ENVIRONMENT = (
    ("NCCL_SOCKET_IFNAME", "=enp1s0f1np1"),
    ("NCCL_DEBUG_FILE", "/tmp/nccl $USER's \\%h.log"),  # noqa: S108 (a value, not a file)
    ("HF_TOKEN", Secret("hf_secret", "env/cluster.env:7")),
    ("VLLM_API_KEY", FileText("/state/api-key")),
    ("VLLM_TEXT", 'two\n"lines"'),
    ("VLLM_NONE", ""),
    ("VLLM_HOST_IP", "192.168.177.11"),
)
PAIRS = revealed(ENVIRONMENT, {"/state/api-key": "key-1\n"}.__getitem__)

TRICKY = st.sampled_from([*"'\"\\$`!#=~ \t\n\r{}[]()*?;&|<>%^", "${HOME}", "$(id)", "\\n"])
# An environment contains neither NUL nor half a character.
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
VALUES = st.lists(TRICKY | ANY, max_size=12).map("".join)
MANY = st.lists(VALUES, max_size=40).map(
    lambda values: tuple((f"V{index}", value) for index, value in enumerate(values))
)


def dotenv_file(text: str, *, interpolate: bool) -> dict[str, str | None]:
    """Read as `dotenv_values` reads a file, with Python's translation of line ends."""
    stream = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    return dotenv_values(stream=stream, interpolate=interpolate)


def docker_file(text: str) -> dict[str, str]:
    """Read by the rules of docker/cli pkg/kvfile; the live test asks the real program."""
    lines = (line.removesuffix("\r").lstrip() for line in text.split("\n"))
    assigned = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in assigned}


def test_masked() -> None:
    """Secrets and the texts of files are left out."""
    expected = (
        *ENVIRONMENT[:2],
        ("HF_TOKEN", None),
        ("VLLM_API_KEY", None),
        *ENVIRONMENT[4:],
    )

    assert expected == masked(ENVIRONMENT)


def test_revealed() -> None:
    """Secrets are shown, and the text of a file without its final newline."""
    expected = (
        *ENVIRONMENT[:2],
        ("HF_TOKEN", "hf_secret"),
        ("VLLM_API_KEY", "key-1"),
        *ENVIRONMENT[4:],
    )

    assert expected == PAIRS


def test_dotenv() -> None:
    """Values are quoted only if necessary, and one variable is one line."""
    expected = r"""
NCCL_SOCKET_IFNAME='=enp1s0f1np1'
NCCL_DEBUG_FILE='/tmp/nccl $USER\'s \\%h.log'
HF_TOKEN=hf_secret
VLLM_API_KEY=key-1
VLLM_TEXT="two\n\"lines\""
VLLM_NONE=''
VLLM_HOST_IP=192.168.177.11
"""

    assert expected.lstrip() == dotenv(PAIRS)


def test_shell() -> None:
    """All but plain values are in single quotes."""
    expected = r"""
export NCCL_SOCKET_IFNAME='=enp1s0f1np1'
export NCCL_DEBUG_FILE='/tmp/nccl $USER'\''s \%h.log'
export HF_TOKEN=hf_secret
export VLLM_API_KEY=key-1
export VLLM_TEXT='two
"lines"'
export VLLM_NONE=''
export VLLM_HOST_IP=192.168.177.11
"""

    assert expected.lstrip() == shell(PAIRS)


def test_docker() -> None:
    """Values are unchanged, without quotes."""
    expected = r"""
NCCL_SOCKET_IFNAME==enp1s0f1np1
NCCL_DEBUG_FILE=/tmp/nccl $USER's \%h.log
HF_TOKEN=hf_secret
VLLM_API_KEY=key-1
VLLM_NONE=
VLLM_HOST_IP=192.168.177.11
"""

    assert expected.lstrip() == docker(tuple(pair for pair in PAIRS if pair[0] != "VLLM_TEXT"))


def test_docker_names_every_impossible_value() -> None:
    """All impossible values are reported at once, without the values."""
    pairs = (
        ("A", "one\ntwo"),
        ("B", "fine"),
        ("C", "end\r"),
        ("D", "x" * (DOCKER_LINE - len("D="))),
        ("E", "é" * (DOCKER_LINE // 2)),
    )
    expected = (
        "A: Docker's env file cannot contain a line break"
        " (use `--format shell` or `--format json`)\n"
        "C: Docker's env file drops a carriage return at the end"
        " (use `--format shell` or `--format json`)\n"
        "E: Docker's env file cannot contain a line of more than 65535 bytes"
        " (use `--format shell` or `--format json`)"
    )

    with pytest.raises(SettingsError, match=f"^{re.escape(expected)}$"):
        docker(pairs)


def test_json() -> None:
    """JSON keeps the order and does not escape letters of other alphabets."""
    expected = '{\n  "B": "größer",\n  "A": "two\\n\\"lines\\""\n}\n'

    assert expected == as_json((("B", "größer"), ("A", 'two\n"lines"')))


@pytest.mark.parametrize(
    "form, expected",
    [
        ("dotenv", "# HF_TOKEN is a secret: --reveal shows it\nVLLM_HOST_IP=192.168.177.11\n"),
        (
            "shell",
            "# HF_TOKEN is a secret: --reveal shows it\nexport VLLM_HOST_IP=192.168.177.11\n",
        ),
        ("docker", "# HF_TOKEN is a secret: --reveal shows it\nVLLM_HOST_IP=192.168.177.11\n"),
        ("json", '{\n  "HF_TOKEN": "********",\n  "VLLM_HOST_IP": "192.168.177.11"\n}\n'),
    ],
)
def test_masked_secret_is_a_comment(form: str, expected: str) -> None:
    """A masked variable is a comment where a program would read the mask as its value."""
    assert expected == FORMATS[form](masked((ENVIRONMENT[2], ENVIRONMENT[-1])))


def test_names_of_the_formats() -> None:
    """These are the values of `--format`."""
    expected = {"dotenv": dotenv, "shell": shell, "docker": docker, "json": as_json}

    assert expected == FORMATS


@given(MANY)
def test_dotenv_values_survive_python_dotenv(pairs: tuple[tuple[str, str], ...]) -> None:
    """python-dotenv without interpolation reads back any value."""
    assert dotenv_file(dotenv(pairs), interpolate=False) == dict(pairs)


@given(MANY)
def test_dotenv_values_survive_interpolation(
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """With interpolation only `${` is lost: python-dotenv cannot escape it."""
    plain = tuple((name, value.replace("${", "$ {")) for name, value in pairs)

    assert dotenv_file(dotenv(plain), interpolate=True) == dict(plain)


@given(MANY)
def test_dotenv_values_survive_the_env_file_parser(pairs: tuple[tuple[str, str], ...]) -> None:
    """The output of `inv env` is a valid env file with one variable on each line."""
    expected = tuple(
        Assignment(path="env/x.env", line=line, key=name, value=value)
        for line, (name, value) in enumerate(pairs, start=1)
    )

    assert expected == parse_lines("env/x.env", dotenv(pairs))


@pytest.mark.parametrize("name", ["sh", "bash"])
@settings(max_examples=30, deadline=None)
@given(pairs=MANY)
def test_shell_values_survive_the_shell(name: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """Any value reaches the environment of a program started by a real shell."""
    program = shutil.which(name) or pytest.skip(f"{name} is not installed")
    command = [program, "-c", ". /dev/stdin; exec env -0"]
    run = subprocess.run(command, input=shell(pairs).encode(), capture_output=True, check=True)
    seen = (entry.partition("=") for entry in run.stdout.decode().split("\0"))

    assert {name: value for name, _, value in seen if re.fullmatch(r"V\d+", name)} == dict(pairs)
    assert run.stderr == b""


@given(MANY)
def test_docker_values_survive_the_rules_of_the_env_file(
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """Any value is read back, or its variable is refused by name."""
    try:
        text = docker(pairs)
    except SettingsError as error:
        refused = [problem.place for problem in error.problems]

        assert refused == [name for name, value in pairs if "\n" in value or value[-1:] == "\r"]
    else:
        assert docker_file(text) == dict(pairs)


@given(MANY)
def test_json_values_survive_json(pairs: tuple[tuple[str, str], ...]) -> None:
    """A JSON parser reads back any value from bytes."""
    assert json.loads(as_json(pairs).encode()) == dict(pairs)
