"""What is wrong with a measurement, in the words that a person reads, and what exit code it has."""

from dataclasses import replace

import pytest

from cluster.bandwidth.failures import LATE, Heard
from cluster.bandwidth.log import Transport
from cluster.bandwidth.pages import verdict
from cluster.bandwidth.verdict import Result, result
from cluster.node import Cluster
from tests.clusters import HEAD, SPARKS, WORKER, third, written
from tests.nccl_answers import MIB, TWINS, broken, heard, row, spark, wired

DOCTOR = "(`inv doctor`)"
ANEW = "then `inv down` and `inv up`)"
TCP = spark(2.8, ("enp1s0f1np1",), "Socket")
ONE_TWIN = spark(11.7, TWINS[:1])
SILENT = "python: can't open file '/opt/spark-vllm-cluster/nccl.py': [Errno 2] No such file"
NOISE = "[W1123 22:10:22 socket.cpp:207] [c10d] The hostname cannot be retrieved. err=-3\n"


def with_devices(*devices: str) -> Cluster:
    """Return the two Sparks, the head with these RDMA devices in its settings."""
    return replace(SPARKS, nodes=(replace(HEAD, ib_if=devices), WORKER))


def told(found: Result) -> tuple[int, list[str]]:
    """Return the exit code, and the lines about what is wrong."""
    return found.exit_code, [str(problem) for problem in (*found.failures, *found.slow)]


def test_sparks_as_they_should_be() -> None:
    """Over RDMA and above the mark nothing is to be said."""
    found = result(SPARKS, wired(spark(23.7), spark(23.0)))

    assert (0, []) == told(found)
    assert (23.0, 25.0, 21.875) == (found.gathered, found.link, found.mark)


def test_gloo_has_no_mark() -> None:
    """A rehearsal passes with whatever its CPUs can do."""
    its = replace(spark(0.2, ()), backend="gloo", device="CPU", transport=Transport())
    found = result(SPARKS, wired(its, its))

    assert (0, []) == told(found)
    assert (None, None) == (found.link, found.mark)


def test_below_the_mark() -> None:
    """Real RDMA that is slow is no failure, but the exit code tells."""
    message = "all_gather moves 12.0 GB/s, and should move 18.6 GB/s"
    expected = [f"spark1, spark2: {message} {DOCTOR}"]

    assert (1, expected) == told(result(SPARKS, wired(spark(12.0), spark(12.0))))


@pytest.mark.parametrize(
    "size,exit_code,last",
    [
        (1024, 1, "slow: all_gather 20.0 GB/s on the bus"),
        (256, 0, "passed: all_gather 20.0 GB/s on the bus"),
        (64, 0, "all_gather 20.0 GB/s on the bus; there is no mark for it"),
    ],
)
def test_smaller_buffers_need_not_reach_the_mark(size: int, exit_code: int, last: str) -> None:
    """A gibibyte has the whole mark, less has less, and small buffers have none."""
    its = replace(spark(), rows=(row(20.0, size * MIB),))
    found = result(SPARKS, wired(its, its))

    assert (exit_code, last) == (found.exit_code, verdict(found))


@pytest.mark.parametrize(
    "devices,remedy",
    [
        (TWINS[:1], f"(write IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env, {ANEW}"),
        (TWINS, DOCTOR),
    ],
)
def test_one_twin(devices: tuple[str, ...], remedy: str) -> None:
    """A slow node that leaves a twin of its port idle is named, with the setting if it is that."""
    message = "all_gather moves 11.7 GB/s, and should move 18.6 GB/s"
    expected = [
        f"spark1, spark2: {message} (use the idle twin of the port first)",
        f"spark1: rank 0 leaves roceP2p1s0f1 idle, the other twin of its port {remedy}",
    ]

    assert (1, expected) == told(result(with_devices(*devices), wired(ONE_TWIN, spark(11.7))))


def test_one_twin_by_other_names() -> None:
    """The PCI address tells which devices are one port, whatever the kernel calls them."""
    names = {"rocep1s0f1": "mlx5_1", "roceP2p1s0f1": "mlx5_3"}
    renamed = tuple(replace(one, name=names.get(one.name, one.name)) for one in spark().rdma)
    its = replace(spark(11.7, ("mlx5_1",)), rdma=renamed)
    message = "all_gather moves 11.7 GB/s, and should move 18.6 GB/s"
    remedy = f"(write IB_IF=mlx5_1,mlx5_3 in env/spark1.env, {ANEW}"
    expected = [
        f"spark1, spark2: {message} (use the idle twin of the port first)",
        f"spark1: rank 0 leaves mlx5_3 idle, the other twin of its port {remedy}",
    ]

    assert (1, expected) == told(result(SPARKS, wired(its, spark(11.7))))


SOCKETS = "spark1: rank 0 uses sockets over enp1s0f1np1, and the node has RDMA: " + ", ".join(TWINS)


@pytest.mark.parametrize(
    "cluster,expected",
    [
        pytest.param(SPARKS, f"{SOCKETS} {DOCTOR}", id="nobody knows why"),
        pytest.param(
            with_devices(),
            f"{SOCKETS} (write IB_IF=rocep1s0f1,roceP2p1s0f1 in env/spark1.env, {ANEW}",
            id="the settings name no device",
        ),
        pytest.param(
            written(shared=(("NCCL_NET", "Socket"),), head=(("NCCL_IB_DISABLE", "1"),)),
            f"{SOCKETS} (take NCCL_IB_DISABLE and NCCL_NET out of your env files, {ANEW}",
            id="variables of the user's own",
        ),
    ],
)
def test_sockets_beside_rdma(cluster: Cluster, expected: str) -> None:
    """Sockets on a node with RDMA are a failure, however fast."""
    assert (4, [expected]) == told(result(cluster, wired(TCP, spark(2.8))))


