"""Containers of the nodes' engines: found, asked, started, ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cluster.containers import container
from cluster.containers.asks import create, run_inside, run_once
from cluster.containers.container import Found
from cluster.containers.files import archive, file, file_of_volume
from cluster.containers.inside import (
    SERVICE,
    ContainerHandle,
    ExecCommand,
    RunOnce,
    StartService,
    StopService,
)
from cluster.containers.steps import CheckContainers, ShareToken, StartContainer
from cluster.errors import NodeError
from cluster.machine.engines import Engines
from cluster.machine.processes import Alive, Completed, values

if TYPE_CHECKING:
    from docker import APIClient

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
START_SECONDS = 10.0
POLL_SECONDS = 0.02


def side_by_side(ask: Callable[[Asked], Answer], asked: Sequence[Asked]) -> list[Answer]:
    """Ask in threads; raise one NodeError with the problems of all."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(ask, each) for each in asked]
    errors = [error for future in futures if isinstance(error := future.exception(), NodeError)]
    if errors:
        raise NodeError(*(problem for error in errors for problem in error.problems))
    return [future.result() for future in futures]


class Containment:
    """What is done to containers, on whichever engine they are."""

    def __init__(self, engines: Engines) -> None:
        """Take the way to the engines."""
        self._engines = engines

    def find(self, trace: ContainerHandle, *, timed: bool = False) -> Alive | None:
        """Return a service that runs in a running container of ours.

        Since when a server runs is one more question to the node, asked for if it is `timed`.
        """
        with self._engines.asking(trace.engine) as api:
            seen = _inspected(api, trace.container)
            if seen is None or not seen["State"]["Running"] or not _of(trace, seen):
                return None
            return _ray(seen) if trace.service == "ray" else _server(api, seen, timed=timed)

    def ask(self, ask: ExecCommand | RunOnce) -> Completed:
        """Run a command in a container to its end; one that is not there gives code 125."""
        with self._engines.asking(ask.engine) as api:
            if isinstance(ask, ExecCommand):
                return run_inside(api, ask)
            return run_once(api, ask, self._engines.home(ask.engine))

    def started(self, trace: ContainerHandle) -> bool:
        """Tell whether a service was started and not taken down."""
        with self._engines.asking(trace.engine) as api:
            seen = _inspected(api, trace.container)
            if seen is None or not _of(trace, seen):
                return False
            return trace.service == "ray" or file(api, trace.container, trace.pid_file) is not None

    def exit_code(self, trace: ContainerHandle) -> int | None:
        """Return the code with which a container has ended."""
        with self._engines.asking(trace.engine) as api:
            seen = _inspected(api, trace.container)
            ended = seen is not None and not seen["State"]["Running"]
            return int(seen["State"]["ExitCode"]) if seen and ended else None

    def found(self, step: StartContainer) -> Found | None:
        """Compare the container that has the name with the one that should have it."""
        with self._engines.asking(step.trace.engine) as api:
            if (seen := _inspected(api, step.container.name)) is None:
                return None
            wanted = _inspected_image(api, step.container.image)
            labels = _labels(seen)
            known = container.Known(
                settings=labels.get(container.SETTINGS, "{}"),
                argv=tuple(seen["Config"]["Cmd"] or ()),
                environment=_variables(seen),
                inherited=_variables(api.inspect_image(seen["Image"])),
            )
            rebuilt = ("IMAGE",) if wanted and seen["Image"] != wanted["Id"] else ()
            changes = container.changes(step.container, known, values(step.container.environment))
            return Found(
                running=seen["State"]["Running"],
                owner=labels.get(container.OWNER, ""),
                changes=tuple(dict.fromkeys((*changes, *rebuilt))),
            )

    def all_found(self, step: CheckContainers) -> list[Found | None]:
        """Compare the containers of several nodes, side by side."""
        return side_by_side(self.found, step.starts)

    def secret(self, step: ShareToken) -> bytes | None:
        """Return the token that a running container of ours has."""
        if self.find(step.held) is None:
            return None
        with self._engines.asking(step.held.engine) as api:
            return file(api, step.held.container, step.there)

    def contain(self, step: StartContainer) -> None:
        """Create a container, put its files in, and start it; one that cannot start is removed."""
        with self._engines.asking(step.trace.engine) as api:
            created = create(api, step.container, self._engines.home(step.trace.engine))
            try:
                for path, there in step.files:
                    api.put_archive(created, "/", archive(Path(path), there))
                api.start(created)
                self._begun(api, step.trace, None)
            except BaseException:
                api.remove_container(created, force=True)
                raise

    def launch(self, step: StartService) -> None:
        """Start a service inside a running container."""
        trace = step.trace
        with self._engines.asking(trace.engine) as api:
            before = file(api, trace.container, trace.pid_file)
            made = api.exec_create(
                trace.container, list(step.argv), environment=values(step.environment)
            )
            api.exec_start(made["Id"], detach=True)
            self._begun(api, trace, before)

    def halt(self, step: StopService) -> None:
        """End a service inside a container."""
        trace = step.trace
        asked = ExecCommand(
            place=step.place, engine=trace.engine, container=trace.container, argv=step.argv
        )
        if self.ask(asked).code:
            self.ask(replace(asked, argv=step.kill))

    def discard(self, trace: ContainerHandle, seconds: float) -> bool:
        """Stop and remove a container of ours; tell whether there was one."""
        with self._engines.asking(trace.engine) as api:
            if (seen := _inspected(api, trace.container)) is None or not _of(trace, seen):
                return False
            if seen["State"]["Running"]:
                api.stop(trace.container, timeout=int(seconds))
            api.remove_container(trace.container, force=True)
            return True

    def log(self, trace: ContainerHandle) -> bytes | None:
        """Return the log of a service; None when it never wrote one."""
        with self._engines.asking(trace.engine) as api:
            if _inspected(api, trace.container) is not None:
                return file(api, trace.container, trace.log)
            return file_of_volume(api, trace.volume, trace.image, trace.log)

    def stream(self, trace: ContainerHandle, script: str) -> Iterator[bytes]:
        """Yield what a shell script with the service's log as `$0` prints, until it ends."""
        from docker.utils.socket import frames_iter

        with self._engines.asking(trace.engine) as api:
            argv = ["bash", "-c", script, trace.log]
            made = api.exec_create(trace.container, argv, stdin=True, stderr=False)
            socket = api.exec_start(made["Id"], socket=True)
            for _, content in frames_iter(socket, tty=False):
                yield content

    def _begun(self, api: "APIClient", trace: ContainerHandle, before: bytes | None) -> None:
        """Wait until a service has put its old log aside and written its number."""
        until = time.monotonic() + START_SECONDS
        while file(api, trace.container, trace.pid_file) in {None, before}:
            if time.monotonic() > until or _inspected(api, trace.container) is None:
                return
            time.sleep(POLL_SECONDS)


