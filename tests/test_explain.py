"""The explanations of real logs: the cause first, and the next command."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.logs.explain import as_json, explain, likely_cause, text
from cluster.node import Cluster
from cluster.plan.log_reader import ServiceLog
from tests.clusters import ROOT, SPARKS, extra_worker, with_variables

CAPTURES = ROOT / "tests" / "captures"
EXPECTED = CAPTURES / "signatures"
SECOND = {"ray-raylet-killed", "ray-worker-good", "ray-no-head", "ray-wrong-token", "ray-bad-flag"}
"""Captured on `spark2`; the other logs are from `spark1`."""
ALONE = sorted(path.stem for path in CAPTURES.glob("*.log"))
TOGETHER = {
    "cluster-raylet-killed-serving": (
        "ray-head-good",
        "ray-raylet-killed",
        "serve-raylet-killed-serving",
    ),
}
"""Logs of several services from one failure."""

FIRST = "ERROR 11-23 13:00:01 [a.py:1] "
SECOND_LATER = "ERROR 11-23 13:00:02 [a.py:1] "
REMOTE = "(RayWorkerProc pid=103, ip=192.168.177.12) (Worker_TP1 pid=103) "
FULL = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
SILENT = (
    "INFO 11-23 12:00:00 [a.py:1] No available shared memory broadcast block found in 60 seconds"
)
TAKEN = "OSError: [Errno 98] Address already in use"
READY = "INFO:     Application startup complete."
STRANGE = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "KeyError: 'x'"]
SHARDS = "Loading safetensors checkpoint shards: {:>3}% Completed | {}/5 [00:09<00:10,  4.00s/it]"


def captured(name: str) -> ServiceLog:
    """Return a captured log."""
    lines = (CAPTURES / f"{name}.log").read_bytes().decode("utf-8").splitlines()
    node = "spark2" if name in SECOND else "spark1"
    return ServiceLog(node=node, service=name.split("-", maxsplit=1)[0], lines=lines)


def served(*lines: str, node: str = "spark1") -> ServiceLog:
    """Return a log of the server."""
    return ServiceLog(node=node, service="serve", lines=lines)


def names(*logs: ServiceLog, cluster: Cluster = SPARKS) -> list[tuple[str, str]]:
    """Return the signatures and nodes of the explanations, in order."""
    return [(item.signature, item.node) for item in explain(cluster, logs)]


@pytest.mark.parametrize(
    "name, logs", [*((name, (name,)) for name in ALONE), *TOGETHER.items()], ids=str
)
def test_captures(name: str, logs: tuple[str, ...]) -> None:
    """Each real log, and the logs of one failure together, have the expected explanations."""
    read = [captured(log) for log in logs]
    expected = (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")

    assert expected == text(explain(SPARKS, read), read)


def test_no_text_without_a_log() -> None:
    """Each expected text belongs to one log or several."""
    texts = {path.stem for path in EXPECTED.glob("*.txt")} - {"lines"}

    assert {*ALONE, *TOGETHER} == texts


@pytest.mark.parametrize(
    "logs, expected",
    [
        ((), []),
        ((served(),), []),
        # An effect comes after its cause, even if it was logged earlier.
        (
            (served(SILENT, f"{FIRST}{FULL}"),),
            [("gpu-memory-full", "spark1"), ("rank-silent", "spark1")],
        ),
        # Of two causes, the earlier one comes first, in whichever log it is.
        (
            (served(f"{SECOND_LATER}{TAKEN}"), served(f"{FIRST}{FULL}", node="spark2")),
            [("gpu-memory-full", "spark2"), ("port-taken", "spark1")],
        ),
        # A line without a time has the time of its process's line before.
        (
            (
                served(f"{SECOND_LATER}x", TAKEN),
                served(TAKEN, f"{FIRST}x", FULL, node="spark2"),
            ),
            [("gpu-memory-full", "spark2"), ("port-taken", "spark1"), ("port-taken", "spark2")],
        ),
        # The server's log has the lines of all ranks, some of them repeated.
        (
            (served(f"{REMOTE}{FIRST}{FULL}", f"{REMOTE}{SECOND_LATER}{FULL}"),),
            [("gpu-memory-full", "spark2")],
        ),
        # A line that repeats the error of a worker is not a second failure.
        (
            (
                served(
                    f"{FIRST}RuntimeError: Worker failed with error 'CUDA out of memory. "
                    "Tried to allocate 2.00 GiB.', please check",
                    f"{REMOTE}{FIRST}{FULL}",
                ),
            ),
            [("gpu-memory-full", "spark2")],
        ),
        # An address that belongs to no node.
        (
            (served(f"(RayWorkerProc pid=1, ip=10.0.0.9) {FIRST}{FULL}"),),
            [("gpu-memory-full", "spark1")],
        ),
        # A failure that the service survived is left out; notes stay.
        ((served(f"{FIRST}{FULL}", SILENT, *STRANGE, READY),), []),
        ((served(READY, f"{FIRST}{FULL}"),), [("gpu-memory-full", "spark1")]),
        (
            (served("NET/IB : No device found.", READY),),
            [("no-rdma", "spark1")],
        ),
        # A warning about something that the program can do without.
        ((served("WARNING 11-23 13:00:01 [a.py:1] Address already in use"),), []),
        # A line of code that contains the pattern is no failure.
        ((served(f"    raise OSError('{TAKEN}')"),), []),
        # Progress counts as long as no later line completes it.
        ((served(SHARDS.format(40, 2)),), [("weights-loading", "spark1")]),
        ((served(SHARDS.format(40, 2), SHARDS.format(100, 5)),), []),
        # An unknown failure comes before known effects, but known causes replace it.
        ((served(SILENT, *STRANGE),), [("", "spark1"), ("rank-silent", "spark1")]),
        ((served(*STRANGE, f"{FIRST}{FULL}"),), [("gpu-memory-full", "spark1")]),
        # Of several unknown failures, the first in time.
        (
            (
                served(f"{SECOND_LATER}x", *STRANGE),
                served(f"{FIRST}x", *STRANGE, node="spark2"),
            ),
            [("", "spark2")],
        ),
        # A known effect is not followed by an unknown one.
        (
            (served(SILENT, f"{FIRST}RuntimeError: cancelled"),),
            [("rank-silent", "spark1")],
        ),
    ],
)
def test_order(logs: tuple[ServiceLog, ...], expected: list[tuple[str, str]]) -> None:
    """The likely cause comes first, once for each node."""
    assert expected == names(*logs)


def test_the_rank_of_a_third_node() -> None:
    """A rank is assigned to a node by its address, however many nodes there are."""
    two = with_variables()
    cluster = Cluster(**{**vars(two), "nodes": (*two.nodes, extra_worker())})
    line = f"(RayWorkerProc pid=1, ip=192.168.177.13) {FIRST}{FULL}"

    assert [("gpu-memory-full", "spark3")] == names(served(line), cluster=cluster)


@pytest.mark.parametrize(
    "lines, expected",
    [
        ((), None),
        (("NET/IB : No device found.",), None),
        (tuple(STRANGE), None),
        ((SILENT, *STRANGE), None),
        ((SILENT,), "rank-silent"),
        (("NET/IB : No device found.", f"{FIRST}{FULL}"), "gpu-memory-full"),
    ],
)
def test_likely_cause(lines: tuple[str, ...], expected: str | None) -> None:
    """The likely cause is the first known failure; a note or an unknown failure is none."""
    cause = likely_cause(explain(SPARKS, [served(*lines)]))

    assert expected == (cause.signature if cause else None)


LINE = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
CAUSE = "likely cause, on spark2: the computation needs more memory than vLLM may use"


@pytest.mark.parametrize(
    "shown, expected",
    [
        ((LINE, "at a.py:1"), (CAUSE,)),
        (("ray has ended",), (f"serve on spark1: {LINE}", CAUSE)),
    ],
)
def test_reason(shown: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """A failure is shown with its cause, and the line of the log is shown once."""
    (cause,) = explain(SPARKS, [served(f"{REMOTE}{FIRST}{FULL}")])

    assert expected == cause.reason(shown)


def test_json() -> None:
    """The JSON has the same explanations as the text."""
    logs = [served(f"{REMOTE}{FIRST}{FULL}", SILENT, "NET/IB : No device found.")]
    content = json.loads(as_json(explain(SPARKS, logs), logs))
    first = {
        "signature": "gpu-memory-full",
        "kind": "cause",
        "node": "spark2",
        "log": "serve on spark1",
        "who": "RayWorkerProc Worker_TP1",
        "time": "11-23 13:00:01",
        "said": [FULL],
        "meaning": "the computation needs more memory than vLLM may use",
        "next": "lower MAX_MODEL_LEN, or --max-num-seqs in SERVE_ARGS, in env/cluster.env; "
        "otherwise lower GPU_MEMORY_UTILIZATION in env/cluster.env, then `inv serve`",
    }

    assert {"failed", "explanations", "errors"} == set(content)
    assert (True, []) == (content["failed"], content["errors"])
    assert first == content["explanations"][0]
    assert ["cause", "repetition", "note"] == [item["kind"] for item in content["explanations"]]


def test_no_known_failure() -> None:
    """Without a known failure, the last errors of each log are shown."""
    logs = [served(*(f"{FIRST}error {number}" for number in range(5)), "ERROR:    "), served("x")]
    explanations = explain(SPARKS, logs)
    expected = """\
all logs: no known failure found
    serve on spark1: error 2
    serve on spark1: error 3
    serve on spark1: error 4
"""

    assert expected == text(explanations, logs)
    assert {
        "failed": False,
        "explanations": [],
        "errors": [f"serve on spark1: error {number}" for number in (2, 3, 4)],
    } == json.loads(as_json(explanations, logs))


FRAGMENT = st.sampled_from([FULL, TAKEN, SILENT, READY, REMOTE, FIRST, *STRANGE, "", "\r"])


@given(st.lists(st.lists(st.lists(FRAGMENT | st.text(), max_size=3).map("".join)), max_size=3))
def test_any_logs(logs: list[list[str]]) -> None:
    """In any logs, each failure is explained once for each node."""
    read = [served(*lines, node=node) for lines, node in zip(logs, 3 * ["spark2"], strict=False)]
    failures = names(*read)

    assert len(failures) == len(set(failures))
