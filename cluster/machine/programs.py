"""Programs of this machine that are followed line by line, and ended with all they have started."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that has been started, and perhaps has ended."""

    process: "subprocess.Popen[bytes]"

    @property
    def lines(self) -> Iterator[str]:
        """The lines of its output and errors as they come, each with its line end."""
        return (line.decode("utf-8", "replace") for line in self.process.stdout or ())

    @property
    def code(self) -> int:
        """The exit code, once the program has ended."""
        return self.process.wait()


def which(name: str) -> str:
    """Return the path of a program on the PATH; empty if it is not there."""
    return shutil.which(name) or ""


@contextmanager
def followed(
    argv: tuple[str, ...],
    variables: Mapping[str, str],
    *,
    grace_seconds: float,
    inherited: tuple[int, ...] = (),
) -> Iterator[Program]:
    """Start a program with exactly these variables, and wait for its end after the block.

    It has a session of its own, which Ctrl-C in the terminal does not reach. An exception in the
    block, KeyboardInterrupt among them, asks the program and all it has started to end, and kills
    what is left after `grace_seconds`. `inherited` are file descriptors that stay open in it. A
    program that does not exist is a FileNotFoundError.
    """
    with subprocess.Popen(
        argv,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=inherited,
    ) as process:
        try:
            yield Program(process=process)
        except BaseException:
            _end(process, grace_seconds)
            raise


def _end(process: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    """Ask a process group to end, wait for it, and kill what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=grace_seconds)
