"""The logs of services, in real files, and with a real process that writes one."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cluster.errors import NodeError, Problem, RefusedError
from cluster.logs import logs
from cluster.logs.logs import FileLog
from cluster.namespaces.steps import ProcessHandle
from cluster.plan.services import Services
from cluster.plan.steps import AnyHandle
from tests.clusters import SPARKS

MARK = ("LOGS_TEST", "ours")


def traced(folder: Path, content: bytes | None = None, node: str = "spark1") -> ProcessHandle:
    """Return a service that has logged so much; None is a service without a log."""
    log = folder / f"{node}.log"
    if content is not None:
        log.write_bytes(content)
    pid_file = str(folder / f"{node}.pid")
    return ProcessHandle(place=node, service="ray", pid_file=pid_file, mark=MARK, log=str(log))


def write(trace: ProcessHandle, content: bytes) -> None:
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

    expected = "spark1: no logs: nothing has been started (`inv up` starts the cluster)"

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    "options, sentence",
    [
        (
            {"follow": True, "explain": True, "json": False},
            "--follow --explain: what goes on is not explained (give one)",
        ),
        (
            {"follow": False, "explain": False, "json": True},
            "--json: logs are lines (give --explain as well)",
        ),
    ],
)
def test_options_without_a_meaning(options: dict[str, bool], sentence: str) -> None:
    """What would be ignored is refused."""
    with pytest.raises(RefusedError) as caught:
        logs.refuse(**options)

    assert sentence == str(caught.value)


def test_options_with_a_meaning() -> None:
    """Explanations may be JSON, and plain logs may go on."""
    logs.refuse(follow=False, explain=True, json=True)
    logs.refuse(follow=True, explain=False, json=False)


KILLED = b"2026-11-23 13:28:16,080\tERR scripts.py:87 -- raylet [exit code=-9]\n"
EXPLAINED = """\
spark2: a process was killed (SIGKILL): by the kernel or earlyoom to free memory, or by hand \
(`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; then lower \
GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`)
    {line}
    in the log of ray on spark2{time}
"""
AWAY = Problem(place="spark3", message="does not answer")


class Away(FileLog):
    """A log on a machine that does not answer, at first or later."""

    @property
    def exists(self) -> bool:
        """Answer only for what is there."""
        if super().exists:
            return True
        raise NodeError(AWAY)

    def rest(self) -> list[str]:
        """Say that nobody answers."""
        raise NodeError(AWAY)


class Ended(Services):
    """Services as containers: the third machine does not answer, and others were killed."""

    def log(self, trace: AnyHandle) -> FileLog:
        """Return a log."""
        assert isinstance(trace, ProcessHandle)
        return (Away if trace.place == "spark3" else FileLog)(trace)

    def exit_code(self, trace: AnyHandle) -> int | None:
        """Return the code of a container."""
        return 137 if trace.place == "spark2" else 0


def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is known to have gone wrong is told, and is an exit code."""
    traces = (traced(tmp_path, b"fine\n"), traced(tmp_path, KILLED, "spark2"))
    code = logs.explain(SPARKS, Services(), traces)
    expected = EXPLAINED.format(line="raylet [exit code=-9]", time=" at 11-23 13:28:16.080")

    assert 1 == code
    assert (expected, "") == capsys.readouterr()


def test_explain_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same as JSON."""
    code = logs.explain(SPARKS, Services(), (traced(tmp_path, KILLED, "spark2"),), as_json=True)
    content = json.loads(capsys.readouterr().out)

    assert 1 == code
    assert [("killed", "spark2")] == [
        (it["signature"], it["node"]) for it in content["explanations"]
    ]


def test_explain_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is wrong, that is said, and the exit code is 0."""
    code = logs.explain(SPARKS, Services(), (traced(tmp_path, b"fine\n"),))

    assert 0 == code
    assert ("all logs: no known failure found\n", "") == capsys.readouterr()


@pytest.mark.parametrize("content", [None, b"later\n"])
def test_explain_what_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """A node that cannot be asked is named, and does not keep the others from being explained."""
    traces = (
        traced(tmp_path, b"fine\n"),
        traced(tmp_path, b"fine\n", "spark2"),
        traced(tmp_path, content, "spark3"),
    )
    with pytest.raises(NodeError) as caught:
        logs.explain(SPARKS, Ended(), traces)
    expected = EXPLAINED.format(line="ray has ended with exit code 137", time="")

    assert "spark3: does not answer" == str(caught.value)
    assert (expected, "") == capsys.readouterr()


def test_explain_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can be asked, nothing is said of what went wrong."""
    with pytest.raises(NodeError) as caught:
        logs.explain(SPARKS, Ended(), (traced(tmp_path, None, "spark3"),))

    assert "spark3: does not answer" == str(caught.value)
    assert ("", "") == capsys.readouterr()


def test_number_of_lines() -> None:
    """A number of lines is read; anything else is refused."""
    with pytest.raises(RefusedError) as caught:
        logs.count("all")

    assert 0 == logs.count("0")
    assert "--lines: should be a number of lines: `all` (write a number from 0 to 1000000)" == str(
        caught.value
    )
