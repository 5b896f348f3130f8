"""One stream into a node, or into a chain of them: part by part, each into a load of its own."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from queue import Empty, Full, Queue
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from zstandard import ZstdCompressor

PIPE_BYTES = 1 << 20
"""As much as a pipe may hold without privileges (pipe(7), pipe-max-size)."""
PIECES = 4
"""How far a node may lag behind before the others wait for it; a piece has 1 MiB at most."""
STALL_SECONDS = 120.0
"""How long they wait: a disk may pause, but what takes nothing for so long is given up."""
POLL_SECONDS = 0.2
LEVEL = 1
"""Of zstd: the quickest that all versions have, to keep up with a 10 Gb/s port."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the load of a part ended."""

    code: int
    output: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Bytes of an archive, compressed once for all lanes that want them so."""

    plain: bytes
    opens: bool = False
    """They begin a part."""
    closes: bool = False
    """They are what the engine needs to take the part at all."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _packed: list[bytes] = field(default_factory=list)

    def packed(self) -> bytes:
        """Return a zstd frame of its own; frames may stand one after the other (RFC 8878, 3.1)."""
        with self._lock:
            if not self._packed:
                self._packed.append(_compressor(threading.get_ident()).compress(self.plain))
            return self._packed[0]


class Load:
    """A program that takes one archive."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        """Start it."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the program's end)
        self._error = tempfile.TemporaryFile()  # noqa: SIM115 (as above)
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._error,
            pipesize=PIPE_BYTES,
        )

    def write(self, content: bytes) -> None:
        """Hand on bytes; BrokenPipeError says that the program takes no more."""
        if self._process.stdin:
            self._process.stdin.write(content)

    def end(self) -> Ended:
        """Wait for the program's end: it gets no more."""
        self.close()
        code = self._process.wait()
        return Ended(code=code, output=_text(self._output), error=_text(self._error))

    def close(self) -> None:
        """Tell it that this was all."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdin = None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


class Lane:
    """What is poured flows into the loads; one thread pours, another follows the lane."""

    def __init__(
        self, argv: tuple[str, ...], *, packed: bool, goes_on: Callable[[Ended], bool]
    ) -> None:
        """Take the program that loads; `goes_on` judges each load: does another make sense?"""
        self._argv = argv
        self._packed = packed
        self._goes_on = goes_on
        self._pieces: Queue[Piece | None] = Queue(PIECES)
        self._loading: Load | None = None
        self._unpacking: Load | None = None
        self._waits = False
        self._touched = time.monotonic()
        self.sent = 0
        """Bytes that were handed on, as they went over the wire."""
        self.broken = ""
        """Why it was given up from this side."""
        self.stalled = False
        """That was because it took nothing for too long."""
        self.over = False
        """It takes no more."""

    def pour(self, piece: Piece | None) -> None:
        """Give more; nothing means that this was all. Give up a lane that stalls."""
        while not self.over:
            with suppress(Full):
                self._pieces.put(piece, timeout=POLL_SECONDS)
                return
            if not self._waits and time.monotonic() - self._touched > STALL_SECONDS:
                self.stalled = True
                self.stop(f"took no data for {STALL_SECONDS:g} s")

    def stop(self, reason: str) -> None:
        """Break off the part under way: it must not be taken for the whole; nor does more come."""
        self.broken = self.broken or reason
        self.over = True
        if self._loading:
            self._loading.kill()

    def abandon(self) -> None:
        """End all of it at once: the user does not wait for what is being unpacked."""
        self.stop("was interrupted")
        if self._unpacking:
            self._unpacking.kill()

    def flow(self) -> Iterator[int]:
        """Hand on what is poured, and yield how many bytes that were; ends with the last load."""
        try:
            while not self.over and (piece := self._next()):
                if piece.opens:
                    self._loading = Load(self._argv)
                if piece.closes and not self._unpacked():
                    break
                yield self._hand_on(piece)
        except BrokenPipeError:
            pass
        finally:
            self._finish()

    def _hand_on(self, piece: Piece) -> int:
        """Write a piece; return the number of its bytes before they were compressed."""
        if load := self._loading:
            content = piece.packed() if self._packed else piece.plain
            load.write(content)
            self.sent += len(content)
            self._touched = time.monotonic()
            if piece.closes:
                load.close()
                self._loading, self._unpacking = None, load
        return len(piece.plain)

    def _unpacked(self) -> bool:
        """Wait until the part before has been unpacked; tell whether the next makes sense."""
        if not (load := self._unpacking):
            return True
        self._waits = True
        ended = load.end()
        self._unpacking, self._waits, self._touched = None, False, time.monotonic()
        return self._goes_on(ended)

    def _finish(self) -> None:
        """Hear how the loads under way end; one without its last piece takes nothing."""
        self.over = True
        if broken := self._loading:
            broken.close()
        self._unpacked()
        if broken:
            self._goes_on(broken.end())

    def _next(self) -> Piece | None:
        """Return the next piece; nothing when there is none left or the lane was given up."""
        while not self.over:
            with suppress(Empty):
                return self._pieces.get(timeout=POLL_SECONDS)
        return None


@cache
def _compressor(_thread: int) -> "ZstdCompressor":
    """Return a compressor; one may not be used by two threads at once (zstandard's manual)."""
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=LEVEL)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")
