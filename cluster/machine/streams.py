"""Streams of bytes out of programs, and into programs that take them part by part."""

import fcntl
import os
import secrets
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import Empty, Full, Queue
from typing import IO, TYPE_CHECKING

from cluster.machine.processes import Completed

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

CHUNK_BYTES = 1 << 20
"""As much as a pipe may hold without privileges (pipe(7), pipe-max-size)."""
QUEUED_CHUNKS = 4
"""How far one stream may lag behind before the others wait for it."""
STALL_SECONDS = 120.0
"""How long they wait: a disk may pause, but a program that reads nothing for longer is killed."""
POLL_SECONDS = 0.2
END_SECONDS = 10.0
"""How long a program may take to notice that its output is no longer read."""
LEVEL = 1
"""Of zstd: the quickest that all versions have, to keep up with a 10 Gb/s port."""
PIPE_SIZE = 1031
"""F_SETPIPE_SZ (fcntl(2)); Python knows it on Linux alone."""


@dataclass(frozen=True, kw_only=True)
class StreamReader:
    """A program that writes a stream."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    errors: IO[bytes]

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Wait for output and return at most `size` bytes of it; empty at the end."""
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        while not (ended := self.process.poll() is not None) and not poll.poll(POLL_SECONDS * 1000):
            pass
        # A FIFO that no program has opened reports nothing, not even the end of the program.
        if ended and not poll.poll(0):
            return b""
        return os.read(self.output.fileno(), min(size, CHUNK_BYTES))

    def send_line(self, line: str) -> None:
        """Write a line to the program's input, and close it."""
        assert self.process.stdin  # noqa: S101 (all are started with it; the types cannot know)
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n".encode())
        _close(self.process.stdin)

    def end(self) -> Completed:
        """Wait for the program's end; its output has been read."""
        return Completed(code=self.process.wait(), output="", error=_text(self.errors))


@contextmanager
def reader(argv: tuple[str, ...]) -> Iterator[StreamReader]:
    """Run a program that writes a stream to its output; kill it in the end."""
    with (
        tempfile.TemporaryFile() as errors,
        _started(argv, output=subprocess.PIPE, errors=errors) as process,
    ):
        assert process.stdout  # noqa: S101 (a pipe; the types cannot know)
        yield StreamReader(process=process, output=process.stdout, errors=errors)


@contextmanager
def fifo_reader(
    command: Callable[[str], tuple[str, ...]], program: str, cleanup: tuple[str, ...]
) -> Iterator[StreamReader]:
    """Run a program that writes a stream to a FIFO; clean up in the end.

    `command` takes a folder and returns the command line: the folder holds `program`, a copy of
    that file, and the FIFO `stream`. A program that does not end when its FIFO is closed is ended
    by the command `cleanup`.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-")))
        errors = stack.enter_context(tempfile.TemporaryFile())
        (folder / "program").write_bytes(Path(program).read_bytes())
        os.mkfifo(folder / "stream", 0o600)
        fifo = os.open(folder / "stream", os.O_RDONLY | os.O_NONBLOCK)
        output = stack.enter_context(open(fifo, "rb", buffering=0))  # noqa: PTH123 (no path)
        with suppress(OSError):  # the pages that a user may have in pipes are limited
            fcntl.fcntl(fifo, PIPE_SIZE, CHUNK_BYTES)
        argv = command(str(folder))
        process = stack.enter_context(_started(argv, output=errors, errors=errors))
        stream = StreamReader(process=process, output=output, errors=errors)
        stack.callback(_end_reader, stream, cleanup)
        yield stream


def unique_name(prefix: str) -> str:
    """Return a name for a container that no other has."""
    return f"{prefix}-{secrets.token_hex(6)}"


@contextmanager
def _started(
    argv: tuple[str, ...], *, output: IO[bytes] | int, errors: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a session of its own, so that Ctrl-C leaves its end to this one."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        pipesize=CHUNK_BYTES,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _end_reader(stream: StreamReader, cleanup: tuple[str, ...]) -> None:
    """Let a program end by itself: a container that is being created can; else clean up."""
    _close(stream.process.stdin)
    stream.output.close()
    try:
        stream.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        subprocess.run(cleanup, capture_output=True, check=False)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Bytes of a stream, compressed once for all programs that take them so."""

    content: bytes
    starts_part: bool = False
    ends_part: bool = False
    """The program cannot use its part without these bytes."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _frames: list[bytes] = field(default_factory=list)

    @property
    def compressed(self) -> bytes:
        """The content as a zstd frame; frames may follow each other (RFC 8878, 3.1)."""
        with self._lock:
            if not self._frames:
                self._frames.append(_compressor(threading.get_ident()).compress(self.content))
            return self._frames[0]


@cache
def _compressor(_thread: int) -> "ZstdCompressor":
    """Return a thread's compressor: two threads may not share one (zstandard's manual)."""
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=LEVEL)


class PartWriter:
    """A program that takes one part of a stream as its input."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        """Start the program."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the program's end)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (as above)
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._errors,
            pipesize=CHUNK_BYTES,
        )

    def write(self, content: bytes) -> None:
        """Write to the program; a BrokenPipeError means that it takes no more."""
        assert self.process.stdin  # noqa: S101 (a pipe; the types cannot know)
        self.process.stdin.write(content)

    def close(self) -> None:
        """Close the program's input."""
        _close(self.process.stdin)

    def end(self) -> Completed:
        """Close the program's input, and wait for its end."""
        self.close()
        code = self.process.wait()
        with self._output, self._errors:
            return Completed(code=code, output=_text(self._output), error=_text(self._errors))


