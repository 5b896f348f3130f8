"""Steps on containers, commands inside them, and how services in them are found again."""

from dataclasses import dataclass
from typing import ClassVar

from cluster.commands.run_spec import RunSpec
from cluster.containers.container import Container, create_options, variable_options
from cluster.host import Host
from cluster.plan.steps import AttachedCommand, Await
from cluster.words import Environment, shell_line, shell_parts, shell_secret, shell_word

SERVICE = "run-service"
"""Runs a program of the container with a log and a pid file (docker/run-service)."""
WHILE_ALIVE = 'while kill -s 0 "$1" 2>/dev/null; do sleep 0.1; done'
KILL = 'kill -s KILL -- "-$(cat "$0")"; rm -f "$0"'
END = f'set -- "$(cat "$0")"; kill -s TERM "$1"; {WHILE_ALIVE}; rm -f "$0"'


@dataclass(frozen=True, kw_only=True)
class ContainerHandle:
    """How a service of a container is found again."""

    place: str
    service: str
    cluster: str
    """The cluster's name: another cluster may have a container of the same name on the machine."""
    host: Host
    container: str
    image: str
    pid_file: str
    """The file with the service's process number, inside the container."""
    log: str
    """Its output, inside the container: on a volume that outlives it."""
    volume: str
    """The volume of the logs."""


@dataclass(frozen=True, kw_only=True)
class ContainerStep:
    """A step on a container, or on a service in it."""

    title: str
    handle: ContainerHandle

    @property
    def place(self) -> str:
        """The name of the node."""
        return self.handle.place

    def docker(self, *words: str) -> str:
        """Return the shell line of a Docker command for the node's engine."""
        return shell_line(self.handle.host.docker(*words))


@dataclass(frozen=True, kw_only=True)
class ExecCommand:
    """Run a command inside a container to its end."""

    place: str
    host: Host
    container: str
    argv: tuple[str, ...]
    environment: Environment = ()
    """Variables beside the container's own."""

    def attached(self, *, terminal: bool) -> AttachedCommand:
        """Return the command that has this program's input and output, and its terminal.

        For another machine the Docker client runs there: SSH carries a terminal, a socket does not.
        """
        options = ("--interactive", *(("--tty",) if terminal else ()))
        argv = ("docker", "exec", *options, self.container, *self.argv)
        return AttachedCommand(place=self.place, argv=self.host.session(argv, terminal=terminal))

    @property
    def text(self) -> str:
        """The shell line."""
        front = self.host.docker("exec", *_variables(self.environment), self.container)
        return shell_parts(self.environment, ((*front, *self.argv),))


@dataclass(frozen=True, kw_only=True)
class RunOnce:
    """Run a command in a container of its own, which is then removed."""

    place: str
    host: Host
    container: Container

    @property
    def text(self) -> str:
        """The shell line."""
        front = self.host.docker("run", "--rm")
        end = (self.container.image, *self.container.argv)
        parts = (front, *create_options(self.container, self.host.ssh_host), end)
        return shell_parts(self.container.environment, parts)


@dataclass(frozen=True, kw_only=True)
class ShareToken:
    """Copy Ray's token from a container that has it, unless the file exists; else generate one."""

    title: ClassVar[str] = "Generate a secret, unless it exists"
    path: str
    holder: ContainerHandle
    """The service that knows the token: another machine may have started it."""
    container_path: str

    @property
    def place(self) -> str:
        """The node of the service."""
        return self.holder.place

    @property
    def text(self) -> str:
        """The shell lines."""
        path = shell_word(self.path)
        source = f"{self.holder.container}:{self.container_path}"
        copy = shell_line(self.holder.host.docker("cp", source, self.path))
        return f"test -s {path} ||\n  {copy} 2>/dev/null ||\n  {shell_secret(self.path)}"


@dataclass(frozen=True, kw_only=True)
class StartContainer(ContainerStep):
    """Start a run spec as a container; an equal one that is running already is left alone."""

    spec: RunSpec
    container: Container
    files: tuple[tuple[str, str], ...]
    """Files of this machine, each with its path in the container, where root alone can read it."""
    recreate: bool
    """Whether a container with other settings is replaced."""
    proof: Await | None = None
    """Asked of a running container: if there is a problem, it is started again."""

    @property
    def text(self) -> str:
        """The shell lines."""
        host, name = self.handle.host, self.container.name
        options = create_options(self.container, host.ssh_host)
        command = (self.container.image, *self.container.argv)
        parts = (host.docker("create"), *options, command)
        copies = (self.docker("cp", path, f"{name}:{target}") for path, target in self.files)
        create = shell_parts(self.container.environment, parts)
        return "\n".join((create, *copies, self.docker("start", name)))


@dataclass(frozen=True, kw_only=True)
class CheckContainers:
    """Check that no container blocks the ones to be started."""

    title: ClassVar[str] = "Check that no other container is in the way"
    place: ClassVar[str] = "all nodes"
    starts: tuple[StartContainer, ...]

    @property
    def text(self) -> str:
        """The shell lines: each prints the container that has the name."""
        filters = ((step, f"name=^{step.container.name}$") for step in self.starts)
        return "\n".join(step.docker("ps", "--all", "--filter", name) for step, name in filters)


@dataclass(frozen=True, kw_only=True)
class RemoveContainer(ContainerStep):
    """Stop a container, killing it after `seconds`, and remove it; its volumes stay."""

    seconds: float

    @property
    def text(self) -> str:
        """The shell lines."""
        name = self.handle.container
        stop = self.docker("stop", "--time", f"{self.seconds:g}", name)
        return f"{stop}\n{self.docker('rm', name)}"


@dataclass(frozen=True, kw_only=True)
class StartService(ContainerStep):
    """Start a run spec inside a running container; an equal one that is running is left alone."""

    spec: RunSpec
    argv: tuple[str, ...]
    """The spec's own argv, run as a service of the container."""
    environment: Environment
    """Variables beside the container's own."""

    @property
    def text(self) -> str:
        """The shell line."""
        options = ("--detach", *_variables(self.environment), self.handle.container)
        front = self.handle.host.docker("exec", *options)
        return shell_parts(self.environment, ((*front, *self.argv),))


@dataclass(frozen=True, kw_only=True)
class StopService(ContainerStep):
    """Ask a service inside a container to end, and wait for it at most `seconds`."""

    seconds: float

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that asks it to end and waits, inside the container."""
        return ("timeout", f"{self.seconds:g}", "sh", "-c", END, self.handle.pid_file)

    @property
    def kill(self) -> tuple[str, ...]:
        """The command that kills it with all that it has started, inside the container."""
        return ("sh", "-c", KILL, self.handle.pid_file)

    @property
    def text(self) -> str:
        """The shell lines."""
        name = self.handle.container
        end, kill = (self.docker("exec", name, *argv) for argv in (self.argv, self.kill))
        return f"{end} ||\n  {kill}"


def _variables(environment: Environment) -> tuple[str, ...]:
    return tuple(word for option in variable_options(environment) for word in option)
