"""Programs that write what they read of an image: here, in a container of it, or `docker save`."""

import fcntl
import os
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cluster.ship import layer_reader, unshipped

CHUNK_BYTES = 1 << 20
"""As much as a pipe may hold without privileges (pipe(7), pipe-max-size)."""
POLL_SECONDS = 0.2
END_SECONDS = 10.0
"""How long a container may take to notice that nobody reads it any more."""
PIPE_SIZE = 1031
"""F_SETPIPE_SZ (fcntl(2)); Python knows it on Linux alone."""
CONTAINERD = Path("/var/lib/containerd")
"""Where containerd keeps its files when it is a service of its own."""
PROGRAM = Path(layer_reader.__file__)
# Root, because the files are root's, but without a network and without its other rights. An image
# for GPUs would have them mounted where NVIDIA's runtime is the default.
CONTAINED = (
    *("docker", "run", "--rm", "--interactive", "--pull", "never", "--network", "none"),
    *("--log-driver", "none", "--user", "0:0", "--userns", "host", "--cap-drop", "ALL"),
    *("--cap-add", "DAC_OVERRIDE", "--security-opt", "label=disable"),
    *("--env", "NVIDIA_VISIBLE_DEVICES=void", "--entrypoint", "python3"),
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A program that reads an image; what it writes comes out of `output`."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    said: IO[bytes]

    def next(self, size: int = CHUNK_BYTES) -> bytes:
        """Return what has come, at most so many bytes; nothing when no more will come."""
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        while not (over := self.process.poll() is not None) and not poll.poll(POLL_SECONDS * 1000):
            pass
        # A FIFO that no program ever opened tells nothing, not even that it has ended.
        return (
            os.read(self.output.fileno(), min(size, CHUNK_BYTES))
            if not over or poll.poll(0)
            else b""
        )

    def tell(self, line: str) -> None:
        """Give the program a line, its last."""
        assert self.process.stdin  # noqa: S101 (all are started with it; the types cannot know)
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n".encode())
        self.close_input()

    def close_input(self) -> None:
        """Tell the program that it gets no line any more."""
        assert self.process.stdin  # noqa: S101 (as above)
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def last_words(self) -> str:
        """Return the last line that the program said, now that it ends."""
        self.process.wait()
        self.said.seek(0)
        return unshipped.last(self.said.read().decode(errors="replace"))


@contextmanager
def direct(image_id: str, root: str) -> Iterator[Reading]:
    """Read the files of the engine as this user."""
    with piped((sys.executable, str(PROGRAM), image_id, "-", root, str(CONTAINERD))) as reading:
        yield reading


@contextmanager
def piped(command: tuple[str, ...]) -> Iterator[Reading]:
    """Run a program that writes to its output; it is killed in the end."""
    with tempfile.TemporaryFile() as said, _started(command, said, subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 (asked for; the types cannot know)
        yield Reading(process=process, output=process.stdout, said=said)


@contextmanager
def contained(image_id: str, root: str) -> Iterator[Reading]:
    """Read the files of the engine in a container of the image; it is gone in the end.

    It writes to a FIFO, which takes half the time that the engine takes for its output.
    """
    name = f"ship-{secrets.token_hex(6)}"
    with ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="ship-"))
        said = undo.enter_context(tempfile.TemporaryFile())
        shutil.copyfile(PROGRAM, f"{folder}/program")
        os.mkfifo(f"{folder}/layers", 0o600)
        fifo = os.open(f"{folder}/layers", os.O_RDONLY | os.O_NONBLOCK)
        output = undo.enter_context(open(fifo, "rb", buffering=0))  # noqa: PTH123 (no path)
        with suppress(OSError):  # the pages that a user may have in pipes are limited
            fcntl.fcntl(fifo, PIPE_SIZE, CHUNK_BYTES)
        command = _contained(name, image_id, folder, root)
        process = undo.enter_context(_started(command, said, said))
        reading = Reading(process=process, output=output, said=said)
        undo.callback(_end, reading, name)
        yield reading


def _contained(name: str, image_id: str, folder: str, root: str) -> tuple[str, ...]:
    """Return the command that reads in a container."""
    roots = (root, *((str(CONTAINERD),) if CONTAINERD.is_dir() else ()))
    mounts = ((folder, "/ship"), *((its, f"/{number}") for number, its in enumerate(roots)))
    return (
        *(*CONTAINED, "--name", name),
        *(word for source, target in mounts for word in ("--mount", _mount(source, target))),
        *(image_id, "/ship/program", image_id, "/ship/layers"),
        *(target for _, target in mounts[1:]),
    )


def _mount(source: str, target: str) -> str:
    """Return a value of `--mount`, which reads it as a line of CSV."""
    return f'type=bind,"source={source}",target={target},readonly'


@contextmanager
def _started(
    command: tuple[str, ...], said: IO[bytes], output: IO[bytes] | int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a session of its own, so that Ctrl-C leaves its end to this one."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=said,
        pipesize=CHUNK_BYTES,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _end(reading: Reading, container: str) -> None:
    """Let a container end by itself, which one can that is only being made; else remove it."""
    reading.close_input()
    reading.output.close()
    try:
        reading.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        command = ("docker", "rm", "--force", container)
        subprocess.run(command, capture_output=True, check=False)