def test_an_untold_way() -> None:
    """No word of the way is no proof of RDMA."""
    its = replace(spark(), transport=Transport())
    said = "rank 0 does not say which way its data took"
    expected = [f"spark1: {said}, and the node has RDMA: rocep1s0f1, roceP2p1s0f1 {DOCTOR}"]

    assert (4, expected) == told(result(SPARKS, wired(its, spark())))


def test_sockets_with_rdma_in_the_settings() -> None:
    """A node whose settings name devices that it has not is no less wrong."""
    said = "uses sockets over enp1s0f1np1, and IB_IF is"
    expected = [
        f"spark1: rank 0 {said} rocep1s0f1,roceP2p1s0f1 {DOCTOR}",
        f"spark2: rank 1 {said} rocep1s0f0,roceP2p1s0f0 {DOCTOR}",
    ]

    assert (4, expected) == told(result(SPARKS, heard("plain")))


def test_sockets_where_there_is_nothing_else() -> None:
    """Without RDMA, in the settings or the machine, sockets are what was asked for."""
    nodes = tuple(replace(node, ib_if=()) for node in SPARKS.nodes)

    assert (0, []) == told(result(replace(SPARKS, nodes=nodes), heard("two-interfaces")))


def test_wrong_numbers() -> None:
    """A wrong sum is a failure, whatever its speed."""
    right, bad = row(23.7, operation="all_reduce"), replace(row(23.7), right=False)
    its = replace(spark(), rows=(right, bad))
    message = "all_gather of 256 MiB gave wrong numbers"
    expected = [f"spark1: {message} (try another cable, and NVIDIA's own nccl-tests)"]

    assert (4, expected) == told(result(SPARKS, wired(its, spark())))


@pytest.mark.parametrize(
    "run,expected",
    [
        (
            "no-device-strict",
            (
                "spark1: rank 0 failed at `start nccl`: Failed to initialize any NET plugin"
                " (NCCL finds no RDMA device of IB_IF that it may use: `inv doctor`)"
            ),
        ),
        (
            "wrong-interface",
            (
                "spark1: rank 0 failed at `start nccl`: Bootstrap : no socket interface found"
                " (mend ETH_IF in env/spark1.env; `inv doctor` says what the node has)"
            ),
        ),
        (
            "same-host",
            (
                "spark1: rank 0 failed at `start nccl`: Duplicate GPU detected : rank 0 and rank 1"
                " both on CUDA device 60 (mend GPUS in env/spark1.env: a GPU takes one rank)"
            ),
        ),
    ],
)
def test_the_rank_that_failed_first(run: str, expected: str) -> None:
    """Of two ranks that ended, the one that had a reason is named, with what to do."""
    assert (4, [expected]) == told(result(SPARKS, heard(run)))


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
def test_other_errors(error: str, expected: str) -> None:
    """An error is told up to its first full stop, without its place in a program."""
    line = f"spark1: rank 0 failed at `start nccl`: {expected}"

    assert (4, [line]) == told(result(SPARKS, wired(broken(error), spark())))


def test_ranks_that_cannot_meet() -> None:
    """Behind a firewall the worker says what keeps it; the head knows only that it did not come."""
    place = "meet at 192.168.177.11:29520"
    alone = broken("no word from rank 1", place, missing=[1])
    apart = broken("cannot reach rank 0: No route to host", place)
    remedy = "(a firewall, or a wrong address: `inv doctor`)"
    expected = f"rank 1 failed at `{place}`: cannot reach rank 0: No route to host {remedy}"

    assert (4, [f"spark2: {expected}"]) == told(result(SPARKS, wired(alone, apart)))


def test_a_rank_that_has_not_come_and_does_not_say_why() -> None:
    """One of three ranks is missing without a word of its own."""
    cluster = replace(SPARKS, nodes=(*SPARKS.nodes, third()))
    place = "meet at 192.168.177.11:29520"
    alone = broken("no word from rank 2", place, missing=[2])
    remedy = "(a firewall, or a wrong address: `inv doctor`)"
    expected = f"spark1: rank 0 failed at `{place}`: no word from rank 2 {remedy}"

    assert (4, [expected]) == told(result(cluster, wired(alone, spark(), spark())))


def test_failures_without_a_first() -> None:
    """When every rank blames another, all of them are told."""
    expected = [
        f"spark{place}: rank {rank} failed at `end`: rank {other} failed {DOCTOR}"
        for place, rank, other in ((1, 0, 1), (2, 1, 0))
    ]
    both = wired(*(broken(f"rank {other} failed", "end", failed=other) for other in (1, 0)))

    assert (4, expected) == told(result(SPARKS, both))


@pytest.mark.parametrize(
    "said,expected",
    [
        (
            Heard(answer=None, error=SILENT, code=2),
            "vllm-node is older than `inv nccl` (`inv build`, then `inv ship`)",
        ),
        (
            Heard(answer=None, error=NOISE, code=137),
            f"rank 1 ended with code 137 and gave no answer {DOCTOR}",
        ),
        (
            Heard(answer=None, error=f"{NOISE}\nsh: timeout: not found\n", code=127),
            f"rank 1 ended with code 127 and gave no answer: sh: timeout: not found {DOCTOR}",
        ),
        (
            Heard(answer=None, code=LATE),
            f"rank 1 did not end and gave no answer {DOCTOR}",
        ),
    ],
)
def test_a_rank_without_an_answer(said: Heard, expected: str) -> None:
    """A rank that died is named, and not those that noticed."""
    noticed = broken("Connection reset by peer", "all_reduce of 8388608 bytes")
    both = {0: Heard(answer=noticed), 1: said}

    assert (4, [f"spark2: {expected}"]) == told(result(SPARKS, both))