def _inspected(api: "APIClient", name: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        seen: dict[str, Any] = api.inspect_container(name)
    except NotFound:
        return None
    return seen


def _inspected_image(api: "APIClient", name: str) -> dict[str, Any] | None:
    from docker.errors import ImageNotFound

    try:
        found: dict[str, Any] = api.inspect_image(name)
    except ImageNotFound:
        return None
    return found


def _variables(inspected: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in inspected["Config"]["Env"] or ())


def _labels(seen: dict[str, Any]) -> dict[str, str]:
    return seen["Config"]["Labels"] or {}


def _of(trace: ContainerHandle, seen: dict[str, Any]) -> bool:
    """Tell whether a container was made for the cluster that asks."""
    return _labels(seen).get(container.OWNER) == trace.cluster


def _ray(seen: dict[str, Any]) -> Alive:
    digest = _labels(seen).get(container.SPEC, "")
    return Alive(argv=tuple(seen["Config"]["Cmd"]), digest=digest, since=_moment(seen))


def _server(api: "APIClient", seen: dict[str, Any], *, timed: bool) -> Alive | None:
    """Return the newest server among the commands that run in a container."""
    for found in (api.exec_inspect(one) for one in reversed(seen["ExecIDs"] or ())):
        entry, words = found["ProcessConfig"]["entrypoint"], found["ProcessConfig"]["arguments"]
        if found["Running"] and entry == SERVICE and words[0] == "serve":
            since = _age(api, seen["Id"], found["Pid"]) if timed else 0.0
            return Alive(argv=tuple(words[2:]), digest=words[1], since=since)
    return None


def _moment(seen: dict[str, Any]) -> float:
    """Return when a container was started, from the engine's RFC 3339 with nanoseconds, in UTC."""
    return datetime.fromisoformat(f"{seen['State']['StartedAt'][:19]}+00:00").timestamp()


def _age(api: "APIClient", name: str, pid: int) -> float:
    """Return when a process of a container was started; `top` counts the seconds since."""
    rows = api.top(name, ps_args="-o pid,etimes")["Processes"]
    return time.time() - next((float(age) for number, age in rows if int(number) == pid), 0.0)
