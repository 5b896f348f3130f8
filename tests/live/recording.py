"""A small engine for `docker create` that records the requests."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Thread
from typing import Any


class Engine(ThreadingMixIn, UnixStreamServer):
    """A small engine for `docker create` that records the requests."""

    daemon_threads = True
    created: list[dict[str, Any]]


class Answers(BaseHTTPRequestHandler):
    """Its answers: every container is created."""

    server: Engine
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Answer a ping."""
        self.answer(200, "")

    def do_GET(self) -> None:
        """Answer a ping of an older command line."""
        self.answer(200, "OK")

    def do_POST(self) -> None:
        """Record the requested container."""
        length = int(self.headers["Content-Length"])
        self.server.created.append(json.loads(self.rfile.read(length)))
        self.answer(201, '{"Id": "0123456789ab", "Warnings": []}')

    def answer(self, status: int, body: str) -> None:
        """Answer as an engine of API version 1.41 does."""
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("OSType", "linux")  # without it the client takes no device
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
