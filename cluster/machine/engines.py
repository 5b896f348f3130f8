"""Docker engines of hosts, by the Docker SDK; remote ones through the user's own SSH client."""

import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """An ssh process that forwards the engine's socket of another machine to this one."""

    process: "subprocess.Popen[str]"
    socket: Path
    errors: Path
    home: str
    """The home folder of the user there."""

    @property
    def error(self) -> str:
        """What ssh printed to its standard error; empty once everything is closed."""
        with suppress(FileNotFoundError):
            return self.errors.read_text(encoding="utf-8", errors="replace")
        return ""


@dataclass(frozen=True, kw_only=True)
class OpenEngine:
    """A client, and the tunnel that it uses, if any."""

    client: "DockerClient"
    tunnel: Tunnel | None

    @property
    def is_alive(self) -> bool:
        """Whether the tunnel is open; the engine behind it may be gone all the same."""
        return self.tunnel is None or self.tunnel.process.poll() is None

    def close(self) -> None:
        """Close both."""
        self.client.close()
        if self.tunnel:
            _end(self.tunnel.process)


class Engines(AbstractContextManager["Engines"]):
    """Clients of engines: each is opened on first use and shared by all threads."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._open_engines: dict[str, OpenEngine] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()

    def close(self) -> None:
        """Close all clients, end all ssh processes, remove the sockets; all may be opened again."""
        with self._lock:
            while self._open_engines:
                self._open_engines.popitem()[1].close()
            if self._folder:
                self._folder.cleanup()
                self._folder = None

    def client(self, host: Host) -> "DockerClient":
        """Return the client of an engine that answers; a NodeError has the reason why none does."""
        return self._engine(host).client

    def home(self, host: Host) -> str:
        """Return the home folder of the user on the host."""
        tunnel = self._engine(host).tunnel
        return tunnel.home if tunnel else str(Path.home())

    @contextmanager
    def api(self, host: Host) -> Iterator["APIClient"]:
        """Lend the client's plain API; errors of Docker and of the connection become NodeErrors."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        lost = (ConnectionError, TimeoutError, HTTPError)
        engine = self._engine(host)
        try:
            yield engine.client.api
        except (*lost, DockerException, RequestException) as error:
            raise NodeError(host_problem(host, _words(host, engine.tunnel, error))) from error

    def _engine(self, host: Host) -> OpenEngine:
        with self._lock:
            lock = self._locks[host.ssh_host]
        with lock:
            engine = self._open_engines.get(host.ssh_host)
            if engine is None or not engine.is_alive:
                if engine:
                    engine.close()
                engine = self._open_engines[host.ssh_host] = self._connect(host)
            return engine

    def _connect(self, host: Host) -> OpenEngine:
        tunnel = _tunnel(host, self._socket()) if host.ssh_host else None
        try:
            return OpenEngine(client=_client(host, tunnel), tunnel=tunnel)
        except BaseException:
            if tunnel:
                _end(tunnel.process)
            raise

    def _socket(self) -> Path:
        """Return a path for a socket, in a folder that only this user can enter."""
        with self._lock:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="engines-")
            self._count += 1
            return Path(self._folder.name, f"{self._count}.sock")


ENGINES = Engines()
"""The engines of this program."""


def _tunnel(host: Host, socket: Path) -> Tunnel:
    errors = socket.with_suffix(".log")
    try:
        with errors.open("wb") as log:
            # In a session of its own, Ctrl-C does not reach it: stopping services still needs it.
            process = subprocess.Popen(
                host.tunnel(str(socket), SOCKET, REMOTE),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                start_new_session=True,
            )
    except FileNotFoundError as error:
        raise NodeError(host_problem(host, str(error))) from None
    try:
        home = _home(process)
    except BaseException:
        _end(process)
        raise
    tunnel = Tunnel(process=process, socket=socket, errors=errors, home=home)
    if not home:
        _end(process)
        raise NodeError(host_problem(host, tunnel.error))
    return tunnel


def _home(process: "subprocess.Popen[str]") -> str:
    """Return the home folder that the remote side prints; nothing when ssh ends before."""
    timer = threading.Timer(OPEN_SECONDS, process.kill)
    timer.start()
    try:
        lines = (line for line in process.stdout or () if line.startswith(READY))
        return next(lines, "").removeprefix(READY).rstrip("\n")
    finally:
        timer.cancel()


def _client(host: Host, tunnel: Tunnel | None) -> "DockerClient":
    """Return a client that has agreed with the engine on a version of the API."""
    import docker

    try:
        if tunnel:
            return docker.DockerClient(base_url=f"unix://{tunnel.socket}")
        return docker.from_env()
    except docker.errors.DockerException as error:
        raise NodeError(host_problem(host, _words(host, tunnel, error))) from error


def _words(host: Host, tunnel: Tunnel | None, error: Exception) -> str:
    """Return the best explanation: by the engine, ssh, Docker's client, or the exception."""
    from docker.errors import APIError

    if isinstance(error, APIError):
        return str(error)
    if tunnel is None:
        return _complaint(host) or str(error)
    try:
        tunnel.process.wait(NOTICE_SECONDS)
    except subprocess.TimeoutExpired:
        return _complaint(host) or f"{tunnel.error}{error}"
    return tunnel.error or CLOSED


def _complaint(host: Host) -> str:
    """Return the error that the Docker client on the host itself prints; empty without one."""
    argv = host.ssh("docker version") if host.ssh_host else ("docker", "version")
    result = processes.run(argv, seconds=OPEN_SECONDS)
    return result.error if result.code else ""


def _end(process: "subprocess.Popen[str]") -> None:
    """End ssh, which ends at once; the remote `cat` ends with the connection."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
