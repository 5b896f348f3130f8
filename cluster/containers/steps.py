"""Steps on containers: their shell text for `--dry`, and what is performed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cluster.commands.run_spec import RunSpec
from cluster.containers.container import Container, options
from cluster.containers.inside import ContainerHandle
from cluster.host import Host
from cluster.words import shell_line, shell_parts, shell_secret, shell_word

if TYPE_CHECKING:
    from cluster.plan.steps import Await


if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class ShareToken:
    """Take Ray's token from a container that has it, unless the file is there; else make one."""

    title: ClassVar[str] = "Make a secret, unless it is there"
    path: str
    held: ContainerHandle
    """The service that knows it: another machine may have started it."""
    there: str
    """Its path in the container."""

    @property
    def place(self) -> str:
        """The node of the service."""
        return self.held.place

    @property
    def text(self) -> str:
        """The shell lines."""
        path = shell_word(self.path)
        source = f"{self.held.container}:{self.there}"
        take = shell_line(self.held.engine.docker("cp", source, self.path))
        return f"test -s {path} ||\n  {take} 2>/dev/null ||\n  {shell_secret(self.path)}"


@dataclass(frozen=True, kw_only=True)
class CheckNodes:
    """Ask the machines of nodes what would keep a cluster from working."""

    title: ClassVar[str] = "Check that nothing keeps the cluster from working"
    place: ClassVar[str] = "all nodes"
    command: str
    """What does the same by hand."""
    engines: tuple[Host, ...]
    """Of the nodes, the head's first."""
    unless: tuple[ContainerHandle, ...]
    """Nothing is asked while all of these run."""

    @property
    def text(self) -> str:
        """The shell line."""
        return self.command


@dataclass(frozen=True, kw_only=True)
class StartContainer:
    """Start a run spec as a container; the same one that runs already is left alone."""

    title: str
    spec: RunSpec
    container: Container
    trace: ContainerHandle
    files: tuple[tuple[str, str], ...]
    """Files of this machine, each with its path in the container, where root alone reads it."""
    recreate: bool
    """Whether a container with other settings is replaced."""
    proof: "Await | None" = None
    """Asked of a container that runs already: with a problem it is started anew."""

    @property
    def place(self) -> str:
        """The node of the spec."""
        return self.spec.node

    @property
    def text(self) -> str:
        """The shell lines."""
        engine, name = self.trace.engine, self.container.name
        parts = options(self.container, engine.ssh_host)
        end = (self.container.image, *self.container.argv)
        create = shell_parts(self.container.environment, (engine.docker("create"), *parts, end))
        copies = (engine.docker("cp", path, f"{name}:{there}") for path, there in self.files)
        lines = (*copies, engine.docker("start", name))
        return "\n".join((create, *(shell_line(line) for line in lines)))


@dataclass(frozen=True, kw_only=True)
class CheckContainers:
    """Check that no container is in the way of those that are to be started."""

    title: ClassVar[str] = "Check that no other container is in the way"
    place: ClassVar[str] = "all nodes"
    starts: tuple[StartContainer, ...]

    @property
    def text(self) -> str:
        """The shell lines: each prints what has the name."""
        asked = ("ps", "--all", "--filter")
        return "\n".join(
            shell_line(step.trace.engine.docker(*asked, f"name=^{step.container.name}$"))
            for step in self.starts
        )


@dataclass(frozen=True, kw_only=True)
class RemoveContainer:
    """Stop a container, killing it after `seconds`, and remove it; its volumes stay."""

    title: str
    trace: ContainerHandle
    seconds: float

    @property
    def place(self) -> str:
        """The node of the container."""
        return self.trace.place

    @property
    def text(self) -> str:
        """The shell lines."""
        engine, name = self.trace.engine, self.trace.container
        stop = engine.docker("stop", "--time", f"{self.seconds:g}", name)
        return f"{shell_line(stop)}\n{shell_line(engine.docker('rm', name))}"
