"""Streams in parts: each part goes to one run of a program, and none is taken incomplete."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from cluster.machine import streams
from cluster.machine.processes import Completed
from cluster.machine.streams import Chunk, PartStream

MEGA = 1 << 20
KEEP = 'n=$(mktemp "$0/XXXXXX"); cat >"$n"; mv "$n" "$0/part-$(date +%s%N)"; echo kept'


class Ends:
    """Records how the programs end; goes on while they succeed."""

    def __init__(self) -> None:
        """No program has ended yet."""
        self.all: list[Completed] = []

    def __call__(self, completed: Completed) -> bool:
        """Record the end of a program."""
        self.all.append(completed)
        return not completed.code


def part(*contents: bytes) -> tuple[Chunk, ...]:
    """Return the chunks of one part."""
    first, *following = contents
    start = Chunk(content=first, starts_part=True)
    end = Chunk(content=b"tail", ends_part=True)
    return (start, *(Chunk(content=content) for content in following), end)


def run(stream: PartStream, chunks: Iterable[Chunk | None]) -> int:
    """Put chunks into a stream that another thread runs; return how many bytes it reported."""
    sizes: list[int] = []
    runner = threading.Thread(target=lambda: sizes.extend(stream.run()))
    runner.start()
    for chunk in chunks:
        stream.put(chunk)
    runner.join()
    return sum(sizes)


def files(folder: Path) -> list[bytes]:
    """Return what the programs have written, in their order."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_parts(tmp_path: Path) -> None:
    """Each part goes whole to a run of the program."""
    ends = Ends()
    stream = PartStream(("sh", "-c", KEEP, str(tmp_path)), compress=False, goes_on=ends)
    reported = run(stream, (*part(b"a", b"b" * MEGA), *part(b"c"), None))

    assert [b"a" + b"b" * MEGA + b"tail", b"ctail"] == files(tmp_path)
    assert [Completed(code=0, output="kept\n", error="")] * 2 == ends.all
    assert (MEGA + 10, MEGA + 10, "") == (reported, stream.sent, stream.failure)


def test_compressed(tmp_path: Path) -> None:
    """Compressed, each part is frames that make the same bytes."""
    ends = Ends()
    stream = PartStream(("sh", "-c", KEEP, str(tmp_path)), compress=True, goes_on=ends)
    reported = run(stream, (*part(b"a" * MEGA, b"b" * MEGA), None))
    (kept,) = files(tmp_path)
    unpacked = zstandard.ZstdDecompressor().stream_reader(kept, read_across_frames=True).read()

    assert b"a" * MEGA + b"b" * MEGA + b"tail" == unpacked
    assert (2 * MEGA + 4, len(kept)) == (reported, stream.sent)


def test_the_last_chunk_waits(tmp_path: Path) -> None:
    """A part does not end before the program has finished the one before."""
    slow = f'cat >/dev/null; sleep 0.3; date +%s%N >>"{tmp_path}/times"'
    late = f'tail -c 4 >/dev/null; date +%s%N >>"{tmp_path}/times"; sleep 0.3'
    program = f'if mkdir "{tmp_path}/first" 2>/dev/null; then {slow}; else {late}; fi'
    run(
        PartStream(("sh", "-c", program), compress=False, goes_on=Ends()),
        (*part(b"a"), *part(b"b"), None),
    )
    first, second = map(int, (tmp_path / "times").read_text("utf-8").split())

    assert first < second


def test_a_program_fails(tmp_path: Path) -> None:
    """After a part that fails, the next one is broken off, and no more chunks are taken."""
    ends = Ends()
    program = "cat >/dev/null; echo no >&2; exit 3"
    stream = PartStream(("sh", "-c", program), compress=False, goes_on=ends)
    run(stream, (*part(b"a"), *part(b"b"), *part(b"c"), None))

    assert [Completed(code=3, output="", error="no\n")] * 2 == ends.all
    assert stream.closed


