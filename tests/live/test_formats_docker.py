"""Docker's command line reads env files, and an engine records the variables."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.environment.formats import DOCKER_LINE, docker
from tests.live.recording import engine

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("docker"), reason="there is no docker on the PATH"),
]

Pairs = tuple[tuple[str, str], ...]

# No line breaks: the unit tests show that they are refused.
TRICKY = st.sampled_from([*"'\"\\$`!#=~ \t{}[]()*?;&|<>%^", "${HOME}", "\N{NO-BREAK SPACE}", "\r#"])
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0\n")
VALUES = st.lists(TRICKY | ANY, max_size=12).map("".join).filter(lambda text: text[-1:] != "\r")
MANY = st.lists(VALUES, min_size=1, max_size=200).map(
    lambda values: tuple((f"V{index}", value) for index, value in enumerate(values))
)


def understood(text: str) -> object:
    """Return the variables that `docker create --env-file` asks the engine to set."""
    with tempfile.TemporaryDirectory() as name, engine(Path(name)) as server:
        file = Path(name) / "env"
        file.write_bytes(text.encode())
        program = shutil.which("docker") or ""
        command = [program, "-H", f"unix://{name}/engine.sock", "create", "--env-file", str(file)]
        subprocess.run(
            [*command, "image"],
            env={"HOME": name, "DOCKER_CONFIG": name},
            check=True,
            capture_output=True,
            timeout=30,
        )
        return server.created[0]["Env"]


@settings(max_examples=30, deadline=None)
@given(MANY)
def test_values_survive_docker(pairs: Pairs) -> None:
    """Every value that the format accepts reaches the container unchanged."""
    assert [f"{name}={value}" for name, value in pairs] == understood(docker(pairs))


def test_longest_line() -> None:
    """Docker reads the longest line that the format accepts."""
    pairs = (("A", "1"), ("B", "x" * (DOCKER_LINE - len("B="))), ("C", "3"))

    assert [f"{name}={value}" for name, value in pairs] == understood(docker(pairs))


def test_longer_line() -> None:
    """Docker rejects a line that is one byte longer: the format's limit is exact."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        understood(f"B={'x' * (DOCKER_LINE + 1 - len('B='))}\n")

    assert caught.value.returncode == 125


def test_refused_values_would_change() -> None:
    """A carriage return at the end and all after a line break would be lost."""
    assert understood("A=one\r\nB=two\nC\n") == ["A=one", "B=two"]
