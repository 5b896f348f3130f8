"""Performs the steps on containers, and finds, asks and reads the services in them."""

from cluster.containers import comparison
from cluster.containers.comparison import (
    Comparison,
    ContainerState,
    ImageState,
    container_state,
    image_variables,
)
from cluster.containers.container import Container, Resolved, body
from cluster.containers.runtime import Containers
from cluster.containers.steps import (
    SERVICE,
    CheckContainers,
    ContainerHandle,
    ExecCommand,
    RemoveContainer,
    RunOnce,
    ShareToken,
    StartContainer,
    StartService,
    StopService,
)
from cluster.errors import RefusedError
from cluster.host import Host
from cluster.machine import containers, files
from cluster.machine.engines import ENGINES
from cluster.machine.parallel import side_by_side
from cluster.machine.processes import Completed, values
from cluster.machine.terminal import Report
from cluster.plan import services
from cluster.plan.perform import ClusterPerformer, Performer, perform
from cluster.plan.services import Log, RunningService

OBSOLETE_SECONDS = 5.0
"""Time to stop an obsolete container."""
FOLLOW = 'tail -c +{first} -F "$0" 2>/dev/null & read -r; kill "$!"'
"""Ends with its standard input, that is, with this program, however that ends."""


@perform.register
def _(step: CheckContainers, performer: ClusterPerformer) -> None:
    """Report the obstacles of all nodes at once."""
    with performer.report.step(step.place, step.title):
        comparisons = side_by_side(_compared, step.starts)
    problems = (
        comparison.obstacle(performer.cluster, start.place, actual, recreate=start.recreate)
        for start, actual in zip(step.starts, comparisons, strict=True)
    )
    if obstacles := tuple(problem for problem in problems if problem):
        raise RefusedError(*obstacles)


@perform.register
def _(step: StartContainer, performer: ClusterPerformer) -> None:
    """Start a container in place of an obsolete one."""
    actual = _compared(step)
    if actual and actual.running and not actual.changes and performer.passes(step.proof):
        performer.note_running(step)
        return
    obstacle = comparison.obstacle(performer.cluster, step.place, actual, recreate=step.recreate)
    if obstacle:
        raise RefusedError(obstacle)
    with performer.report.step(step.place, step.title):
        if actual:
            _remove(step.handle, OBSOLETE_SECONDS)
        containers.start(
            step.handle.host,
            _body(step.container, step.handle.host),
            step.container.name,
            {target: source for source, target in step.files},
            step.handle.pid_file,
        )


@perform.register
def _(step: StartService, performer: ClusterPerformer) -> None:
    if performer.is_running(step):
        return
    host, container, pid_file = step.handle.host, step.handle.container, step.handle.pid_file
    with performer.report.step(step.place, step.title):
        variables = values(step.environment)
        containers.start_inside(host, container, step.argv, variables, pid_file)


@perform.register
def _(step: ShareToken, _performer: Performer) -> None:
    holder = step.holder
    if not files.exists(step.path) and services.find(holder):
        token = containers.read_file(holder.host, holder.container, step.container_path)
        if token:
            files.keep_secret(step.path, token)
    files.ensure_secret(step.path)


@perform.register
def _(step: StopService, performer: Performer) -> None:
    host, container = step.handle.host, step.handle.container
    if services.find(step.handle):
        with performer.report.step(step.place, step.title):
            if containers.run_inside(host, container, step.argv, {}).code:
                containers.run_inside(host, container, step.kill, {})


@perform.register
def _(step: RemoveContainer, performer: Performer) -> None:
    if services.was_started(step.handle):
        with performer.report.step(step.place, step.title):
            _remove(step.handle, step.seconds)


@services.find.register
def _(handle: ContainerHandle, *, timed: bool = False) -> RunningService | None:
    state = _own_state(handle)
    if state is None or not state.running:
        return None
    if handle.service == "ray":
        return RunningService(argv=state.argv, digest=state.digest, since=state.started)
    return _server(handle, state, timed=timed)


@services.was_started.register
def _(handle: ContainerHandle) -> bool:
    if _own_state(handle) is None:
        return False
    pid_file = handle.pid_file
    return (
        handle.service == "ray"
        or containers.read_file(handle.host, handle.container, pid_file) is not None
    )


