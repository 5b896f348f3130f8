"""A lane: pieces flow into loads part by part, and nothing passes for whole that is not."""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard

from cluster.ship import lane as lanes
from cluster.ship.lane import Ended, Lane, Piece

MEGA = 1 << 20
KEEP = 'n=$(mktemp "$0/XXXXXX"); cat >"$n"; mv "$n" "$0/part-$(date +%s%N)"; echo kept'


class Heard:
    """What a lane says of its loads; goes on while they end well."""

    def __init__(self) -> None:
        """Nothing has ended yet."""
        self.ends: list[Ended] = []

    def __call__(self, ended: Ended) -> bool:
        """Remember the end of a load."""
        self.ends.append(ended)
        return not ended.code


def part(*contents: bytes) -> tuple[Piece, ...]:
    """Return the pieces of one part."""
    first, *rest = contents
    opening = Piece(plain=first, opens=True)
    return (opening, *(Piece(plain=its) for its in rest), Piece(plain=b"tail", closes=True))


def flow(lane: Lane, pieces: Iterable[Piece | None]) -> int:
    """Pour pieces into a lane that another thread follows; return how many bytes it told of."""
    told: list[int] = []
    follower = threading.Thread(target=lambda: told.extend(lane.flow()))
    follower.start()
    for piece in pieces:
        lane.pour(piece)
    follower.join()
    return sum(told)


def files(folder: Path) -> list[bytes]:
    """Return what the loads have kept, in their order."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_parts(tmp_path: Path) -> None:
    """Each part goes whole into a load of its own."""
    heard = Heard()
    lane = Lane(("sh", "-c", KEEP, str(tmp_path)), packed=False, goes_on=heard)
    told = flow(lane, (*part(b"a", b"b" * MEGA), *part(b"c"), None))

    assert [b"a" + b"b" * MEGA + b"tail", b"ctail"] == files(tmp_path)
    assert [Ended(code=0, output="kept\n", error="")] * 2 == heard.ends
    assert (MEGA + 10, MEGA + 10, "") == (told, lane.sent, lane.broken)


def test_packed(tmp_path: Path) -> None:
    """Compressed, each part is frames that make the same bytes."""
    heard = Heard()
    lane = Lane(("sh", "-c", KEEP, str(tmp_path)), packed=True, goes_on=heard)
    told = flow(lane, (*part(b"a" * MEGA, b"b" * MEGA), None))
    (kept,) = files(tmp_path)
    unpacked = zstandard.ZstdDecompressor().stream_reader(kept, read_across_frames=True).read()

    assert b"a" * MEGA + b"b" * MEGA + b"tail" == unpacked
    assert (2 * MEGA + 4, len(kept)) == (told, lane.sent)


def test_the_last_piece_waits(tmp_path: Path) -> None:
    """A part is not closed before the one before has been taken."""
    slow = f'cat >/dev/null; sleep 0.3; date +%s%N >>"{tmp_path}/times"'
    late = f'tail -c 4 >/dev/null; date +%s%N >>"{tmp_path}/times"; sleep 0.3'
    program = f'if mkdir "{tmp_path}/first" 2>/dev/null; then {slow}; else {late}; fi'
    flow(
        Lane(("sh", "-c", program), packed=False, goes_on=Heard()), (*part(b"a"), *part(b"b"), None)
    )
    first, second = map(int, (tmp_path / "times").read_text("utf-8").split())

    assert first < second


def test_a_load_fails(tmp_path: Path) -> None:
    """After a part that was not taken, the next is broken off, and no more is asked for."""
    heard = Heard()
    program = "cat >/dev/null; echo no >&2; exit 3"
    lane = Lane(("sh", "-c", program), packed=False, goes_on=heard)
    flow(lane, (*part(b"a"), *part(b"b"), *part(b"c"), None))

    assert [Ended(code=3, output="", error="no\n")] * 2 == heard.ends
    assert lane.over


def test_a_load_ends_early() -> None:
    """A program that takes no more ends the lane, with its words."""
    heard = Heard()
    lane = Lane(
        ("sh", "-c", "head -c 9 >/dev/null; echo lost >&2; exit 255"), packed=False, goes_on=heard
    )
    flow(lane, part(*(b"x" * MEGA for _ in range(20))))

    assert [Ended(code=255, output="", error="lost\n")] == heard.ends
    assert (True, "") == (lane.over, lane.broken)


def test_stopped(tmp_path: Path) -> None:
    """A lane that is stopped never gives a load its last piece."""
    heard = Heard()
    lane = Lane(("sh", "-c", KEEP, str(tmp_path)), packed=False, goes_on=heard)
    follower = threading.Thread(target=lambda: list(lane.flow()))
    follower.start()
    lane.pour(Piece(plain=b"a", opens=True))
    while not lane.sent:
        time.sleep(0.01)
    lane.stop("the source is damaged")
    follower.join()

    assert [Ended(code=-9, output="", error="")] == heard.ends
    assert [] == list(tmp_path.glob("part-*"))
    assert "the source is damaged" == lane.broken


def test_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that takes nothing for too long is given up."""
    monkeypatch.setattr(lanes, "STALL_SECONDS", 0.3)
    lane = Lane(("sleep", "60"), packed=False, goes_on=Heard())
    flow(lane, part(*(b"x" * MEGA for _ in range(20))))

    assert (True, "took no data for 0.3 s") == (lane.stalled, lane.broken)


def test_waiting_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node may unpack for as long as it likes."""
    monkeypatch.setattr(lanes, "STALL_SECONDS", 0.2)
    heard = Heard()
    lane = Lane(("sh", "-c", "cat >/dev/null; sleep 0.8"), packed=False, goes_on=heard)
    pieces = (*part(b"a"), *part(b"b"), *part(*(b"x" for _ in range(20))), None)
    flow(lane, pieces)

    assert ([0, 0, 0], "") == ([ended.code for ended in heard.ends], lane.broken)


def test_abandoned() -> None:
    """Ctrl-C does not wait for what is being unpacked."""
    lane = Lane(("sh", "-c", "cat >/dev/null; exec sleep 60"), packed=False, goes_on=Heard())
    follower = threading.Thread(target=lambda: list(lane.flow()))
    follower.start()
    for piece in (*part(b"a"), Piece(plain=b"b", opens=True)):
        lane.pour(piece)
    while lane.sent < 6:
        time.sleep(0.01)
    began = time.monotonic()
    lane.abandon()
    follower.join()

    assert time.monotonic() - began < 5