def test_a_program_ends_early() -> None:
    """A program that takes no more ends the stream, and its output is kept."""
    ends = Ends()
    stream = PartStream(
        ("sh", "-c", "head -c 9 >/dev/null; echo lost >&2; exit 255"), compress=False, goes_on=ends
    )
    run(stream, part(*(b"x" * MEGA for _ in range(20))))

    assert [Completed(code=255, output="", error="lost\n")] == ends.all
    assert (True, "") == (stream.closed, stream.failure)


def test_broken_off(tmp_path: Path) -> None:
    """A stream that is broken off never writes the last chunk of a part."""
    ends = Ends()
    stream = PartStream(("sh", "-c", KEEP, str(tmp_path)), compress=False, goes_on=ends)
    runner = threading.Thread(target=lambda: list(stream.run()))
    runner.start()
    stream.put(Chunk(content=b"a", starts_part=True))
    while not stream.sent:
        time.sleep(0.01)
    stream.break_off("the source is damaged")
    runner.join()

    assert [Completed(code=-9, output="", error="")] == ends.all
    assert [] == list(tmp_path.glob("part-*"))
    assert "the source is damaged" == stream.failure


def test_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes nothing for too long is stopped."""
    monkeypatch.setattr(streams, "STALL_SECONDS", 0.3)
    stream = PartStream(("sleep", "60"), compress=False, goes_on=Ends())
    run(stream, part(*(b"x" * MEGA for _ in range(20))))

    assert (True, "took no data for 0.3 s") == (stream.stalled, stream.failure)


def test_waiting_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program may work on a whole part for as long as it needs."""
    monkeypatch.setattr(streams, "STALL_SECONDS", 0.2)
    ends = Ends()
    stream = PartStream(("sh", "-c", "cat >/dev/null; sleep 0.8"), compress=False, goes_on=ends)
    chunks = (*part(b"a"), *part(b"b"), *part(*(b"x" for _ in range(20))), None)
    run(stream, chunks)

    assert ([0, 0, 0], "") == ([completed.code for completed in ends.all], stream.failure)


def test_abandoned() -> None:
    """An abandoned stream does not wait for the part that its program works on."""
    stream = PartStream(
        ("sh", "-c", "cat >/dev/null; exec sleep 60"), compress=False, goes_on=Ends()
    )
    runner = threading.Thread(target=lambda: list(stream.run()))
    runner.start()
    for chunk in (*part(b"a"), Chunk(content=b"b", starts_part=True)):
        stream.put(chunk)
    while stream.sent < 6:
        time.sleep(0.01)
    began = time.monotonic()
    stream.abandon()
    runner.join()

    assert time.monotonic() - began < 5


def test_reader() -> None:
    """The output of a program is read to its end, and its errors are kept."""
    program = ("sh", "-c", "read -r line; echo $line; echo failed >&2; exit 3")
    with streams.reader(program) as stream:
        stream.send_line("0")
        output = stream.read()
        end = stream.read()
        completed = stream.end()

    assert (b"0\n", b"") == (output, end)
    assert Completed(code=3, output="", error="failed\n") == completed


def test_fifo_reader(tmp_path: Path) -> None:
    """A program may write to a FIFO in a folder with its copy; the folder is removed."""
    (tmp_path / "program").write_text('cat >"$1"\n', "utf-8")
    folders: list[str] = []

    def command(folder: str) -> tuple[str, ...]:
        folders.append(folder)
        return ("sh", f"{folder}/program", f"{folder}/stream")

    with streams.fifo_reader(command, str(tmp_path / "program"), ("false",)) as stream:
        stream.send_line("bytes")
        output = (stream.read(), stream.read())

    assert (b"bytes\n", b"") == output
    assert [False] == [Path(folder).exists() for folder in folders]


def test_fifo_that_no_program_opens(tmp_path: Path) -> None:
    """A program that ends without opening its FIFO has no output, only errors."""
    (tmp_path / "program").write_text("echo no image >&2; exit 1\n", "utf-8")
    with streams.fifo_reader(
        lambda folder: ("sh", f"{folder}/program"), str(tmp_path / "program"), ("false",)
    ) as stream:
        output, completed = stream.read(), stream.end()

    assert (b"", 1, "no image\n") == (output, completed.code, completed.error)
