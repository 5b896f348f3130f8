"""Lines of logs as Ray, vLLM, PyTorch and Uvicorn decorate them."""

import pytest

from cluster.logs import logline
from cluster.logs.logline import Line

CYAN, GREEN, PLAIN = "\x1b[36m", "\x1b[32m", "\x1b[0m"
REMOTE = "(RayWorkerProc pid=103, ip=192.168.177.12) "
LOCAL = "(RayWorkerProc pid=604) "


@pytest.mark.parametrize(
    "line, expected",
    [
        ("", Line()),
        ("hello  ", Line(text="hello")),
        ('  File "a.py", line 1, in f', Line(text='  File "a.py", line 1, in f')),
        ("(not a process) hello", Line(text="(not a process) hello")),
        # A progress bar that is drawn repeatedly, and a record of several lines.
        ("\rShards:   0%\rShards:  50%", Line(text="Shards:  50%")),
        ("one\r\ntwo\r\n", Line(text="two")),
    ],
)
def test_plain(line: str, expected: Line) -> None:
    """Of a line without decoration, the last state counts, with its indentation."""
    assert expected == logline.read(line)


@pytest.mark.parametrize(
    "line, process, author",
    [
        (f"{CYAN}(RayWorkerProc pid=604){PLAIN} hello", LOCAL, "RayWorkerProc"),
        (f"{LOCAL}(MainProcess pid=604) hello", LOCAL, "RayWorkerProc"),
        (f"{REMOTE}hello", REMOTE, "RayWorkerProc ip=192.168.177.12"),
        (
            f"{REMOTE}(Worker_TP1 pid=103) hello",
            REMOTE,
            "RayWorkerProc Worker_TP1 ip=192.168.177.12",
        ),
        ("(pid=110, ip=10.0.0.2) hello", "(pid=110, ip=10.0.0.2) ", "ip=10.0.0.2"),
        ("(raylet) hello", "(raylet) ", "raylet"),
        ("(raylet, ip=10.0.0.2) hello", "(raylet, ip=10.0.0.2) ", "raylet ip=10.0.0.2"),
        ("(autoscaler +15s) hello", "(autoscaler +15s) ", "autoscaler"),
        (
            f"{REMOTE}hello{GREEN} [repeated 2x across cluster]{PLAIN} (Ray removes some.)",
            REMOTE,
            "RayWorkerProc ip=192.168.177.12",
        ),
    ],
)
def test_process(line: str, process: str, author: str) -> None:
    """Each line names its process, and its author by the names and the address that people know."""
    assert Line(process=process, author=author, text="hello") == logline.read(line)


@pytest.mark.parametrize(
    "header, level, source, time",
    [
        ("INFO 11-23 13:14:09 [core.py:133] ", "I", "core.py:133", "11-23 13:14:09"),
        (
            "2026-11-23 13:28:16,080\tERR scripts.py:1307 -- ",
            "E",
            "scripts.py:1307",
            "11-23 13:28:16.080",
        ),
        (
            "[2026-11-23 13:25:40,200 W 13 13] network_util.cc:330: ",
            "W",
            "network_util.cc:330",
            "11-23 13:25:40.200",
        ),
        (
            "[2026-11-23 13:27:48,617 I 28 28] (raylet) node_manager.cc:492: ",
            "I",
            "node_manager.cc:492",
            "11-23 13:27:48.617",
        ),
        (
            "W1123 13:26:14.945000 553 torch/triton.py:53] ",
            "W",
            "torch/triton.py:53",
            "11-23 13:26:14.945000",
        ),
        (
            "[W1123 13:26:42.474227337 socket.cpp:207] ",
            "W",
            "socket.cpp:207",
            "11-23 13:26:42.474227337",
        ),
        (
            "[rank0]:[E822 16:31:16.131931664 ProcessGroupNCCL.cpp:632] ",
            "E",
            "ProcessGroupNCCL.cpp:632",
            "08-22 16:31:16.131931664",
        ),
        (
            "[2026-03-13 22:26:02] host-1:12:34 [5] ibvwrap.c:262 NCCL WARN ",
            "W",
            "ibvwrap.c:262",
            "03-13 22:26:02",
        ),
        (
            "spark2:12:34 [0] misc/ibvwrap.cc:380 (wrap_ibv_modify_qp) NCCL WARN ",
            "W",
            "misc/ibvwrap.cc:380",
            "",
        ),
        ("spark1:12:34 [0] NCCL INFO ", "I", "", ""),
        ("ERROR:    ", "E", "", ""),
    ],
)
def test_header(header: str, level: str, source: str, time: str) -> None:
    """The headers of all programs that log to one file are separated from their messages."""
    expected = Line(level=level, source=source, text="hello", time=time)

    assert expected == logline.read(f"{header}hello")


@pytest.mark.parametrize(
    "level, expected",
    [("", False), ("C", False), ("E", False), ("D", True), ("I", True), ("S", True), ("W", True)],
)
def test_quiet(level: str, expected: bool) -> None:  # noqa: FBT001 (the expected answer)
    """Information and warnings are quiet; a line without a level is not."""
    assert expected == Line(level=level).is_quiet
