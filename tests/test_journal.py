"""What logs of real runs say: the phases, the end, and the lines that tell why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.logs import journal
from tests.clusters import ROOT

CAPTURES = ROOT / "tests" / "captures"
GOOD = ["ray-head-good", "ray-worker-good", "serve-good"]
FAILED = sorted(path.stem for path in CAPTURES.glob("*.txt"))
"""Each with what is shown of it."""
UNDECIDED = ["ray-no-head"]
"""Ray goes on trying, so that its wait ends with the time."""

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


def captured(name: str) -> list[str]:
    """Return the lines of a real log, parted as they are when a log is read while it grows."""
    return (CAPTURES / f"{name}.log").read_bytes().decode("utf-8").splitlines()


def raised(prefix: str, message: str) -> list[str]:
    """Return a traceback as a process logs it."""
    return [f"{prefix}{line}" for line in (OPENING, FRAME, "    raise", message)]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ray-head-good", ["starting Ray"]),
        ("ray-worker-good", ["starting Ray"]),
        (
            "serve-good",
            [
                "reading the model's configuration",
                "starting the engine for LlamaForCausalLM",
                "loading the engine",
                "connecting to Ray",
                "waiting for GPUs",
                "starting the workers",
                "starting the workers",
                "loading weights: 0/1 shards",
                "loading weights: 1/1 shards",
                "joining 2 ranks over gloo",
                "loading weights",
                "weights read in 0 s",
                "sizing the KV cache: 65,536 tokens",
                "engine ready after 0 s",
                "starting the API server",
                "answering",
            ],
        ),
    ],
)
def test_phases(name: str, expected: list[str]) -> None:
    """The log of a good run tells its phases in their order."""
    assert expected == [phase for line in captured(name) if (phase := journal.phase(line))]


@pytest.mark.parametrize("name", GOOD)
def test_no_false_alarm(name: str) -> None:
    """Nothing in the log of a good run is taken for its end."""
    assert [] == [line for line in captured(name) if journal.fatal(line)]


@pytest.mark.parametrize("name", [name for name in FAILED if name not in UNDECIDED])
def test_every_end_is_noticed(name: str) -> None:
    """The wait for a program that has failed ends before its time is up."""
    assert any(journal.fatal(line) for line in captured(name))


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
        # What libraries catch, retry or only warn of.
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
def test_fatal(line: str, expected: bool) -> None:  # noqa: FBT001 (the answer that is expected)
    """What ends a program is told from what it survives."""
    assert expected == journal.fatal(line)


@pytest.mark.parametrize("name", FAILED)
def test_excerpt(name: str) -> None:
    """Of each failed run the lines that say why are shown, and no others."""
    expected = (CAPTURES / f"{name}.txt").read_text(encoding="utf-8")

    assert expected == "".join(f"{line}\n" for line in journal.excerpt(captured(name)))


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([], ()),
        (["", "(EngineCore pid=1) one", "two"], ("EngineCore: one", "two")),
        # What a library caught is not what ended the program.
        (
            ["Exception ignored in: <f>", OPENING, "KeyError"],
            ("Exception ignored in: <f>", OPENING, "KeyError"),
        ),
        (raised(HARMLESS, "KeyError"), (OPENING, FRAME, "    raise", "KeyError")),
        # It was cut off before its message.
        ([OPENING, FRAME], (OPENING, FRAME)),
        (raised("", "KeyError: 1"), ("KeyError: 1", PLACE)),
        ([OPENING, '  File "a.py", line 1', "SyntaxError: no"], ("SyntaxError: no", "at a.py:1")),
        ([OPENING, "KeyError"], ("KeyError",)),
        (
            [f"{BROKEN}Plug-in failed", *raised(BROKEN, "E: caught"), *raised("", "E: not")],
            ("E: not", PLACE),
        ),
        # Ray hands on what another process raised.
        (
            [BROKEN + line for line in [OPENING, FRAME, TASK, FRAME, "KeyError: 1", "  (one)"]],
            ("KeyError: 1", "  (one)", f"{PLACE}, said by W ip=192.168.177.12"),
        ),
        # The first of two that ended for the same reason, though they talk at once.
        (
            [
                line
                for both in zip(raised(REMOTE, "E: 1"), raised(LOCAL, "E: 2"), strict=True)
                for line in both
            ],
            ("E: 1", f"{PLACE}, said by RayWorkerProc ip=192.168.177.12"),
        ),
        # No more is known than that it failed.
        (
            ["RuntimeError: Engine core initialization failed. See root cause above. {'a': -9}"],
            ("RuntimeError: Engine core initialization failed. See root cause above. {'a': -9}",),
        ),
    ],
)
def test_excerpt_of_lines(lines: list[str], expected: tuple[str, ...]) -> None:
    """The cause is shown rather than what repeats it, and the last lines when none is known."""
    assert expected == journal.excerpt(lines)


@given(st.text(max_size=300))
def test_any_line(line: str) -> None:
    """Nothing that a program prints stops the wait for it."""
    assert isinstance(journal.phase(line), str)
    assert isinstance(journal.fatal(line), bool)


TELLING = st.sampled_from(
    [OPENING, FRAME, TASK, BROKEN, REMOTE, "ValueError: a", "Raylet is terminated:", "", "\r"]
)


@given(st.lists(st.lists(TELLING | st.text(max_size=400), max_size=3).map("".join)))
def test_any_log(lines: list[str]) -> None:
    """Whatever a log holds, its excerpt is short."""
    shown = journal.excerpt(lines)

    assert len(shown) <= journal.SHOWN
    assert all(len(line) <= journal.WIDTH for line in shown)
