"""The logs of services, in real files, and with a real process that writes one."""

import os
import subprocess
from pathlib import Path

import pytest

from cluster.effects import logs
from cluster.effects.logs import FileLog
from cluster.effects.services import Services
from cluster.errors import RefusedError
from cluster.nodes.process import Trace

MARK = ("LOGS_TEST", "ours")


def traced(folder: Path, content: bytes | None = None, node: str = "spark1") -> Trace:
    """Return a service that has logged so much; None is a service without a log."""
    log = folder / f"{node}.log"
    if content is not None:
        log.write_bytes(content)
    pid_file = str(folder / f"{node}.pid")
    return Trace(place=node, service="ray", pid_file=pid_file, mark=MARK, log=str(log))


def write(trace: Trace, content: bytes) -> None:
    """Add to a log."""
    with Path(trace.log).open("ab") as log:
        log.write(content)


def test_whole_lines(tmp_path: Path) -> None:
    """A log grows by whole lines, each given once; a line is whole when its end has come."""
    trace = traced(tmp_path)
    log = FileLog(trace)
    seen = [log.grown()]
    for content in (b"one\ntw", b"o\nthree\n", b"", b"gr\xf6\xdfer\n"):
        write(trace, content)
        seen.append(log.grown())

    assert [[], ["one"], ["two", "three"], [], ["gr\ufffd\ufffder"]] == seen


def test_rest(tmp_path: Path) -> None:
    """At the end of a log the line that was never finished counts, once."""
    log = FileLog(traced(tmp_path, b"one\ntwo\nKilled"))

    assert ["one", "two"] == log.grown()
    assert ["Killed"] == log.rest()
    assert [] == log.rest()


def test_log_of_a_restarted_service(tmp_path: Path) -> None:
    """A log that has been begun anew is read from its top."""
    trace = traced(tmp_path, b"a long line\n")
    log = FileLog(trace)
    before = log.grown()
    Path(trace.log).write_bytes(b"short\n")

    assert ["a long line"] == before
    assert ["short"] == log.grown()


@pytest.mark.parametrize(
    "lines, expected",
    [
        (0, ""),
        (1, "spark1 ray | Killed\nspark2 ray | done\n"),
        (2, "spark1 ray | two\nspark1 ray | Killed\nspark2 ray | done\n"),
        (9, "spark1 ray | one\nspark1 ray | two\nspark1 ray | Killed\nspark2 ray | done\n"),
    ],
)
def test_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: int, expected: str
) -> None:
    """The last lines of each log are shown, also one without an end; of no log none."""
    traces = (
        traced(tmp_path, b"one\ntwo\nKilled"),
        traced(tmp_path, b"done\n", "spark2"),
        traced(tmp_path, None, "spark3"),
    )
    logs.show(Services(), traces, lines)

    assert (expected, "") == capsys.readouterr()


@pytest.mark.parametrize(
    "lines, expected",
    [
        (0, "spark1 ray | Killed\n"),
        (1, "spark1 ray | two\nspark1 ray | Killed\n"),
        (2, "spark1 ray | one\nspark1 ray | two\nspark1 ray | Killed\n"),
    ],
)
def test_follow_what_has_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: int, expected: str
) -> None:
    """A service that has ended is followed to its very last word."""
    logs.follow(Services(), (traced(tmp_path, b"one\ntwo\nKilled"),), lines)

    assert (expected, "") == capsys.readouterr()


def test_follow_what_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a running service adds is printed until it has ended, whole lines and the last word."""
    trace = traced(tmp_path, b"old\n")
    script = "sleep 0.5; echo one; sleep 0.5; echo two; printf Killed"
    environment = {**os.environ, MARK[0]: MARK[1]}
    with Path(trace.log).open("ab") as log:
        service = subprocess.Popen(["sh", "-c", script], stdout=log, env=environment)
    Path(trace.pid_file).write_text(f"{service.pid}\n", encoding="utf-8")
    with service:
        logs.follow(Services(), (trace,))
    expected = "spark1 ray | one\nspark1 ray | two\nspark1 ray | Killed\n"

    assert (expected, "") == capsys.readouterr()


def test_no_logs(tmp_path: Path) -> None:
    """Where no service has a log, nothing has been started."""
    with pytest.raises(RefusedError) as caught:
        logs.show(Services(), (traced(tmp_path), traced(tmp_path, None, "spark2")), 1)

    assert "spark1: no logs: nothing has been started" == str(caught.value)


def test_number_of_lines() -> None:
    """A number of lines is read; anything else is refused."""
    with pytest.raises(RefusedError) as caught:
        logs.count("all")

    assert 0 == logs.count("0")
    assert "--lines: should be a number of lines: `all` (write a number from 0 to 1000000)" == str(
        caught.value
    )
