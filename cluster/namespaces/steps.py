"""Steps on processes of this machine, and how services are found again by their environment."""

import re
from dataclasses import dataclass
from typing import ClassVar

from cluster.commands.run_spec import RunSpec
from cluster.plan.steps import AttachedCommand, Await
from cluster.words import Environment, MarkedPid, Word, shell_command, shell_word

# A process carries its owner in its environment, as a container does in its labels: process numbers
# in files become stale.
NODE = "SPARK_CLUSTER_NODE"
SERVICE = "SPARK_CLUSTER_SERVICE"
SPEC = "SPARK_CLUSTER_SPEC"
UNTIL_WRITTEN = 'until test -s "$0"; do sleep 0.05; done'
# In `kill -TERM -- -1`, which is as good elsewhere, dash takes `--` for a number.
WHILE_ALIVE = 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done'
SPECIAL = re.compile(r"[][(){}.*+?^$|\\]")
"""The characters with a meaning in an extended regular expression (regex(7))."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Run a command on this machine to its end; a failure is a failure of `place`."""

    title: ClassVar[str] = "Run a command"
    place: str
    argv: tuple[Word, ...]
    environment: Environment = ()

    def attached(self, *, terminal: bool) -> AttachedCommand:
        """Return the command that has this program's input and output, and its terminal."""
        del terminal  # a process has the terminal of its parent
        return AttachedCommand(place=self.place, argv=self.argv, environment=self.environment)

    @property
    def text(self) -> str:
        """The shell line, with the whole environment in front if the command has its own."""
        return shell_command(self.environment, self.argv)


@dataclass(frozen=True, kw_only=True)
class ProcessHandle:
    """How a background process is found again, and where it logs."""

    place: str
    service: str
    pid_file: str
    """Where the process writes its own number."""
    mark: tuple[str, str]
    """A variable of the process: PIDs are reused, so the process must carry it."""
    log: str
    """Its standard output and standard error."""

    @property
    def number(self) -> MarkedPid:
        """The process number in the file, valid only with the mark."""
        return MarkedPid(self.pid_file, self.mark)


@dataclass(frozen=True, kw_only=True)
class ProcessStep:
    """A step on a background process."""

    title: str
    handle: ProcessHandle

    @property
    def place(self) -> str:
        """The node, or the link."""
        return self.handle.place


@dataclass(frozen=True, kw_only=True)
class LaunchStep(ProcessStep):
    """A step that starts a background process."""

    argv: tuple[Word, ...]
    environment: Environment

    @property
    def launch_text(self) -> str:
        """The shell lines that start the process."""
        log, pid_file = shell_word(self.handle.log), shell_word(self.handle.pid_file)
        start = shell_command(self.environment, self.argv, f"</dev/null >{log} 2>&1 &")
        return f"rm -f {pid_file}\n{start}"


@dataclass(frozen=True, kw_only=True)
class HoldNamespaces(LaunchStep):
    """Start the process that keeps namespaces alive, and set them up, unless it is running."""

    ready: str
    """A file that marks the set-up as done."""
    remedy: str
    """What to do when the kernel forbids it."""
    setup: tuple[Command, ...]

    @property
    def text(self) -> str:
        """The shell lines."""
        pid_file = shell_word(self.handle.pid_file)
        wait = f"timeout 10 sh -c {shell_word(UNTIL_WRITTEN)} {pid_file}"
        done = f"touch {shell_word(self.ready)}"
        setup = (command.text for command in self.setup)
        return "\n".join((self.launch_text, wait, *setup, done))


@dataclass(frozen=True, kw_only=True)
class StartProcess(LaunchStep):
    """Start a run spec in the background; an equal one that is running already is left alone."""

    spec: RunSpec
    proof: Await | None = None
    """Asked of a running service: if there is a problem, it is started again."""

    @property
    def text(self) -> str:
        """The shell lines."""
        return self.launch_text


@dataclass(frozen=True, kw_only=True)
class StopProcess(ProcessStep):
    """Ask a service to end, and wait for it at most `seconds`; one that is not running is fine."""

    seconds: float

    @property
    def text(self) -> str:
        """The shell lines: signals to the whole process group, as Ctrl-C in a terminal sends."""
        pid_file = shell_word(self.handle.pid_file)
        end = f'kill -s TERM -- -"$(cat {pid_file})"'
        wait = f"timeout {self.seconds:g} sh -c {shell_word(WHILE_ALIVE)} {pid_file} 2>/dev/null"
        kill = f'kill -s KILL -- -"$(cat {pid_file})"'
        mark = shell_word("=".join(self.handle.mark))
        is_marked = f'grep -qsxzF {mark} /proc/"$(cat {pid_file} 2>/dev/null)"/environ'
        return f"if {is_marked}; then\n  {end}\n  {wait} || {kill}\nfi"


@dataclass(frozen=True, kw_only=True)
class KillLeftovers:
    """Kill every process whose environment has a path at or below `folder`."""

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