@services.exit_code.register
def _(handle: ContainerHandle) -> int | None:
    state = _state(handle)
    return state.exit_code if state and not state.running else None


@services.ask.register
def _(query: ExecCommand, seconds: float | None = None) -> Completed:
    # A process of another machine cannot be ended from here; coreutils' timeout ends it there.
    limit = ("timeout", f"{seconds:g}") if seconds else ()
    argv, variables = (*limit, *query.argv), values(query.environment)
    return containers.run_inside(query.host, query.container, argv, variables)


@services.ask.register
def _(query: RunOnce, seconds: float | None = None) -> Completed:
    del seconds  # what runs in such a container is short
    return containers.run_once(query.host, _body(query.container, query.host))


@services.log.register
def _(handle: ContainerHandle) -> Log:
    return ContainerLog(handle)


class ContainerLog:
    """The log of a service in a container: read whole at first and at the end, else streamed."""

    def __init__(self, handle: ContainerHandle) -> None:
        """Begin at the top."""
        self._handle = handle
        self._read = 0
        self._stream: containers.Stream | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a log: it outlives its container."""
        return self._whole() is not None

    def new_lines(self) -> list[str]:
        """Return the whole lines that are new since the last call; none when there is no log."""
        if self._stream is None:
            content = self._unread()
            content = content[: content.rfind(b"\n") + 1]
            argv = ("bash", "-c", FOLLOW.format(first=self._read + len(content) + 1))
            handle = self._handle
            self._stream = containers.Stream(handle.host, handle.container, (*argv, handle.log))
            return self._lines(content)
        return self._lines(self._stream.take_lines())

    def remaining_lines(self) -> list[str]:
        """Return all lines that are new, an unfinished last line included."""
        unread = self._unread()
        if self._stream:
            self._stream.clear()
        return self._lines(unread)

    def _unread(self) -> bytes:
        return (self._whole() or b"")[self._read :]

    def _whole(self) -> bytes | None:
        handle = self._handle
        if _state(handle) is not None:
            return containers.read_file(handle.host, handle.container, handle.log)
        return containers.read_volume_file(handle.host, handle.volume, handle.image, handle.log)

    def _lines(self, content: bytes) -> list[str]:
        self._read += len(content)
        return content.decode("utf-8", errors="replace").splitlines()


@services.equip.register
def _(_runtime: Containers, _report: Report) -> None:
    """Install nothing: containers only need Docker."""


def _compared(step: StartContainer) -> Comparison | None:
    """Compare the container that has the name with the one that should have it."""
    state = _state(step.handle)
    if state is None:
        return None
    host = step.handle.host
    current = containers.inspect_image(host, step.container.image)
    original = containers.inspect_image(host, state.image_id)
    image = ImageState(
        inherited=image_variables(original) if original else {},
        current_id=current["Id"] if current else "",
    )
    variables = values(step.container.environment)
    changes = comparison.changes(step.container, state, image, variables)
    return Comparison(running=state.running, owner=state.owner, changes=changes)


def _state(handle: ContainerHandle) -> ContainerState | None:
    description = containers.inspect(handle.host, handle.container)
    return container_state(description) if description else None


def _own_state(handle: ContainerHandle) -> ContainerState | None:
    """Return the state of a container that was made for the cluster that asks."""
    state = _state(handle)
    return state if state and state.owner == handle.cluster else None


def _remove(handle: ContainerHandle, seconds: float) -> None:
    """Stop and remove a container of this cluster."""
    if state := _own_state(handle):
        containers.remove(handle.host, handle.container, seconds if state.running else None)


def _server(
    handle: ContainerHandle, state: ContainerState, *, timed: bool
) -> RunningService | None:
    """Return the newest server among the commands that run in a container."""
    for command in containers.commands(handle.host, tuple(reversed(state.commands))):
        config = command["ProcessConfig"]
        words = config["arguments"]
        if command["Running"] and config["entrypoint"] == SERVICE and words[0] == "serve":
            since = 0.0
            if timed:
                since = containers.process_start(handle.host, state.id, command["Pid"])
            return RunningService(argv=tuple(words[2:]), digest=words[1], since=since)
    return None


def _body(container: Container, host: Host) -> dict[str, object]:
    """Return the API's form of a container with the values that only its host knows."""
    resolved = Resolved(variables=values(container.environment), home=ENGINES.home(host))
    return body(container, resolved)
