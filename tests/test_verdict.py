"""The verdict on a measurement: its problems as people read them, and its exit code."""

from dataclasses import replace

import pytest

from cluster.bandwidth.nccl_log import NcclLog
from cluster.bandwidth.rank_problems import TIMED_OUT, RankResult
from cluster.bandwidth.verdict import Verdict, verdict
from cluster.node import Cluster
from tests.clusters import HEAD, SPARKS, WORKER, extra_worker, with_variables
from tests.rank_answers import MIB, TWINS, captured_results, failed, results, row, spark

DOCTOR = "(`inv doctor`)"
RESTART = "then `inv down` and `inv up`)"
TCP = spark(2.8, ("enp1s0f1np1",), "Socket")
ONE_TWIN = spark(11.7, TWINS[:1])
NO_PROGRAM = "python: can't open file '/opt/spark-vllm-cluster/nccl.py': [Errno 2] No such file"
NOISE = "[W1123 22:10:22 socket.cpp:207] [c10d] The hostname cannot be retrieved. err=-3\n"


def with_devices(*devices: str) -> Cluster:
    """Return the two Sparks, the head with these RDMA devices in its settings."""
    return replace(SPARKS, nodes=(replace(HEAD, ib_if=devices), WORKER))


def summary(judged: Verdict) -> tuple[int, list[str]]:
    """Return the exit code and the problems."""
    return judged.exit_code, [str(problem) for problem in (*judged.failures, *judged.slow)]


def test_healthy_sparks() -> None:
    """RDMA above the reference value has no problem."""
    judged = verdict(SPARKS, results(spark(23.7), spark(23.0)))

    assert (0, []) == summary(judged)
    assert (23.0, 25.0, 21.875) == (judged.gathered, judged.link, judged.reference)


def test_gloo_has_no_reference() -> None:
    """A rehearsal passes at any speed."""
    answer = replace(spark(0.2, ()), backend="gloo", device="CPU", log=NcclLog())
    judged = verdict(SPARKS, results(answer, answer))

    assert (0, []) == summary(judged)
    assert (None, None) == (judged.link, judged.reference)


def test_below_the_reference() -> None:
    """Slow RDMA is no failure, and has an exit code of its own."""
    message = "all_gather reaches 12.0 GB/s, expected at least 18.6 GB/s"
    expected = [f"spark1, spark2: {message} {DOCTOR}"]

    assert (1, expected) == summary(verdict(SPARKS, results(spark(12.0), spark(12.0))))


@pytest.mark.parametrize(
    "size,exit_code,last",
    [
        (1024, 1, "slow: all_gather 20.0 GB/s on the bus"),
        (256, 0, "passed: all_gather 20.0 GB/s on the bus"),
        (64, 0, "all_gather 20.0 GB/s on the bus; no reference value"),
    ],
)
def test_smaller_buffers(size: int, exit_code: int, last: str) -> None:
    """A gibibyte must reach the whole reference, less a share of it, and small buffers none."""
    answer = replace(spark(), measurements=(row(20.0, size * MIB),))
    judged = verdict(SPARKS, results(answer, answer))

    assert (exit_code, last) == (judged.exit_code, judged.summary)


@pytest.mark.parametrize(
    "devices,remedy",
    [
        (TWINS[:1], f"(set IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env, {RESTART}"),
        (TWINS, DOCTOR),
    ],
)
def test_one_twin(devices: tuple[str, ...], remedy: str) -> None:
    """A slow node that leaves a twin of its port idle is named, with the setting to change."""
    message = "all_gather reaches 11.7 GB/s, expected at least 18.6 GB/s"
    expected = [
        f"spark1, spark2: {message} (use the idle twin of the port first)",
        f"spark1: rank 0 leaves roceP2p1s0f1 idle, the other twin of its port {remedy}",
    ]

    assert (1, expected) == summary(verdict(with_devices(*devices), results(ONE_TWIN, spark(11.7))))


