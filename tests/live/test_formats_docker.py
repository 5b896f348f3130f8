"""Docker's own command line reads the env file and tells an engine what it understood."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.formats import DOCKER_LINE, docker

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


class Engine(ThreadingMixIn, UnixStreamServer):
    """As much of an engine as `docker create` talks to; it remembers what it shall create."""

    daemon_threads = True
    created: list[dict[str, object]]


class Answers(BaseHTTPRequestHandler):
    """The answers of that engine: it is there, and it creates everything."""

    server: Engine
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Answer a ping."""
        self.answer(200, "")

    def do_GET(self) -> None:
        """Answer a ping of an older command line."""
        self.answer(200, "OK")

    def do_POST(self) -> None:
        """Remember the container that is asked for."""
        length = int(self.headers["Content-Length"])
        self.server.created.append(json.loads(self.rfile.read(length)))
        self.answer(201, '{"Id": "0123456789ab", "Warnings": []}')

    def answer(self, status: int, body: str) -> None:
        """Answer as an engine of API version 1.41 does."""
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Keep the test's output clean."""

    def address_string(self) -> str:
        """Name the client; on a Unix socket it has no address."""
        return "docker"


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Run the engine on a socket in a folder."""
    with Engine(str(folder / "engine.sock"), Answers) as server:
        server.created = []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


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
    """Every value that the format lets through is what the container would get."""
    assert [f"{name}={value}" for name, value in pairs] == understood(docker(pairs))


def test_longest_line() -> None:
    """The longest line that the format lets through is one that Docker reads."""
    pairs = (("A", "1"), ("B", "x" * (DOCKER_LINE - len("B="))), ("C", "3"))

    assert [f"{name}={value}" for name, value in pairs] == understood(docker(pairs))


def test_longer_line() -> None:
    """With one byte more Docker refuses the file: the limit is where the format has it."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        understood(f"B={'x' * (DOCKER_LINE + 1 - len('B='))}\n")

    assert caught.value.returncode == 125


def test_refused_values_would_change() -> None:
    """A carriage return at the end and all after a line break would be lost."""
    assert understood("A=one\r\nB=two\nC\n") == ["A=one", "B=two"]
