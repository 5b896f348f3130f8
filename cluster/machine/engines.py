"""Opens the Docker SDK to the nodes' engines; remote ones through the user's own SSH client."""

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
from cluster.machine.ssh import SSH

if TYPE_CHECKING:
    from docker import APIClient, DockerClient

SOCKET = "/var/run/docker.sock"
OPEN_SECONDS = 30.0
"""For the whole handshake, which a slow authentication may take; the address answers in 10 s."""
END_SECONDS = 5.0
NOTICE_SECONDS = 0.5
"""From the end of a connection to the end of its process."""
ENDED = "Connection closed by remote host"
READY = "home of spark-vllm-cluster: "
# The first line tells that the connection stands; start-up files of a shell may print others
# before. Then `cat` lives as long as the pipe to it, which ends with this program in any case.
REMOTE = f"printf '%s\\n' \"{READY}$HOME\"; exec cat"


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """An ssh process that carries a socket of this machine to the engine of another."""

    process: "subprocess.Popen[str]"
    socket: Path
    errors: Path
    home: str

    @property
    def said(self) -> str:
        """What ssh has said; nothing when everything was closed meanwhile."""
        with suppress(FileNotFoundError):
            return self.errors.read_text(encoding="utf-8", errors="replace")
        return ""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A client, and what carries it."""

    client: "DockerClient"
    tunnel: Tunnel | None

    @property
    def alive(self) -> bool:
        """Tell whether the way is open; the engine may be gone all the same."""
        return self.tunnel is None or self.tunnel.process.poll() is None

    def close(self) -> None:
        """Close both."""
        self.client.close()
        if self.tunnel:
            _end(self.tunnel.process)


class Engines(AbstractContextManager["Engines"]):
    """Clients of engines, each opened when it is first asked for, shared by all threads."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._opened: dict[str, Opened] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self.close()

    def close(self) -> None:
        """Close all clients, end all ssh processes, remove the sockets; may be opened again."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1].close()
            if self._folder:
                self._folder.cleanup()
                self._folder = None

    def client(self, engine: Host) -> "DockerClient":
        """Return the client of an engine that answers, or raise NodeError with what is wrong."""
        return self._open(engine).client

    def home(self, engine: Host) -> str:
        """Return the home folder of the user on the engine's machine."""
        tunnel = self._open(engine).tunnel
        return tunnel.home if tunnel else str(Path.home())

    @contextmanager
    def asking(self, engine: Host) -> Iterator["APIClient"]:
        """Lend the client's plain API; what Docker or the connection raises becomes NodeError.

        That is an engine that ends or refuses, a broken connection; not an error of a file.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        lost = (ConnectionError, TimeoutError, HTTPError)
        opened = self._open(engine)
        try:
            yield opened.client.api
        except (*lost, DockerException, RequestException) as error:
            raise NodeError(host_problem(engine, _words(engine, opened.tunnel, error))) from error

    def _open(self, engine: Host) -> Opened:
        with self._lock:
            lock = self._locks[engine.ssh_host]
        with lock:
            opened = self._opened.get(engine.ssh_host)
            if opened is None or not opened.alive:
                if opened:
                    opened.close()
                opened = self._opened[engine.ssh_host] = self._connect(engine)
            return opened

    def _connect(self, engine: Host) -> Opened:
        tunnel = _tunnel(engine, self._path()) if engine.ssh_host else None
        try:
            return Opened(client=_client(engine, tunnel), tunnel=tunnel)
        except BaseException:
            if tunnel:
                _end(tunnel.process)
            raise

    def _path(self) -> Path:
        """Return a path for a socket, in a folder that only this user can enter."""
        with self._lock:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="engines-")
            self._count += 1
            return Path(self._folder.name, f"{self._count}.sock")


def _tunnel(engine: Host, socket: Path) -> Tunnel:
    errors = socket.with_suffix(".log")
    try:
        with errors.open("wb") as log:
            # In a session of its own, Ctrl-C does not reach it: what is stopped then needs it.
            process = subprocess.Popen(
                [*SSH, "-L", f"{socket}:{SOCKET}", "--", engine.ssh_host, REMOTE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                start_new_session=True,
            )
    except FileNotFoundError as error:
        raise NodeError(host_problem(engine, str(error))) from None
    try:
        home = _home(process)
    except BaseException:
        _end(process)
        raise
    tunnel = Tunnel(process=process, socket=socket, errors=errors, home=home)
    if not home:
        _end(process)
        raise NodeError(host_problem(engine, tunnel.said))
    return tunnel


def _home(process: "subprocess.Popen[str]") -> str:
    """Return the home folder as the other side tells it; nothing when ssh ends before."""
    timer = threading.Timer(OPEN_SECONDS, process.kill)
    timer.start()
    try:
        lines = (line for line in process.stdout or () if line.startswith(READY))
        return next(lines, "").removeprefix(READY).rstrip("\n")
    finally:
        timer.cancel()


def _client(engine: Host, tunnel: Tunnel | None) -> "DockerClient":
    """Return a client that has asked the engine which version of the API it speaks."""
    import docker

    try:
        if tunnel:
            return docker.DockerClient(base_url=f"unix://{tunnel.socket}")
        return docker.from_env()
    except docker.errors.DockerException as error:
        raise NodeError(host_problem(engine, _words(engine, tunnel, error))) from error


def _words(engine: Host, tunnel: Tunnel | None, error: Exception) -> str:
    """Return the words of who knows best: the engine, ssh, Docker's client, or the exception."""
    from docker.errors import APIError

    if isinstance(error, APIError):
        return str(error)
    if tunnel is None:
        return _complaint(engine) or str(error)
    try:
        tunnel.process.wait(NOTICE_SECONDS)
    except subprocess.TimeoutExpired:
        return _complaint(engine) or f"{tunnel.said}{error}"
    return tunnel.said or ENDED


def _complaint(engine: Host) -> str:
    """Return what the Docker client on the engine's own machine has to complain of."""
    far = (*SSH, "--", engine.ssh_host, "docker version")
    near = ("docker", "version")
    done = processes.run(far if engine.ssh_host else near, seconds=OPEN_SECONDS)
    return done.error if done.code else ""


def _end(process: "subprocess.Popen[str]") -> None:
    """End ssh, which does not hesitate; the other side's `cat` ends with the connection."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