class PartStream:
    """A stream in parts, each the input of one run of a program.

    One thread puts chunks into it, another runs it. While a program works on a part, the next one
    gets its part already, but for the last chunk.
    """

    def __init__(
        self, argv: tuple[str, ...], *, compress: bool, goes_on: Callable[[Completed], bool]
    ) -> None:
        """`argv` runs once per part; `goes_on` says after each part whether to send the next."""
        self._argv = argv
        self._compress = compress
        self._goes_on = goes_on
        self._chunks: Queue[Chunk | None] = Queue(QUEUED_CHUNKS)
        self._receiving: PartWriter | None = None
        self._working: PartWriter | None = None
        self._waiting = False
        self._last_write = time.monotonic()
        self.sent = 0
        """Bytes that were written, as they went over the wire."""
        self.failure = ""
        """Why it was broken off from this side."""
        self.stalled = False
        """It was broken off because the program read nothing for too long."""
        self.closed = False
        """It takes no more chunks."""

    def put(self, chunk: Chunk | None) -> None:
        """Add a chunk, or None at the end; break off a stream that stalls."""
        while not self.closed:
            with suppress(Full):
                self._chunks.put(chunk, timeout=POLL_SECONDS)
                return
            if not self._waiting and time.monotonic() - self._last_write > STALL_SECONDS:
                self.stalled = True
                self.break_off(f"took no data for {STALL_SECONDS:g} s")

    def break_off(self, reason: str) -> None:
        """Kill the program that receives a part, which must not pass for whole; close the rest."""
        self.failure = self.failure or reason
        self.closed = True
        if self._receiving:
            self._receiving.process.kill()

    def abandon(self) -> None:
        """Kill all its programs, also the one that works on a whole part."""
        self.break_off("was interrupted")
        if self._working:
            self._working.process.kill()

    def run(self) -> Iterator[int]:
        """Write the chunks to the programs, and yield the size of each; end with the last part."""
        try:
            while not self.closed and (chunk := self._next()):
                if chunk.starts_part:
                    self._receiving = PartWriter(self._argv)
                if chunk.ends_part and not self._wait_for_part():
                    break
                yield self._write(chunk)
        except BrokenPipeError:
            pass
        finally:
            self._finish()

    def _write(self, chunk: Chunk) -> int:
        """Write a chunk; return its size before compression."""
        if program := self._receiving:
            content = chunk.compressed if self._compress else chunk.content
            program.write(content)
            self.sent += len(content)
            self._last_write = time.monotonic()
            if chunk.ends_part:
                program.close()
                self._receiving, self._working = None, program
        return len(chunk.content)

    def _wait_for_part(self) -> bool:
        """Wait for the program that works on the part before; return whether to go on."""
        if not (program := self._working):
            return True
        self._waiting = True
        completed = program.end()
        self._working, self._waiting, self._last_write = None, False, time.monotonic()
        return self._goes_on(completed)

    def _finish(self) -> None:
        """Wait for all programs; one without its last chunk loads nothing."""
        self.closed = True
        if incomplete := self._receiving:
            incomplete.close()
        self._wait_for_part()
        if incomplete:
            self._goes_on(incomplete.end())

    def _next(self) -> Chunk | None:
        """Return the next chunk; None at the end, and when the stream was broken off."""
        while not self.closed:
            with suppress(Empty):
                return self._chunks.get(timeout=POLL_SECONDS)
        return None


def _close(pipe: IO[bytes] | None) -> None:
    """Close a program's input; the program may have ended before it read everything."""
    with suppress(BrokenPipeError):
        if pipe:
            pipe.close()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
