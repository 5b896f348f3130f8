"""Steps of a plan: values with the shell text that `--dry` prints; a room's `perform` module acts.

Here are the steps that every runtime and subject shares. A runtime adds its own, in its own room.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from cluster.commands.run_spec import RunSpec
from cluster.errors import Problem
from cluster.words import Environment, Word, shell_command, shell_line, shell_secret, shell_word


class Step(Protocol):
    """One action of a plan."""

    @property
    def place(self) -> str:
        """A node's name, or another subject of the action."""

    @property
    def title(self) -> str:
        """What it does, as an imperative: `Start Ray (head)`."""

    @property
    def text(self) -> str:
        """The shell lines that do the same."""


@dataclass(frozen=True, kw_only=True)
class ShellStep:
    """A step that is only printed: this program reaches the same result in its own way."""

    place: str
    title: str
    text: str = ""


class Handle(Protocol):
    """How a service on a node is found again: by its process, or in its container."""

    @property
    def place(self) -> str:
        """The node's name."""

    @property
    def service(self) -> str:
        """`ray` or `serve`."""


class Query(Protocol):
    """A command that runs on a node to its end and whose output is the answer."""

    @property
    def place(self) -> str:
        """The node's name."""

    @property
    def text(self) -> str:
        """The shell line that does the same."""


@dataclass(frozen=True, kw_only=True)
class AttachedCommand:
    """A query whose command takes over the input and output of this program: it has no output."""

    place: str
    argv: tuple[Word, ...]
    environment: Environment = ()
    """Its whole environment; without one it has this program's."""

    @property
    def text(self) -> str:
        """The shell line."""
        return shell_command(self.environment, self.argv)


class InsideQuery(Query, Protocol):
    """A query that runs beside a node's Ray, with the node's environment."""

    def attached(self, *, terminal: bool) -> AttachedCommand:
        """Return the command that has this program's input and output, and its terminal."""


class Start(Step, Protocol):
    """A step that starts a run spec as a service."""

    @property
    def spec(self) -> RunSpec:
        """What should run."""

    @property
    def handle(self) -> Handle:
        """How the service is found again."""


@dataclass(frozen=True, kw_only=True)
class MakeFolder:
    """Make a folder that only its owner can enter."""

    title: ClassVar[str] = "Make a folder"
    place: str
    path: str

    @property
    def text(self) -> str:
        """The shell line."""
        return shell_line(("mkdir", "-p", "-m", "700", self.path))


@dataclass(frozen=True, kw_only=True)
class WriteFile:
    """Write a small file."""

    title: ClassVar[str] = "Write a file"
    place: str
    path: str
    content: str

    @property
    def text(self) -> str:
        """The shell line."""
        return f"{shell_line(('printf', '%s', self.content))} >{shell_word(self.path)}"


@dataclass(frozen=True, kw_only=True)
class MakeSecret:
    """Generate a secret into a 0600 file, unless the file exists."""

    title: ClassVar[str] = "Generate a secret, unless it exists"
    place: str
    path: str

    @property
    def text(self) -> str:
        """The shell line."""
        return f"test -s {shell_word(self.path)} || {shell_secret(self.path)}"


@dataclass(frozen=True, kw_only=True)
class RemoveFolder:
    """Remove a folder of run state and everything in it."""

    title: ClassVar[str] = "Remove the run state"
    place: str
    path: str

    @property
    def text(self) -> str:
        """The shell line."""
        return shell_line(("rm", "-rf", "--", self.path))


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Run a command on a node to its end, whatever its exit code."""

    title: str
    query: Query
    seconds: float | None = None
    """Time limit; a command that takes longer ends with code 124."""
    keeps_errors: bool = False
    """Whether a node that cannot be asked is an answer with its problem, and no error."""

    @property
    def place(self) -> str:
        """The node."""
        return self.query.place

    @property
    def text(self) -> str:
        """The shell line."""
        return self.query.text


@dataclass(frozen=True, kw_only=True)
class Await:
    """Repeat a query until its answer shows no problem; after `seconds` they are the error."""

    place: str
    title: str
    query: Query
    problems: Callable[[str], tuple[Problem, ...]]
    """The problems that the query's standard output shows."""
    seconds: float
    """0 asks once."""
    patient_query: Query | None = None
    """For the shell text: a command that waits by itself, where `query` gives up sooner."""
    watched: tuple[Handle, ...] = ()
    """Services that must stay alive meanwhile: if one ends or logs a fatal line, the wait fails."""
    logged: str = ""
    """Words that each watched service must log: an answer may be about an earlier start."""
    unless: Handle | None = None
    """The step is skipped while this service runs."""
    refuses: bool = False
    """Whether problems mean that nothing can be started (RefusedError), not that a node failed."""

    @property
    def text(self) -> str:
        """The shell line."""
        return (self.patient_query or self.query).text


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Branches that are performed side by side; all problems are reported together."""

    branches: tuple["Plan", ...]
    in_turn: bool = False
    """Perform one branch after the other; a failed one does not keep the next from running."""


Plan: TypeAlias = tuple[Step | Parallel, ...]