def test_one_twin_under_different_names() -> None:
    """PCI addresses tell which devices are twins, whatever their names."""
    names = {"rocep1s0f1": "mlx5_1", "roceP2p1s0f1": "mlx5_3"}
    renamed = (replace(twin, name=names.get(twin.name, twin.name)) for twin in spark().rdma)
    answer = replace(spark(11.7, ("mlx5_1",)), rdma=tuple(renamed))
    message = "all_gather reaches 11.7 GB/s, expected at least 18.6 GB/s"
    remedy = f"(set IB_IF=mlx5_1,mlx5_3 in env/spark1.env, {RESTART}"
    expected = [
        f"spark1, spark2: {message} (use the idle twin of the port first)",
        f"spark1: rank 0 leaves mlx5_3 idle, the other twin of its port {remedy}",
    ]

    assert (1, expected) == summary(verdict(SPARKS, results(answer, spark(11.7))))


ACTIVE = "but the node has active RDMA devices: rocep1s0f1, roceP2p1s0f1"
SOCKETS = f"spark1: rank 0 uses TCP sockets on enp1s0f1np1, {ACTIVE}"


@pytest.mark.parametrize(
    "cluster,expected",
    [
        pytest.param(SPARKS, f"{SOCKETS} {DOCTOR}", id="unknown reason"),
        pytest.param(
            with_devices(),
            f"{SOCKETS} (set IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env, {RESTART}",
            id="the settings name no device",
        ),
        pytest.param(
            with_variables(shared=(("NCCL_NET", "Socket"),), head=(("NCCL_IB_DISABLE", "1"),)),
            f"{SOCKETS} (remove NCCL_IB_DISABLE and NCCL_NET from the env files, {RESTART}",
            id="variables in the env files",
        ),
    ],
)
def test_sockets_beside_rdma(cluster: Cluster, expected: str) -> None:
    """Sockets on a node with RDMA are a failure at any speed."""
    assert (4, [expected]) == summary(verdict(cluster, results(TCP, spark(2.8))))


def test_an_unknown_transport() -> None:
    """A log without a transport is no proof of RDMA."""
    answer = replace(spark(), log=NcclLog())
    expected = [f"spark1: rank 0 has no transport in its NCCL log, {ACTIVE} {DOCTOR}"]

    assert (4, expected) == summary(verdict(SPARKS, results(answer, spark())))


def test_sockets_with_rdma_in_the_settings() -> None:
    """A node whose settings name missing devices fails as well."""
    message = "uses TCP sockets on enp1s0f1np1, but IB_IF is"
    expected = [
        f"spark1: rank 0 {message} rocep1s0f1,roceP2p1s0f1 {DOCTOR}",
        f"spark2: rank 1 {message} rocep1s0f0,roceP2p1s0f0 {DOCTOR}",
    ]

    assert (4, expected) == summary(verdict(SPARKS, captured_results("plain")))


def test_sockets_without_rdma() -> None:
    """Without RDMA, in the settings and on the machine, sockets are expected."""
    nodes = tuple(replace(node, ib_if=()) for node in SPARKS.nodes)
    cluster = replace(SPARKS, nodes=nodes)

    assert (0, []) == summary(verdict(cluster, captured_results("two-interfaces")))


def test_wrong_data() -> None:
    """Wrong data is a failure at any speed."""
    right, bad = row(23.7, operation="all_reduce"), replace(row(23.7), right=False)
    answer = replace(spark(), measurements=(right, bad))
    message = "all_gather of 256 MiB returned wrong data"
    expected = [f"spark1: {message} (try another cable, then NVIDIA's nccl-tests)"]

    assert (4, expected) == summary(verdict(SPARKS, results(answer, spark())))


