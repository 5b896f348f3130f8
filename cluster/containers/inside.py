"""Steps inside containers: commands that end, services that go on, and how these are found."""

from dataclasses import dataclass

from cluster.commands.run_spec import RunSpec
from cluster.containers.container import Container, options, variables
from cluster.host import Host
from cluster.words import Environment, shell_line, shell_parts

SERVICE = "run-service"
"""Runs a program of the container with a log and a pid file (docker/run-service)."""
WHILE_IT_LIVES = 'while kill -s 0 "$1" 2>/dev/null; do sleep 0.1; done'
KILL = 'kill -s KILL -- "-$(cat "$0")"; rm -f "$0"'
END = f'set -- "$(cat "$0")"; kill -s TERM "$1"; {WHILE_IT_LIVES}; rm -f "$0"'


@dataclass(frozen=True, kw_only=True)
class ContainerHandle:
    """How a service of a container is found again."""

    place: str
    service: str
    cluster: str
    """The cluster's name: others may have a container of the same name on the machine."""
    engine: Host
    container: str
    image: str
    pid_file: str
    """Where the service's process number is, inside the container."""
    log: str
    """Its output, inside the container: on a volume that outlives it."""
    volume: str
    """The volume of the logs."""


@dataclass(frozen=True, kw_only=True)
class ExecCommand:
    """Run a command inside a container to its end."""

    place: str
    engine: Host
    container: str
    argv: tuple[str, ...]
    environment: Environment = ()
    """What the command has besides the container's own."""

    def attached(self, *, terminal: bool) -> tuple[str, ...]:
        """Return the command that has the input and output of who runs it.

        On another machine its client runs there: SSH carries a terminal, the socket does not.
        """
        options = ("--interactive", *(("--tty",) if terminal else ()))
        argv = ("docker", "exec", *options, self.container, *self.argv)
        if not self.engine.ssh_host:
            return argv
        return ("ssh", *(("-t",) if terminal else ()), self.engine.ssh_host, shell_line(argv))

    @property
    def text(self) -> str:
        """The shell line."""
        front = self.engine.docker("exec", *_variables(self.environment), self.container)
        return shell_parts(self.environment, ((*front, *self.argv),))


@dataclass(frozen=True, kw_only=True)
class RunOnce:
    """Run a command in a container of its own, which is then removed."""

    place: str
    engine: Host
    container: Container

    @property
    def text(self) -> str:
        """The shell line."""
        front = self.engine.docker("run", "--rm")
        end = (self.container.image, *self.container.argv)
        parts = (front, *options(self.container, self.engine.ssh_host), end)
        return shell_parts(self.container.environment, parts)


@dataclass(frozen=True, kw_only=True)
class StartService:
    """Start a run spec inside a running container; the same one that runs is left alone."""

    title: str
    spec: RunSpec
    argv: tuple[str, ...]
    """The spec's own argv, run as a service of the container."""
    environment: Environment
    """What the service has besides the container's own."""
    trace: ContainerHandle

    @property
    def place(self) -> str:
        """The node of the spec."""
        return self.spec.node

    @property
    def text(self) -> str:
        """The shell line."""
        options = ("--detach", *_variables(self.environment), self.trace.container)
        front = self.trace.engine.docker("exec", *options)
        return shell_parts(self.environment, ((*front, *self.argv),))


@dataclass(frozen=True, kw_only=True)
class StopService:
    """Ask a service inside a container to end, and wait for it at most `seconds`."""

    title: str
    trace: ContainerHandle
    seconds: float

    @property
    def place(self) -> str:
        """The node of the service."""
        return self.trace.place

    @property
    def argv(self) -> tuple[str, ...]:
        """What asks it to end and waits, inside the container."""
        return ("timeout", f"{self.seconds:g}", "sh", "-c", END, self.trace.pid_file)

    @property
    def kill(self) -> tuple[str, ...]:
        """What makes it end with all that it has started, inside the container."""
        return ("sh", "-c", KILL, self.trace.pid_file)

    @property
    def text(self) -> str:
        """The shell lines."""
        engine, name = self.trace.engine, self.trace.container
        ask, kill = (engine.docker("exec", name, *argv) for argv in (self.argv, self.kill))
        return f"{shell_line(ask)} ||\n  {shell_line(kill)}"


def _variables(environment: Environment) -> tuple[str, ...]:
    return tuple(word for option in variables(environment) for word in option)
