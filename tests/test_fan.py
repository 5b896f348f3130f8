"""One program's output into several: each gets all of it, or is told apart from those that did."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.effects.image import fan
from cluster.effects.image.fan import Ended, Sink

SIZE = 20 * fan.CHUNK_BYTES + 7
ZEROS = ("head", "--bytes", str(SIZE), "/dev/zero")


def poured(argv: tuple[str, ...], *sinks: Sink) -> list[Ended]:
    """Pour a program's output into sinks to their ends."""

    def followed(sink: Sink) -> Ended:
        for _ in sink.flow():
            pass
        return sink.end()

    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(followed, sink) for sink in sinks]
        fan.pour(argv, sinks)
        return [end.result() for end in ends]


def writer(path: Path) -> Sink:
    """Return a program that writes what it gets to a file."""
    return Sink(("sh", "-c", 'cat >"$0"', str(path)))


def test_all_get_all(tmp_path: Path) -> None:
    """Every program gets every byte, once and in order."""
    text = tmp_path / "text"
    text.write_bytes(bytes(range(256)) * 20_000)
    sinks = [writer(tmp_path / name) for name in ("one", "two")]
    ends = poured(("cat", str(text)), *sinks)

    assert [Ended(code=0, said="")] * 2 == ends
    assert [text.stat().st_size] * 2 == [sink.taken for sink in sinks]
    assert [text.read_bytes()] * 2 == [(tmp_path / name).read_bytes() for name in ("one", "two")]


def test_one_fails(tmp_path: Path) -> None:
    """A program that ends early says why, and the other one still gets all."""
    good, bad = writer(tmp_path / "good"), Sink(("sh", "-c", "head -c 9 >/dev/null; ls /no"))
    ends = poured(ZEROS, bad, good)

    assert [2, 0] == [end.code for end in ends]
    assert "" != ends[0].said
    assert SIZE == (tmp_path / "good").stat().st_size


def test_all_fail() -> None:
    """When nobody takes anything any more, an endless program is stopped."""
    sinks = (Sink(("sh", "-c", "echo no >&2; exit 3")), Sink(("false",)))

    assert [Ended(code=3, said="no\n"), Ended(code=1, said="")] == poured(("yes",), *sinks)


def test_a_part_is_not_the_whole() -> None:
    """When the first program fails, the others are killed before they see an end."""
    sink = Sink(("sh", "-c", "cat >/dev/null; echo whole >&2"))
    (end,) = poured(("sh", "-c", "echo part; echo 'no more' >&2; exit 7"), sink)

    assert (-9, "") == (end.code, end.said)
    assert "no more\n" == sink.starved


def test_a_silent_failure() -> None:
    """A program that fails without a word has at least its exit code."""
    sink = Sink(("cat",))
    poured(("sh", "-c", "exit 7"), sink)

    assert "exit code 7" == sink.starved


def test_one_stalls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes nothing for too long is killed, and the other one gets all."""
    monkeypatch.setattr(fan, "STALL_SECONDS", 0.3)
    stuck, good = Sink(("sleep", "60")), writer(tmp_path / "good")
    ends = poured(ZEROS, stuck, good)

    assert [-9, 0] == [end.code for end in ends]
    assert (True, False) == (stuck.stalled, good.stalled)
    assert SIZE == (tmp_path / "good").stat().st_size


def test_a_slow_one(tmp_path: Path) -> None:
    """The others wait for a program that is only slow."""
    slow = Sink(("sh", "-c", 'sleep 0.5; cat >"$0"', str(tmp_path / "slow")))
    ends = poured(ZEROS, slow, writer(tmp_path / "good"))

    assert [Ended(code=0, said="")] * 2 == ends
    assert SIZE == (tmp_path / "slow").stat().st_size
