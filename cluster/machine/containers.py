"""Calls to the engine of a host: containers, their files, and commands inside them.

Every function takes the host first; a NodeError says that its engine cannot be reached or failed.
"""

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.host import Host
from cluster.machine.engines import ENGINES
from cluster.machine.processes import NO_FILE, Completed

ABSENT = (404, 409)
"""HTTP statuses of the Engine API: no such container, and one that is not running."""
START_SECONDS = 10.0
"""How long a service may take to write its pid file."""
POLL_SECONDS = 0.02
Body = dict[str, Any]
"""JSON of the Engine API."""


def inspect(host: Host, name: str) -> Body | None:
    """Return the engine's description of a container; None when there is none of that name."""
    from docker.errors import NotFound

    with ENGINES.api(host) as api:
        try:
            description: Body = api.inspect_container(name)
        except NotFound:
            return None
        return description


def inspect_image(host: Host, name: str) -> Body | None:
    """Return the engine's description of an image; None when there is none of that name."""
    from docker.errors import ImageNotFound

    with ENGINES.api(host) as api:
        try:
            description: Body = api.inspect_image(name)
        except ImageNotFound:
            return None
        return description


def commands(host: Host, ids: tuple[str, ...]) -> Iterator[Body]:
    """Yield the engine's descriptions of commands that were started inside a container."""
    with ENGINES.api(host) as api:
        for number in ids:
            yield api.exec_inspect(number)


def run_inside(
    host: Host, name: str, argv: tuple[str, ...], variables: Mapping[str, str]
) -> Completed:
    """Run a command in a running container to its end; without the container, code 125."""
    from docker.errors import APIError

    with ENGINES.api(host) as api:
        try:
            command = api.exec_create(name, list(argv), environment=dict(variables))["Id"]
        except APIError as error:
            if error.status_code in ABSENT:
                return Completed(code=NO_FILE, output="", error=f"{name} is not running")
            raise
        output, errors = api.exec_start(command, demux=True)
        code = api.exec_inspect(command)["ExitCode"]
        return Completed(code=code, output=_text(output), error=_text(errors))


def start_inside(
    host: Host, name: str, argv: tuple[str, ...], variables: Mapping[str, str], pid_file: str
) -> None:
    """Start a command in a running container, leave it running, and wait for its pid file."""
    before = read_file(host, name, pid_file)
    with ENGINES.api(host) as api:
        command = api.exec_create(name, list(argv), environment=dict(variables))["Id"]
        api.exec_start(command, detach=True)
    _await_file(host, name, pid_file, before)


def run_once(host: Host, body: Body) -> Completed:
    """Run a container to its end and remove it; if it cannot start, its output is the reason."""
    from docker.errors import APIError

    with ENGINES.api(host) as api:
        created = ""
        try:
            created = api.create_container_from_config(body)["Id"]
            api.start(created)
            code = api.wait(created)["StatusCode"]
            output, errors = api.logs(created, stderr=False), api.logs(created, stdout=False)
        except APIError as error:
            return Completed(code=NO_FILE, output=str(error.explanation), error="")
        finally:
            if created:
                api.remove_container(created, force=True)
        return Completed(code=code, output=_text(output), error=_text(errors))


def start(host: Host, body: Body, name: str, files: Mapping[str, str], pid_file: str) -> None:
    """Create a container, put files of this machine in, start it, and wait for its pid file.

    A container that cannot be started is removed. `files` maps a path in the container, where root
    alone can read it, to a path of this machine.
    """
    with ENGINES.api(host) as api:
        created = api.create_container_from_config(body, name)["Id"]
        try:
            for target, source in files.items():
                api.put_archive(created, "/", archive(Path(source), target))
            api.start(created)
            _await_file(host, created, pid_file, None)
        except BaseException:
            api.remove_container(created, force=True)
            raise


def remove(host: Host, name: str, stop_seconds: float | None) -> None:
    """Remove a container; a running one is asked to stop first, and killed after `stop_seconds`."""
    with ENGINES.api(host) as api:
        if stop_seconds is not None:
            api.stop(name, timeout=int(stop_seconds))
        api.remove_container(name, force=True)


def read_file(host: Host, name: str, path: str) -> bytes | None:
    """Return a file of a container, running or not; None when it does not exist."""
    from docker.errors import NotFound

    with ENGINES.api(host) as api:
        try:
            chunks, _ = api.get_archive(name, path)
        except NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            member = tar.extractfile(tar.getmembers()[0])
            return member.read() if member else b""


def read_volume_file(host: Host, volume: str, image: str, path: str) -> bytes | None:
    """Return a file of a volume that outlived its container; None without volume, image or file.

    `path` is the file's path in containers. A container that is never started gives access.
    """
    from docker.errors import APIError

    binds = [f"{volume}:{path.rpartition('/')[0]}"]
    with ENGINES.api(host) as api:
        try:
            api.inspect_volume(volume)  # mounting would create it
            host_config = api.create_host_config(binds=binds)
            created = api.create_container(image, host_config=host_config)["Id"]
        except APIError:
            return None
        try:
            return read_file(host, created, path)
        finally:
            api.remove_container(created, force=True)


def process_start(host: Host, container: str, pid: int) -> float:
    """Return when a process of a container was started, in seconds since 1970."""
    with ENGINES.api(host) as api:
        rows = api.top(container, ps_args="-o pid,etimes")["Processes"]
    return time.time() - next((float(age) for number, age in rows if int(number) == pid), 0.0)


class Stream:
    """The output of a command inside a container, collected in the background as it comes."""

    def __init__(self, host: Host, name: str, argv: tuple[str, ...]) -> None:
        """Start the command; its standard input stays open as long as this program lives."""
        self._lock = threading.Lock()
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, args=(host, name, argv), daemon=True)
        self._thread.start()

    def take_lines(self) -> bytes:
        """Return the whole lines since the last call."""
        with self._lock:
            end = self._content.rfind(b"\n") + 1
            content = bytes(self._content[:end])
            del self._content[:end]
        return content

    def clear(self) -> None:
        """Discard the lines so far."""
        with self._lock:
            self._content.clear()

    def _read(self, host: Host, name: str, argv: tuple[str, ...]) -> None:
        from docker.utils.socket import frames_iter

        # Whatever ends the stream, who reads the whole file later misses nothing.
        with suppress(Exception), ENGINES.api(host) as api:
            command = api.exec_create(name, list(argv), stdin=True, stderr=False)
            socket = api.exec_start(command["Id"], socket=True)
            for _, chunk in frames_iter(socket, tty=False):
                with self._lock:
                    self._content += chunk


def archive(source: Path, target: str) -> bytes:
    """Return a tar archive with one file, and its folder, that root alone can read."""
    content, packed = source.read_bytes(), io.BytesIO()
    folder = tarfile.TarInfo(str(Path(target).parent).lstrip("/"))
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    file = tarfile.TarInfo(target.lstrip("/"))
    file.size, file.mode, file.mtime = len(content), 0o600, time.time()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(folder)
        tar.addfile(file, io.BytesIO(content))
    return packed.getvalue()


def _await_file(host: Host, name: str, path: str, before: bytes | None) -> None:
    """Wait until a file in a container differs from `before`, at most 10 s."""
    deadline = time.monotonic() + START_SECONDS
    while read_file(host, name, path) in {None, before}:
        if time.monotonic() > deadline or inspect(host, name) is None:
            return
        time.sleep(POLL_SECONDS)


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", errors="replace")
