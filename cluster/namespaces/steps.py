"""Steps on processes of this machine: their shell text for `--dry`, and what is performed."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.commands.run_spec import RunSpec
from cluster.words import Environment, Word, shell_command, shell_word

if TYPE_CHECKING:
    from cluster.plan.steps import Await


if TYPE_CHECKING:
    pass

# A process says in its environment whose it is, as a container does in its labels: numbers in
# files grow stale.
NODE = "SPARK_CLUSTER_NODE"
SERVICE = "SPARK_CLUSTER_SERVICE"
SPEC = "SPARK_CLUSTER_SPEC"
UNTIL_IT_WRITES = 'until test -s "$0"; do sleep 0.05; done'
# In `kill -TERM -- -1`, which is as good elsewhere, dash takes `--` for a number.
WHILE_IT_LIVES = 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done'
SPECIAL = re.compile(r"[][(){}.*+?^$|\\]")
"""What has a meaning in an extended regular expression (regex(7))."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Run a command on this machine to its end; a failure is a failure of `place`."""

    place: str
    argv: tuple[Word, ...]
    environment: Environment = ()

    @property
    def text(self) -> str:
        """The shell line, with the whole environment in front when the command has its own."""
        return shell_command(self.environment, self.argv)


@dataclass(frozen=True, kw_only=True)
class ProcessHandle:
    """How a background process is found again, and where it writes."""

    place: str
    service: str
    pid_file: str
    """Where the process writes its own number."""
    mark: tuple[str, str]
    """A variable of the process that proves that it is ours: numbers are used again."""
    log: str
    """Its standard output and standard error."""


@dataclass(frozen=True, kw_only=True)
class HoldNamespaces:
    """Start the process that keeps namespaces alive, and set them up, unless it lives."""

    title: str
    argv: tuple[Word, ...]
    environment: Environment
    trace: ProcessHandle
    ready: str
    """A file that says that the set-up has been done."""
    remedy: str
    """What to do when the kernel forbids it."""
    setup: tuple[Command, ...]

    @property
    def place(self) -> str:
        """The node, or the link."""
        return self.trace.place

    @property
    def text(self) -> str:
        """The shell lines."""
        pid_file = shell_word(self.trace.pid_file)
        wait = f"timeout 10 sh -c {shell_word(UNTIL_IT_WRITES)} {pid_file}"
        done = f"touch {shell_word(self.ready)}"
        return "\n".join((_background(self), wait, *(command.text for command in self.setup), done))


@dataclass(frozen=True, kw_only=True)
class StartProcess:
    """Start a run spec in the background; the same spec that runs already is left alone."""

    title: str
    spec: RunSpec
    argv: tuple[Word, ...]
    """How this runtime starts the spec's own argv."""
    environment: Environment
    trace: ProcessHandle
    proof: "Await | None" = None
    """Asked of a service that runs already: with a problem it is started anew."""

    @property
    def place(self) -> str:
        """The node of the spec."""
        return self.trace.place

    @property
    def text(self) -> str:
        """The shell lines."""
        return _background(self)


@dataclass(frozen=True, kw_only=True)
class StopProcess:
    """Ask a service to end, and wait for it at most `seconds`; one that does not run is fine."""

    title: str
    trace: ProcessHandle
    seconds: float

    @property
    def place(self) -> str:
        """The node of the service."""
        return self.trace.place

    @property
    def text(self) -> str:
        """The shell lines: the whole process group, as an interactive Ctrl-C would reach it."""
        pid_file = shell_word(self.trace.pid_file)
        ask = f'kill -s TERM -- -"$(cat {pid_file})"'
        wait = f"timeout {self.seconds:g} sh -c {shell_word(WHILE_IT_LIVES)} {pid_file} 2>/dev/null"
        make = f'kill -s KILL -- -"$(cat {pid_file})"'
        mark = shell_word("=".join(self.trace.mark))
        ours = f'grep -qsxzF {mark} /proc/"$(cat {pid_file} 2>/dev/null)"/environ'
        return f"if {ours}; then\n  {ask}\n  {wait} || {make}\nfi"


@dataclass(frozen=True, kw_only=True)
class KillLeftovers:
    """End by force every process whose environment says that it belongs under `folder`."""

    place: str
    title: str
    name: str
    """The variable that holds a path at or below `folder`."""
    folder: str

    @property
    def text(self) -> str:
        """The shell line."""
        folder = SPECIAL.sub(r"\\\g<0>", self.folder)
        mark = shell_word(f"^{self.name}={folder}(/|$)")
        return f"grep -lzsE {mark} /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL"


def _background(step: HoldNamespaces | StartProcess) -> str:
    log, pid_file = shell_word(step.trace.log), shell_word(step.trace.pid_file)
    start = shell_command(step.environment, step.argv, f"</dev/null >{log} 2>&1 &")
    return f"rm -f {pid_file}\n{start}"
