"""What is made of the logs of real failures: the cause first, and what to do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.logs import explained
from cluster.logs.explain import Told, cause, explain
from cluster.node import Cluster
from tests.clusters import ROOT, SPARKS, third, written

CAPTURES = ROOT / "tests" / "captures"
EXPECTED = CAPTURES / "signatures"
SECOND = {"ray-raylet-killed", "ray-worker-good", "ray-no-head", "ray-wrong-token", "ray-bad-flag"}
"""What was captured on `spark2`; the others are of `spark1`."""
ALONE = sorted(path.stem for path in CAPTURES.glob("*.log"))
TOGETHER = {
    "cluster-raylet-killed-serving": (
        "ray-head-good",
        "ray-raylet-killed",
        "serve-raylet-killed-serving",
    ),
}
"""Logs of several services, as their nodes had them."""

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


def told(name: str) -> Told:
    """Return a captured log."""
    lines = (CAPTURES / f"{name}.log").read_bytes().decode("utf-8").splitlines()
    node = "spark2" if name in SECOND else "spark1"
    return Told(node=node, service=name.split("-", maxsplit=1)[0], lines=lines)


def served(*lines: str, node: str = "spark1") -> Told:
    """Return a log of the server."""
    return Told(node=node, service="serve", lines=lines)


def named(*logs: Told, cluster: Cluster = SPARKS) -> list[tuple[str, str]]:
    """Return signatures and nodes, in their order."""
    return [(it.name, it.node) for it in explain(cluster, logs)]


@pytest.mark.parametrize(
    "name, logs", [*((name, (name,)) for name in ALONE), *TOGETHER.items()], ids=str
)
def test_captures(name: str, logs: tuple[str, ...]) -> None:
    """Of each real log, and of those of one failure together, this is what people are told."""
    read = [told(log) for log in logs]
    expected = (EXPECTED / f"{name}.txt").read_text(encoding="utf-8")

    assert expected == explained.text(explain(SPARKS, read), read)


def test_nothing_is_expected_of_no_log() -> None:
    """Each expected text belongs to a log, or to several."""
    texts = {path.stem for path in EXPECTED.glob("*.txt")} - {"lines"}

    assert {*ALONE, *TOGETHER} == texts


@pytest.mark.parametrize(
    "logs, expected",
    [
        ((), []),
        ((served(),), []),
        # An effect comes after its cause, though it was logged before.
        (
            (served(SILENT, f"{FIRST}{FULL}"),),
            [("gpu-memory-full", "spark1"), ("rank-silent", "spark1")],
        ),
        # Of two causes the first in time, in whichever log.
        (
            (served(f"{SECOND_LATER}{TAKEN}"), served(f"{FIRST}{FULL}", node="spark2")),
            [("gpu-memory-full", "spark2"), ("port-taken", "spark1")],
        ),
        # A line without a time is as old as what its process said before.
        (
            (
                served(f"{SECOND_LATER}x", TAKEN),
                served(TAKEN, f"{FIRST}x", FULL, node="spark2"),
            ),
            [("gpu-memory-full", "spark2"), ("port-taken", "spark1"), ("port-taken", "spark2")],
        ),
        # The server's log holds the ranks of all nodes, and says things more than once.
        (
            (served(f"{REMOTE}{FIRST}{FULL}", f"{REMOTE}{SECOND_LATER}{FULL}"),),
            [("gpu-memory-full", "spark2")],
        ),
        # What repeats another's error is not one more.
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
        # An address that is no node's.
        (
            (served(f"(RayWorkerProc pid=1, ip=10.0.0.9) {FIRST}{FULL}"),),
            [("gpu-memory-full", "spark1")],
        ),
        # What was survived is left out; notes stay.
        ((served(f"{FIRST}{FULL}", SILENT, *STRANGE, READY),), []),
        ((served(READY, f"{FIRST}{FULL}"),), [("gpu-memory-full", "spark1")]),
        (
            (served("NET/IB : No device found.", READY),),
            [("no-rdma", "spark1")],
        ),
        # A warning of what a program can do without.
        ((served("WARNING 11-23 13:00:01 [a.py:1] Address already in use"),), []),
        # A line of code that has the words is no failure.
        ((served(f"    raise OSError('{TAKEN}')"),), []),
        # It stands for itself while it is the last of its kind.
        ((served(SHARDS.format(40, 2)),), [("weights-loading", "spark1")]),
        ((served(SHARDS.format(40, 2), SHARDS.format(100, 5)),), []),
        # What nobody knows stands before known effects, and behind known causes.
        ((served(SILENT, *STRANGE),), [("", "spark1"), ("rank-silent", "spark1")]),
        ((served(*STRANGE, f"{FIRST}{FULL}"),), [("gpu-memory-full", "spark1")]),
        # Of several that nobody knows, the first in time.
        (
            (
                served(f"{SECOND_LATER}x", *STRANGE),
                served(f"{FIRST}x", *STRANGE, node="spark2"),
            ),
            [("", "spark2")],
        ),
        # Where only an effect is known, no other effect is put beside it.
        (
            (served(SILENT, f"{FIRST}RuntimeError: cancelled"),),
            [("rank-silent", "spark1")],
        ),
    ],
)
def test_order(logs: tuple[Told, ...], expected: list[tuple[str, str]]) -> None:
    """The likely cause comes first, once for each node."""
    assert expected == named(*logs)


def test_the_rank_of_a_third_node() -> None:
    """Nodes are known by their addresses, however many there are."""
    cluster = written()
    more = Cluster(**{**vars(cluster), "nodes": (*cluster.nodes, third())})
    line = f"(RayWorkerProc pid=1, ip=192.168.177.13) {FIRST}{FULL}"

    assert [("gpu-memory-full", "spark3")] == named(served(line), cluster=more)


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
def test_cause(lines: tuple[str, ...], expected: str | None) -> None:
    """The cause is the first that is known; a note is none, nor what nobody knows."""
    found = cause(explain(SPARKS, [served(*lines)]))

    assert expected == (found.name if found else None)


LINE = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
WHY = "likely cause, on spark2: the memory that vLLM may take did not suffice for what it computes"


@pytest.mark.parametrize(
    "shown, expected",
    [
        ((LINE, "at a.py:1"), (WHY,)),
        (("ray has ended",), (f"serve on spark1: {LINE}", WHY)),
    ],
)
def test_reason(shown: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """A failure is told with its cause; the line that tells of it is shown once."""
    (found,) = explain(SPARKS, [served(f"{REMOTE}{FIRST}{FULL}")])

    assert expected == explained.reason(found, shown)


def test_json() -> None:
    """Programs get the same as people."""
    logs = [served(f"{REMOTE}{FIRST}{FULL}", SILENT, "NET/IB : No device found.")]
    content = json.loads(explained.as_json(explain(SPARKS, logs), logs))
    first = {
        "signature": "gpu-memory-full",
        "kind": "cause",
        "node": "spark2",
        "log": "serve on spark1",
        "who": "RayWorkerProc Worker_TP1",
        "time": "11-23 13:00:01",
        "said": [FULL],
        "meaning": "the memory that vLLM may take did not suffice for what it computes",
        "next": "a lower MAX_MODEL_LEN, or --max-num-seqs in SERVE_ARGS, in env/cluster.env; else "
        "a lower GPU_MEMORY_UTILIZATION in env/cluster.env, then `inv serve`",
    }

    assert {"failed", "explanations", "errors"} == set(content)
    assert (True, []) == (content["failed"], content["errors"])
    assert first == content["explanations"][0]
    assert ["cause", "repetition", "note"] == [it["kind"] for it in content["explanations"]]


def test_nothing_known() -> None:
    """Where nothing is known to be wrong, the last errors of each log are shown."""
    logs = [served(*(f"{FIRST}error {number}" for number in range(5)), "ERROR:    "), served("x")]
    found = explain(SPARKS, logs)
    expected = """\
all logs: nothing known went wrong
    serve on spark1: error 2
    serve on spark1: error 3
    serve on spark1: error 4
"""

    assert expected == explained.text(found, logs)
    assert {
        "failed": False,
        "explanations": [],
        "errors": [f"serve on spark1: error {number}" for number in (2, 3, 4)],
    } == json.loads(explained.as_json(found, logs))


TELLING = st.sampled_from([FULL, TAKEN, SILENT, READY, REMOTE, FIRST, *STRANGE, "", "\r"])


@given(st.lists(st.lists(st.lists(TELLING | st.text(), max_size=3).map("".join)), max_size=3))
def test_any_logs(logs: list[list[str]]) -> None:
    """Whatever logs hold, each failure is told once a node."""
    read = [served(*lines, node=node) for lines, node in zip(logs, 3 * ["spark2"], strict=False)]
    found = [(it.name, it.node) for it in explain(SPARKS, read)]

    assert len(found) == len(set(found))