@pytest.mark.parametrize(
    "run,expected",
    [
        (
            "no-device-strict",
            (
                "spark1: rank 0 failed at `start nccl`: Failed to initialize any NET plugin"
                " (NCCL found no usable RDMA device in IB_IF: `inv doctor`)"
            ),
        ),
        (
            "wrong-interface",
            (
                "spark1: rank 0 failed at `start nccl`: Bootstrap : no socket interface found"
                " (correct ETH_IF in env/spark1.env; `inv doctor` shows the node's interfaces)"
            ),
        ),
        (
            "same-host",
            (
                "spark1: rank 0 failed at `start nccl`: Duplicate GPU detected : rank 0 and rank 1"
                " both on CUDA device 60 (correct GPUS in env/spark1.env: each GPU runs one rank)"
            ),
        ),
    ],
)
def test_the_rank_that_failed_first(run: str, expected: str) -> None:
    """Of two ranks that failed, the first cause is reported, with its remedy."""
    assert (4, [expected]) == summary(verdict(SPARKS, captured_results(run)))


@pytest.mark.parametrize(
    "error,expected",
    [
        (
            "CUDA out of memory. Tried to allocate 256.00 MiB",
            "CUDA out of memory (`inv nccl --largest 8m`, or stop what uses the memory)",
        ),
        (
            "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:537] Read error. Check the logs",
            f"Read error {DOCTOR}",
        ),
        ("Failed to initialize any NET plugin", f"Failed to initialize any NET plugin {DOCTOR}"),
    ],
)
def test_errors(error: str, expected: str) -> None:
    """An error ends at its first full stop, and has no place in a program."""
    line = f"spark1: rank 0 failed at `start nccl`: {expected}"

    assert (4, [line]) == summary(verdict(SPARKS, results(failed(error), spark())))


def test_ranks_that_cannot_connect() -> None:
    """Behind a firewall the worker's error is reported: the head only misses the worker."""
    place = "meet at 192.168.177.11:29520"
    alone = failed("rank 1 did not connect", place, missing=[1])
    apart = failed("cannot reach rank 0: No route to host", place)
    remedy = "(firewall or wrong address: `inv doctor`)"
    expected = f"rank 1 failed at `{place}`: cannot reach rank 0: No route to host {remedy}"

    assert (4, [f"spark2: {expected}"]) == summary(verdict(SPARKS, results(alone, apart)))


def test_a_missing_rank() -> None:
    """If a missing rank reports no error, the rank that misses it does."""
    cluster = replace(SPARKS, nodes=(*SPARKS.nodes, extra_worker()))
    place = "meet at 192.168.177.11:29520"
    alone = failed("rank 2 did not connect", place, missing=[2])
    remedy = "(firewall or wrong address: `inv doctor`)"
    expected = f"spark1: rank 0 failed at `{place}`: rank 2 did not connect {remedy}"

    assert (4, [expected]) == summary(verdict(cluster, results(alone, spark(), spark())))


def test_failures_without_a_first_cause() -> None:
    """If every rank failed because of its peer, all are reported."""
    expected = [
        f"spark{place}: rank {rank} failed at `end`: rank {peer} failed {DOCTOR}"
        for place, rank, peer in ((1, 0, 1), (2, 1, 0))
    ]
    both = results(*(failed(f"rank {peer} failed", "end", failed=peer) for peer in (1, 0)))

    assert (4, expected) == summary(verdict(SPARKS, both))


@pytest.mark.parametrize(
    "silent,expected",
    [
        (
            RankResult(answer=None, error=NO_PROGRAM, code=2),
            "vllm-node is older than `inv nccl` (`inv build`, then `inv ship`)",
        ),
        (
            RankResult(answer=None, error=NOISE, code=137),
            f"rank 1 ended with code 137 without an answer {DOCTOR}",
        ),
        (
            RankResult(answer=None, error=f"{NOISE}\nsh: timeout: not found\n", code=127),
            f"rank 1 ended with code 127 without an answer: sh: timeout: not found {DOCTOR}",
        ),
        (
            RankResult(answer=None, code=TIMED_OUT),
            f"rank 1 timed out without an answer {DOCTOR}",
        ),
    ],
)
def test_a_rank_without_an_answer(silent: RankResult, expected: str) -> None:
    """A rank that died is reported; ranks that noticed are not."""
    noticed = failed("Connection reset by peer", "all_reduce of 8388608 bytes")
    both = [RankResult(answer=noticed), silent]

    assert (4, [f"spark2: {expected}"]) == summary(verdict(SPARKS, both))
