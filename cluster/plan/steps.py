"""Steps of a plan: the shell text that `--dry` prints, and what is performed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from cluster.containers.inside import (
    ContainerHandle,
    ExecCommand,
    RunOnce,
    StartService,
    StopService,
)
from cluster.containers.steps import (
    CheckContainers,
    CheckNodes,
    RemoveContainer,
    ShareToken,
    StartContainer,
)
from cluster.errors import Problem
from cluster.namespaces.steps import (
    Command,
    HoldNamespaces,
    KillLeftovers,
    ProcessHandle,
    StartProcess,
    StopProcess,
)
from cluster.words import shell_line, shell_secret, shell_word


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
    """Make a random secret in a 0600 file, unless the file is there."""

    title: ClassVar[str] = "Make a secret, unless it is there"
    place: str
    path: str

    @property
    def text(self) -> str:
        """The shell line."""
        return f"test -s {shell_word(self.path)} || {shell_secret(self.path)}"


AnyHandle: TypeAlias = ProcessHandle | ContainerHandle
Inside: TypeAlias = Command | ExecCommand
Ask: TypeAlias = Inside | RunOnce


@dataclass(frozen=True, kw_only=True)
class Await:
    """Ask until the answer has no problem; after `seconds` what is left of them is the error."""

    place: str
    title: str
    ask: Ask
    problems: Callable[[str], tuple[Problem, ...]]
    """From the command's standard output to what is still missing."""
    seconds: float
    by_hand: Ask | None = None
    """The command that itself waits for a good answer, where `ask` does not wait so long."""
    watch: tuple[AnyHandle, ...] = ()
    """What must stay alive meanwhile: when one ends or logs a fatal line, waiting is over."""
    logged: str = ""
    """What each of them must have logged besides: an answer may still be about an earlier one."""
    unless: AnyHandle | None = None
    """The gate is open while this service runs."""
    refuses: bool = False
    """The problems mean that nothing can be started (RefusedError), not that a node failed."""

    @property
    def text(self) -> str:
        """The shell line."""
        return (self.by_hand or self.ask).text


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
class Parallel:
    """Branches that are performed side by side; what fails in any of them is reported together."""

    branches: tuple[tuple["Step", ...], ...]
    in_turn: bool = False
    """One branch after the other instead; the next is performed all the same."""


AnyStart: TypeAlias = StartProcess | StartContainer | StartService
OnContainers: TypeAlias = (
    ShareToken
    | CheckNodes
    | CheckContainers
    | StartContainer
    | StartService
    | StopService
    | RemoveContainer
)
Single: TypeAlias = (
    MakeFolder
    | WriteFile
    | MakeSecret
    | HoldNamespaces
    | StartProcess
    | Await
    | StopProcess
    | KillLeftovers
    | RemoveFolder
    | OnContainers
)
Step: TypeAlias = Single | Parallel
Plan: TypeAlias = tuple[Step, ...]
