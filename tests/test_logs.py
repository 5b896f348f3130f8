"""Logs of services, in real files and from a real process."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from cluster.errors import NodeError, Problem, RefusedError
from cluster.logs import logs
from cluster.namespaces.perform import FileLog
from cluster.namespaces.steps import ProcessHandle
from cluster.plan import services
from tests.clusters import SPARKS

MARK = ("LOGS_TEST", "service")


def service(
    folder: Path,
    content: bytes | None = None,
    node: str = "spark1",
    kind: type[ProcessHandle] = ProcessHandle,
) -> ProcessHandle:
    """Return a service whose log has this content, or that has no log."""
    log = folder / f"{node}.log"
    if content is not None:
        log.write_bytes(content)
    pid_file = str(folder / f"{node}.pid")
    return kind(place=node, service="ray", pid_file=pid_file, mark=MARK, log=str(log))


def write(handle: ProcessHandle, content: bytes) -> None:
    """Append to a log."""
    with Path(handle.log).open("ab") as log:
        log.write(content)


def test_whole_lines(tmp_path: Path) -> None:
    """A log that grows returns each line once, as soon as it is complete."""
    handle = service(tmp_path)
    log = FileLog(handle)
    reads = [log.new_lines()]
    for content in (b"one\ntw", b"o\nthree\n", b"", b"gr\xf6\xdfer\n"):
        write(handle, content)
        reads.append(log.new_lines())

    assert [[], ["one"], ["two", "three"], [], ["gr\ufffd\ufffder"]] == reads


def test_rest(tmp_path: Path) -> None:
    """The rest of a log includes an incomplete last line, once."""
    log = FileLog(service(tmp_path, b"one\ntwo\nKilled"))

    assert ["one", "two"] == log.new_lines()
    assert ["Killed"] == log.remaining_lines()
    assert [] == log.remaining_lines()


def test_log_of_a_restarted_service(tmp_path: Path) -> None:
    """A log that was started again is read from its top."""
    handle = service(tmp_path, b"a long line\n")
    log = FileLog(handle)
    before = log.new_lines()
    Path(handle.log).write_bytes(b"short\n")

    assert ["a long line"] == before
    assert ["short"] == log.new_lines()


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
    """The last lines of each log are shown, even an incomplete one; a missing log is skipped."""
    handles = (
        service(tmp_path, b"one\ntwo\nKilled"),
        service(tmp_path, b"done\n", "spark2"),
        service(tmp_path, None, "spark3"),
    )
    logs.show(handles, lines)

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
    """A service that has ended is followed to the end of its log."""
    logs.follow((service(tmp_path, b"one\ntwo\nKilled"),), lines)

    assert (expected, "") == capsys.readouterr()


def test_follow_what_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """New lines of a running service are printed until it ends, even an incomplete last one."""
    handle = service(tmp_path, b"old\n")
    script = "sleep 0.5; echo one; sleep 0.5; echo two; printf Killed"
    environment = {**os.environ, MARK[0]: MARK[1]}
    with Path(handle.log).open("ab") as log:
        process = subprocess.Popen(["sh", "-c", script], stdout=log, env=environment)
    Path(handle.pid_file).write_text(f"{process.pid}\n", encoding="utf-8")
    with process:
        logs.follow((handle,))
    expected = "spark1 ray | one\nspark1 ray | two\nspark1 ray | Killed\n"

    assert (expected, "") == capsys.readouterr()


def test_no_logs(tmp_path: Path) -> None:
    """Without any log, the error says that nothing has been started."""
    with pytest.raises(RefusedError) as caught:
        logs.show((service(tmp_path), service(tmp_path, None, "spark2")), 1)

    expected = "spark1: no logs: nothing has been started (start the cluster with `inv up`)"

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    "options, expected",
    [
        (
            {"follow": True, "explain": True, "json": False},
            "inv logs: --follow and --explain cannot be combined",
        ),
        (
            {"follow": False, "explain": False, "json": True},
            "--json: only explanations have a JSON form (add --explain)",
        ),
    ],
)
def test_contradicting_options(options: dict[str, bool], expected: str) -> None:
    """Options that would be ignored are refused."""
    with pytest.raises(RefusedError) as caught:
        logs.check_options(**options)

    assert expected == str(caught.value)


def test_valid_options() -> None:
    """Explanations may be JSON, and plain logs may be followed."""
    logs.check_options(follow=False, explain=True, json=True)
    logs.check_options(follow=True, explain=False, json=False)


KILLED = b"2026-11-23 13:28:16,080\tERR scripts.py:87 -- raylet [exit code=-9]\n"
EXPLAINED = """\
spark2: a process was killed (SIGKILL): by the kernel or earlyoom to free memory, or by hand \
(`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; then lower \
GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`)
    {line}
    in the log of ray on spark2{time}
