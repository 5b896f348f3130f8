"""One program's output into several programs: read once, counted, each at its own pace."""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue

CHUNK_BYTES = 1 << 20
"""As much as a pipe may hold without privileges (pipe(7), pipe-max-size)."""
CHUNKS = 4
"""How far a program may lag behind before the others wait for it."""
STALL_SECONDS = 120.0
"""How long they wait: a disk may pause, but what takes nothing for so long is given up."""
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended."""

    code: int
    said: str
    """What it wrote to standard error."""


class Sink:
    """A program that takes what is poured; one thread pours, another follows the program."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        """Start the program."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the program's end)
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            pipesize=CHUNK_BYTES,
        )
        assert self._process.stdin  # noqa: S101 (asked for above; the types cannot know)
        self._input = self._process.stdin
        self._chunks: Queue[bytes] = Queue(CHUNKS)
        self.taken = 0
        """Bytes that the program took."""
        self.stalled = False
        """It took nothing for too long, and was killed."""
        self.starved = ""
        """Why it was killed for a failure of what was poured."""
        self.over = False
        """It takes no more."""

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self._process.poll() is None

    def flow(self) -> Iterator[int]:
        """Hand on what is poured, and yield how many bytes that were; ends with the pouring."""
        with suppress(BrokenPipeError):
            while chunk := self._next():
                self._input.write(chunk)
                self.taken += len(chunk)
                yield self.taken

    def end(self) -> Ended:
        """Wait for the program's end, now that it has got all."""
        with suppress(BrokenPipeError):
            self._input.close()
        code = self._process.wait()
        self.over = True
        with suppress(Empty):
            while True:
                self._chunks.get_nowait()
        with self._said:
            self._said.seek(0)
            return Ended(code=code, said=self._said.read().decode(errors="replace"))

    def pour(self, chunk: bytes) -> None:
        """Give the program more; nothing means that this was all. Give up one that stalls."""
        if self.over:
            return
        try:
            self._chunks.put(chunk, timeout=STALL_SECONDS)
        except Full:
            self.stalled = True
            self.stop()

    def starve(self, reason: str) -> None:
        """Kill the program, because what has been poured is not the whole."""
        self.starved = reason
        self.stop()

    def stop(self) -> None:
        """Kill the program."""
        self._process.kill()

    def _next(self) -> bytes:
        """Return the next chunk; nothing when there is none left or the program is gone."""
        while True:
            with suppress(Empty):
                return self._chunks.get(timeout=POLL_SECONDS)
            if not self.alive:
                return b""


def pour(argv: tuple[str, ...], sinks: tuple[Sink, ...]) -> None:
    """Pour the output of a program into the sinks until its end, or until none takes any more.

    A sink that fails does not end the others. If the program itself fails, all are stopped: a part
    must not be taken for the whole.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            pipesize=CHUNK_BYTES,
        ) as source,
    ):
        whole = False
        try:
            whole = _spread(source, sinks)
        finally:
            if not whole:
                source.kill()
        if whole:
            said.seek(0)
            _finish(source.wait(), said.read().decode(errors="replace"), sinks)


def _spread(source: "subprocess.Popen[bytes]", sinks: tuple[Sink, ...]) -> bool:
    """Read once, and pour into all; tell whether that was the whole, or none takes any more."""
    assert source.stdout  # noqa: S101 (as above)
    while not all(sink.over for sink in sinks):
        if select.select([source.stdout], [], [], POLL_SECONDS)[0]:
            chunk = os.read(source.stdout.fileno(), CHUNK_BYTES)
            if not chunk:
                return True
            for sink in sinks:
                sink.pour(chunk)
    return False


def _finish(code: int, said: str, sinks: tuple[Sink, ...]) -> None:
    for sink in sinks:
        if code:
            sink.starve(said or f"exit code {code}")
        else:
            sink.pour(b"")
