"""All machines at once, by Fabric's API over the user's own OpenSSH.

Fabric's own transport, Paramiko, reads no `Include` in ~/.ssh/config and accepts unknown host keys.
So the runner behind `Connection.run` starts the `ssh` command, and `open` opens nothing.
Importing this module costs 0.1 s: import it where machines are asked.
"""

import os
from collections.abc import Mapping
from select import select
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from threading import Event
from typing import IO, Any, cast

from fabric import Config, Connection, ThreadingGroup
from invoke.exceptions import CommandTimedOut
from invoke.runners import Local
from paramiko import SSHConfig

from cluster.host import Host
from cluster.machine import clock, processes
from cluster.machine.processes import LATE, NO_FILE, NO_PROGRAM, Completed, revealed

SECONDS = 60.0
"""Time limit of an answer: an engine with many images is slow; SSH itself answers within 10 s."""
END_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
READ_SECONDS = 0.1
"""How often a waiting reader checks the time limit."""
OWN_SESSION = "SSH_CONNECTION"
"""Of a terminal that is itself a session over SSH: a question must not see it as its own."""


class OpenSsh(Local):
    """Runs a shell text on a connection's host: `ssh HOST sh -s` with the text as its input.

    The text goes in as a file: through the runner's own standard input, 5 kB take minutes.
    """

    def __init__(self, context: "HostConnection", **_: object) -> None:
        """Keep the connection; Fabric also passes options of its own runner."""
        super().__init__(context)
        self._late = Event()

    def start(self, command: str, shell: str, env: dict[str, Any]) -> None:
        """Start the process."""
        del shell, env
        host = cast("HostConnection", self.context).machine
        variables = processes.own_variables()
        variables.pop(OWN_SESSION, None)
        with TemporaryFile() as text:
            text.write(command.encode())
            text.seek(0)
            words = [revealed(word) for word in host.shell]
            self.process = Popen(words, env=variables, stdin=text, stdout=PIPE, stderr=PIPE)

    def read_proc_stdout(self, num_bytes: int) -> bytes:
        """Read standard output."""
        return self._read(self.process.stdout, num_bytes)

    def read_proc_stderr(self, num_bytes: int) -> bytes:
        """Read standard error."""
        return self._read(self.process.stderr, num_bytes)

    @property
    def timed_out(self) -> bool:
        """Whether the time limit ended the process."""
        return self._late.is_set()

    def kill(self) -> None:
        """End the process at its time limit."""
        self._late.set()
        processes.end_program(self.process, END_SECONDS)

    def _read(self, pipe: IO[bytes] | None, num_bytes: int) -> bytes:
        """Read until the end or the time limit: a child of the process may keep the pipe open."""
        while pipe and not self.timed_out:
            if select([pipe], (), (), READ_SECONDS)[0]:
                return os.read(pipe.fileno(), num_bytes)
        return b""

    def stop(self) -> None:
        """Close the pipes, which Invoke leaves to the garbage collector."""
        super().stop()
        process: Popen[bytes] | None = getattr(self, "process", None)  # absent without `ssh`
        for pipe in (process.stdout, process.stderr) if process else ():
            if pipe:
                pipe.close()


class HostConnection(Connection):
    """A connection to a machine, for one shell text."""

    machine: Host = Host(name="")

    def __init__(self, machine: Host) -> None:
        """Keep Fabric from reading any configuration: OpenSSH reads the user's own."""
        run = {"hide": True, "warn": True, "in_stream": False, "pty": False}
        overrides = {"run": run, "runners": {"remote": OpenSsh}, "load_ssh_configs": False}
        config = Config(overrides=overrides, ssh_config=SSHConfig(), lazy=True)
        super().__init__(machine.ssh_host or "localhost", config=config)
        self.machine = machine

    def __eq__(self, connection: object) -> bool:
        """Compare identities: Fabric compares destinations, and namespaces share one."""
        return self is connection

    def __hash__(self) -> int:
        """Hash the identity, as results are kept by connection."""
        return id(self)

    def open(self) -> None:
        """Open nothing: each `ssh` process opens its own connection."""

    def answer(self, questions: Mapping[str, str], seconds: float) -> Completed:
        """Run this machine's question, in at most so many seconds."""
        try:
            result = self.run(questions[self.machine.name], timeout=seconds)
        except CommandTimedOut:
            return Completed(code=LATE, output="", error=f"timed out after {seconds:g} s")
        except FileNotFoundError as error:
            if not isinstance(error.filename, str) or "/" in error.filename:
                return Completed(code=NO_FILE, output="", error="")  # a namespace that is gone
            message = f"`{error.filename}` is not installed"
            return Completed(code=NO_PROGRAM, output="", error=message)
        return Completed(
            code=result.exited, output=result.stdout, error=result.stderr, ended=clock.time()
        )


class Machines(ThreadingGroup):
    """Connections to several machines, used side by side."""

    def answers(self, questions: Mapping[str, str], seconds: float) -> dict[str, Completed]:
        """Ask each machine its own question; return the answers by the machines' names."""
        results = self._do("answer", questions, seconds)
        return {connection.machine.name: results[connection] for connection in self}


def ask(
    hosts: Mapping[str, Host], questions: Mapping[str, str], seconds: float = SECONDS
) -> dict[str, Completed]:
    """Run a shell text on each of these machines, all at once; only those with a question."""
    machines = Machines.from_connections([HostConnection(hosts[name]) for name in questions])
    answers: dict[str, Completed] = machines.answers(questions, seconds)
    return answers


def run(host: Host, text: str, seconds: float = SECONDS) -> Completed:
    """Run a shell text on one machine."""
    return HostConnection(host).answer({host.name: text}, seconds)