"""
NO_ANSWER = Problem(place="spark3", message="does not answer")


class UnreachableLog(FileLog):
    """A log on a machine that does not answer, from the beginning or later."""

    @property
    def exists(self) -> bool:
        """Answer only for a log that exists."""
        if super().exists:
            return True
        raise NodeError(NO_ANSWER)

    def remaining_lines(self) -> list[str]:
        """Fail as if the machine did not answer."""
        raise NodeError(NO_ANSWER)


class KilledService(ProcessHandle):
    """A service that was killed, whose exit code its container keeps."""


class UnreachableService(ProcessHandle):
    """A service on a machine that does not answer."""


@services.exit_code.register
def _(_handle: KilledService) -> int | None:
    return 137


@services.log.register
def _(handle: UnreachableService) -> FileLog:
    return UnreachableLog(handle)


def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A known failure is explained, and the exit code is 1."""
    handles = (service(tmp_path, b"fine\n"), service(tmp_path, KILLED, "spark2"))
    code = logs.explain(SPARKS, handles)
    expected = EXPLAINED.format(line="raylet [exit code=-9]", time=" at 11-23 13:28:16.080")

    assert 1 == code
    assert (expected, "") == capsys.readouterr()


def test_explain_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The explanations are available as JSON."""
    code = logs.explain(SPARKS, (service(tmp_path, KILLED, "spark2"),), as_json=True)
    content = json.loads(capsys.readouterr().out)

    assert 1 == code
    assert [("killed", "spark2")] == [
        (item["signature"], item["node"]) for item in content["explanations"]
    ]


def test_explain_without_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a known failure, the text says so and the exit code is 0."""
    code = logs.explain(SPARKS, (service(tmp_path, b"fine\n"),))

    assert 0 == code
    assert ("all logs: no known failure found\n", "") == capsys.readouterr()


@pytest.mark.parametrize("content", [None, b"later\n"])
def test_explain_with_unreachable_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """A node that does not answer is named, and the other nodes are explained all the same."""
    handles = (
        service(tmp_path, b"fine\n"),
        service(tmp_path, b"fine\n", "spark2", KilledService),
        service(tmp_path, content, "spark3", UnreachableService),
    )
    with pytest.raises(NodeError) as caught:
        logs.explain(SPARKS, handles)
    expected = EXPLAINED.format(line="ray has ended with exit code 137", time="")

    assert "spark3: does not answer" == str(caught.value)
    assert (expected, "") == capsys.readouterr()


def test_explain_without_any_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If no node answers, nothing is explained."""
    with pytest.raises(NodeError) as caught:
        logs.explain(SPARKS, (service(tmp_path, None, "spark3", UnreachableService),))

    assert "spark3: does not answer" == str(caught.value)
    assert ("", "") == capsys.readouterr()


def test_line_count() -> None:
    """`--lines` takes a number; any other text is refused."""
    with pytest.raises(RefusedError) as caught:
        logs.line_count("all")

    assert 0 == logs.line_count("0")
    expected = "--lines: must be a number of lines, not `all` (write a number from 0 to 1000000)"
    assert expected == str(caught.value)
