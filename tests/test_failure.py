"""The failures in logs of real runs: which lines are fatal, and which an excerpt shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.logs import failure, logline
from tests.clusters import ROOT

CAPTURES = ROOT / "tests" / "captures"
GOOD = ["ray-head-good", "ray-worker-good", "serve-good"]
FAILED = sorted(path.stem for path in CAPTURES.glob("*.txt"))
"""Each has a text with its excerpt."""
UNDECIDED = ["ray-no-head"]
"""Ray keeps trying, so only a timeout ends the wait for it."""

CORE = "(EngineCore pid=697) INFO 11-23 13:14:39 "
BROKEN = "(EngineCore pid=697) ERROR 11-23 13:14:39 [core.py:1510] "
HARMLESS = "WARNING 11-23 13:14:39 [a.py:1] "
REMOTE = "(RayWorkerProc pid=103, ip=192.168.177.12) "
LOCAL = "(RayWorkerProc pid=604) "
WAITED = "[ray_utils.py:467] Waiting for creating a placement group of specs for {} seconds."
OPENING = "Traceback (most recent call last):"
FRAME = '  File "/opt/venv/lib/python3.12/site-packages/vllm/a.py", line 7, in load'
PLACE = "at vllm/a.py:7, in load"
TASK = (
    "ray.exceptions.RayTaskError(E): ray::vllm_1_TP0:W.f() (pid=1, ip=192.168.177.12, actor_id=2)"
)


def is_fatal(line: str) -> bool:
    """Whether a line of a log is fatal."""
    return failure.is_fatal(logline.read(line))


def captured(name: str) -> list[str]:
    """Return the lines of a real log, split as they are when a log is read while it grows."""
    return (CAPTURES / f"{name}.log").read_bytes().decode("utf-8").splitlines()


def raised(prefix: str, message: str) -> list[str]:
    """Return a traceback as a process logs it."""
    return [f"{prefix}{line}" for line in (OPENING, FRAME, "    raise", message)]


@pytest.mark.parametrize("name", GOOD)
def test_no_false_alarm(name: str) -> None:
    """No line in the log of a good run is fatal."""
    assert [] == [line for line in captured(name) if is_fatal(line)]


@pytest.mark.parametrize("name", [name for name in FAILED if name not in UNDECIDED])
def test_every_end_is_noticed(name: str) -> None:
    """The log of each failed program has a fatal line, so the wait for it ends at once."""
    assert any(is_fatal(line) for line in captured(name))


@pytest.mark.parametrize(
    "line, expected",
    [
        ("vllm: error: unrecognized arguments: --no-such-flag", True),
        ("vllm serve: error: argument --port: invalid int value: 'x'", True),
        ("Error: No such option '--num-gpu'. (Did you mean '--num-gpus'?)", True),
        ('  File "/usr/local/bin/vllm", line 8, in <module>', True),
        ('  File "/usr/local/bin/ray", line 8, in <module>', True),
        (f"{BROKEN}EngineCore failed to start.", True),
        (f"{BROKEN}EngineCore encountered a fatal error.", True),
        (f"{BROKEN}RayWorkerProc rank=[1] died unexpectedly, shutting down executor.", True),
        ("RuntimeError: Engine core initialization failed. See root cause above.", True),
        (f"{BROKEN}ray.exceptions.ActorDiedError: The actor died unexpectedly before", True),
        (f"{BROKEN}ray.exceptions.OutOfMemoryError: Task was killed due to the node", True),
        (f"{BROKEN}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", True),
        (f"{BROKEN}ValueError: Cannot provide a placement group requiring 4.0 GPUs", True),
        (f"{BROKEN}ValueError: No available memory for the cache blocks.", True),
        (f"{BROKEN}ValueError: To serve at least one request with the model's max seq len", True),
        (f"{BROKEN}ValueError: Free memory on device cuda:0 (3.1/119.7 GiB) on startup", True),
        (f"{BROKEN}RuntimeError: NCCL error: unhandled system error", True),
        (f"{BROKEN}torch.distributed.DistNetworkError: The client socket has timed out", True),
        ("RuntimeError: [../gloo/transport/tcp/pair.cc:537] Read error [10.0.0.2]:1: reset", True),
        ("ERROR:    [Errno 98] error while attempting to bind: address already in use", True),
        ("\x1b[33m(raylet)\x1b[0m Raylet is terminated. Termination is unexpected.", True),
        ("(raylet) 1 Workers (tasks / actors) killed due to memory pressure (OOM), 0", True),
        (
            "2026-11-23 13:28:16,080\tERR scripts.py:1315 -- Remaining processes will be killed.",
            True,
        ),
        (f"{CORE}{WAITED.format(29)}", False),
        (f"{CORE}{WAITED.format(30)}", True),
        (f"{CORE}{WAITED.format(150)}", True),
        # Libraries catch these, retry or only warn.
        ("Traceback (most recent call last):", False),
        ('  File "/usr/lib/python3.11/threading.py", line 1, in <module>', False),
        ("(EngineCore pid=1) WARNING 11-23 13:14:39 [a.py:1] Address already in use", False),
        ("[W1123 13:26:42.471195715 socket.cpp:1] errno: 98 - Address already in use", False),
        (f"{BROKEN}Failed to load LogitsProcessor plugin x: no module", False),
        ("spark1:12:34 [0] NCCL INFO transport.cc:123 -> 2", False),
        ("ray: waiting", False),
        ("", False),
    ],
)
def test_fatal(line: str, expected: bool) -> None:  # noqa: FBT001 (the expected answer)
    """A line that ends a program is fatal; one that it survives is not."""
    assert expected == is_fatal(line)


@pytest.mark.parametrize("name", FAILED)
def test_excerpt(name: str) -> None:
    """The excerpt of each failed run has the lines that show the reason, and no others."""
    expected = (CAPTURES / f"{name}.txt").read_text(encoding="utf-8")

    assert expected == "".join(f"{line}\n" for line in failure.excerpt(captured(name)))


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([], ()),
        (["", "(EngineCore pid=1) one", "two"], ("EngineCore: one", "two")),
        # An exception that a library caught has not ended the program.
        (
            ["Exception ignored in: <f>", OPENING, "KeyError"],
            ("Exception ignored in: <f>", OPENING, "KeyError"),
        ),
        (raised(HARMLESS, "KeyError"), (OPENING, FRAME, "    raise", "KeyError")),
        # A traceback that was cut off before its message.
        ([OPENING, FRAME], (OPENING, FRAME)),
        (raised("", "KeyError: 1"), ("KeyError: 1", PLACE)),
        ([OPENING, '  File "a.py", line 1', "SyntaxError: no"], ("SyntaxError: no", "at a.py:1")),
        ([OPENING, "KeyError"], ("KeyError",)),
        (
            [f"{BROKEN}Plug-in failed", *raised(BROKEN, "E: caught"), *raised("", "E: not")],
            ("E: not", PLACE),
        ),
        # Ray passes on the exception of another process.
        (
            [BROKEN + line for line in [OPENING, FRAME, TASK, FRAME, "KeyError: 1", "  (one)"]],
            ("KeyError: 1", "  (one)", f"{PLACE}, logged by W ip=192.168.177.12"),
        ),
        # The first of two processes that ended for the same reason; their lines interleave.
        (
            [
                line
                for pair in zip(raised(REMOTE, "E: 1"), raised(LOCAL, "E: 2"), strict=True)
                for line in pair
            ],
            ("E: 1", f"{PLACE}, logged by RayWorkerProc ip=192.168.177.12"),
        ),
        # The log only says that it failed.
        (
            ["RuntimeError: Engine core initialization failed. See root cause above. {'a': -9}"],
            ("RuntimeError: Engine core initialization failed. See root cause above. {'a': -9}",),
        ),
    ],
)
def test_excerpt_of_lines(lines: list[str], expected: tuple[str, ...]) -> None:
    """An excerpt shows the cause instead of repetitions, or the last lines if none is known."""
    assert expected == failure.excerpt(lines)


FRAGMENT = st.sampled_from(
    [OPENING, FRAME, TASK, BROKEN, REMOTE, "ValueError: a", "Raylet is terminated:", "", "\r"]
)


@given(st.lists(st.lists(FRAGMENT | st.text(max_size=400), max_size=3).map("".join)))
def test_any_log(lines: list[str]) -> None:
    """The excerpt of any log is short."""
    shown = failure.excerpt(lines)

    assert len(shown) <= failure.SHOWN
    assert all(len(line) <= failure.WIDTH for line in shown)
