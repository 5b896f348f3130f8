"""Docker engines of hosts, by the Docker SDK; remote ones through the user's own SSH client."""

import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cluster.errors import NodeError
from cluster.host import Host, host_problem
from cluster.machine import processes

if TYPE_CHECKING:
    from docker import APIClient, DockerClient

SOCKET = "/var/run/docker.sock"
OPEN_SECONDS = 30.0
"""For the whole handshake, as authentication may be slow; the address must answer within 10 s."""
END_SECONDS = 5.0
NOTICE_SECONDS = 0.5
"""From the end of a connection to the end of its process."""
CLOSED = "Connection closed by remote host"
READY = "home of spark-vllm-cluster: "
# The first line with this mark shows that the connection stands; start-up files of a shell may
# print others before it. Then `cat` lives as long as the pipe to it, that is, as this program.
REMOTE = f"printf '%s\\n' \"{READY}$HOME\"; exec cat"


class Tunnel:
    """An ssh process that forwards the socket of another machine's engine to this machine."""

    def __init__(self, host: Host) -> None:
        """Start ssh and wait until the connection stands; a NodeError has the reason if not."""
        self._folder = TemporaryDirectory(prefix="engine-")  # that only this user can enter
        self.socket = Path(self._folder.name, "api.sock")
        self._errors = Path(self._folder.name, "ssh.log")
        try:
            with self._errors.open("wb") as log:
                # In its own session Ctrl-C does not reach it: stopping services still needs it.
                self.process = subprocess.Popen(
                    host.tunnel(str(self.socket), SOCKET, REMOTE),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
        except FileNotFoundError as error:
            self._folder.cleanup()
            raise NodeError(host_problem(host, str(error))) from None
        try:
            self.home = self._await_home(host)
            """The home folder of the user on the other machine."""
        except BaseException:
            self.close()
            raise

    @property
    def error(self) -> str:
        """What ssh printed to its standard error; empty once everything is closed."""
        with suppress(FileNotFoundError):
            return self._errors.read_text(encoding="utf-8", errors="replace")
        return ""

    def close(self) -> None:
        """End ssh, and remove the socket."""
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        """End ssh, which ends at once; the remote `cat` ends with the connection."""
        processes.end_program(self.process, END_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def _await_home(self, host: Host) -> str:
        """Return the home folder that the remote side prints."""
        timer = threading.Timer(OPEN_SECONDS, self.process.kill)
        timer.start()
        try:
            lines = (line for line in self.process.stdout or () if line.startswith(READY))
            home = next(lines, "").removeprefix(READY).rstrip("\n")
        finally:
            timer.cancel()
        if not home:
            self._end()
            raise NodeError(host_problem(host, self.error))
        return home


@dataclass(frozen=True, kw_only=True)
class OpenEngine:
    """A client, and the tunnel that it uses, if any."""

    client: "DockerClient"
    tunnel: Tunnel | None

    @property
    def is_alive(self) -> bool:
        """Whether the tunnel is open; the engine behind it may have stopped."""
        return self.tunnel is None or self.tunnel.process.poll() is None

    def close(self) -> None:
        """Close the client and the tunnel."""
        self.client.close()
        if self.tunnel:
            self.tunnel.close()


class Engines:
    """Clients of engines: each is opened on first use and shared by all threads."""

    def __init__(self) -> None:
        """Start without open engines."""
        self._open_engines: dict[str, OpenEngine] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all clients and end all ssh processes; all may be opened again."""
        with self._lock:
            while self._open_engines:
                self._open_engines.popitem()[1].close()

    def home(self, host: Host) -> str:
        """Return the home folder of the user on the host."""
        tunnel = self._engine(host).tunnel
        return tunnel.home if tunnel else str(Path.home())

    @contextmanager
    def api(self, host: Host) -> Iterator["APIClient"]:
        """Yield the client's plain API; errors of Docker and the connection become NodeErrors."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        lost = (ConnectionError, TimeoutError, HTTPError)
        engine = self._engine(host)
        try:
            yield engine.client.api
        except (*lost, DockerException, RequestException) as error:
            raise NodeError(host_problem(host, _reason(host, engine.tunnel, error))) from error

    def _engine(self, host: Host) -> OpenEngine:
        """Return the engine of a host; a NodeError has the reason if it does not answer."""
        with self._lock:
            lock = self._locks[host.ssh_host]
        with lock:
            engine = self._open_engines.get(host.ssh_host)
            if engine is None or not engine.is_alive:
                if engine:
                    engine.close()
                engine = self._open_engines[host.ssh_host] = _connect(host)
            return engine


ENGINES = Engines()
"""The engines of this program."""


def _connect(host: Host) -> OpenEngine:
    tunnel = Tunnel(host) if host.ssh_host else None
    try:
        return OpenEngine(client=_client(host, tunnel), tunnel=tunnel)
    except BaseException:
        if tunnel:
            tunnel.close()
        raise


def _client(host: Host, tunnel: Tunnel | None) -> "DockerClient":
    """Return a client that has agreed with the engine on a version of the API."""
    import docker

    try:
        if tunnel:
            return docker.DockerClient(base_url=f"unix://{tunnel.socket}")
        return docker.from_env()
    except docker.errors.DockerException as error:
        raise NodeError(host_problem(host, _reason(host, tunnel, error))) from error


def _reason(host: Host, tunnel: Tunnel | None, error: Exception) -> str:
    """Return the best explanation: by the engine, ssh, Docker's client, or the exception."""
    from docker.errors import APIError

    if isinstance(error, APIError):
        return str(error)
    if tunnel is None:
        return _client_error(host) or str(error)
    try:
        tunnel.process.wait(NOTICE_SECONDS)
    except subprocess.TimeoutExpired:
        return _client_error(host) or f"{tunnel.error}{error}"
    return tunnel.error or CLOSED


def _client_error(host: Host) -> str:
    """Return the error that the Docker client on the host itself prints; empty without one."""
    argv = host.ssh("docker version") if host.ssh_host else ("docker", "version")
    result = processes.run(argv, seconds=OPEN_SECONDS)
    return result.error if result.code else ""
