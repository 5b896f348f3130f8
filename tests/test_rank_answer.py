"""Answers of ranks, the capacity of a link, reference values, and sizes of buffers."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bandwidth import verdict
from cluster.bandwidth.nccl_log import NcclLog
from cluster.bandwidth.rank_answer import Measurement, RankAnswer, RdmaDevice, rank_answer
from cluster.bandwidth.ranks import buffer_sizes, ranks, readable_size
from cluster.errors import RefusedError
from cluster.node import Cluster
from tests.clusters import SPARKS, extra_worker
from tests.rank_answers import MIB, SLOT, TWINS, captured, device, nccl_log, row, spark

ANSWER = {
    "rank": 1,
    "world": 2,
    "measurements": [],
    "interfaces": {"lo": None, "enp1s0f1np1": 200000},
    "rdma": {
        "rocep1s0f1": {
            "state": "4: ACTIVE",
            "rate": "200 Gb/sec (4X HDR)",
            "layer": "Ethernet",
            "pci": "0000:01:00.1",
            "pci_speed": "32.0 GT/s PCIe",
            "pci_width": "4",
            "interfaces": ["enp1s0f1np1"],
        },
        "rxe0": {
            "state": "1: DOWN",
            "rate": "",
            "layer": "Ethernet",
            "pci": "device",
            "pci_speed": "",
            "pci_width": "",
        },
    },
    "backend": "nccl",
    "torch": "2.13.0+cu130",
    "nccl": "2.28.9",
    "device": "NVIDIA GB10",
    "error": "rank 0 did not connect",
    "during": "meet at 192.168.177.11:29520",
    "missing": [0],
    "log": "",
}


def test_an_answer() -> None:
    """Every field is typed; what sysfs does not tell is 0."""
    expected = RankAnswer(
        backend="nccl",
        torch="2.13.0+cu130",
        nccl="2.28.9",
        device="NVIDIA GB10",
        interfaces={"enp1s0f1np1": 200.0},
        rdma=(
            device("rocep1s0f1"),
            RdmaDevice(name="rxe0", active=False, rate=0, pci="device", slot_rate=0, interfaces=()),
        ),
        log=NcclLog(),
        error="rank 0 did not connect",
        stage="meet at 192.168.177.11:29520",
        missing=(0,),
    )

    assert expected == rank_answer(f"some words\n{json.dumps(ANSWER)}\n")


def test_a_captured_answer() -> None:
    """The output of the program on an H100 is parsed to the last measurement."""
    answer = rank_answer(captured("plain"))

    assert answer
    assert ("nccl", "2.11.0+cu130", "2.28.9", "NVIDIA H100 80GB HBM3") == (
        answer.backend,
        answer.torch,
        answer.nccl,
        answer.device,
    )
    assert [(8, 20), (8, 20), (64, 20), (64, 20), (256, 13), (256, 20)] == [
        (row.size // MIB, row.rounds) for row in answer.measurements
    ]
    assert all(row.right for row in answer.measurements)


def test_a_rank_that_failed_after_its_peer() -> None:
    """An answer tells whether the rank ended because a different one had failed."""
    answers = [rank_answer(captured("wrong-interface", rank)) for rank in (0, 1)]

    assert [False, True] == [answer.failed_after_peer for answer in answers if answer]


@pytest.mark.parametrize("text", ["", "Killed\n", "{}", '{"measurements": 1}', "[]"])
def test_no_answer(text: str) -> None:
    """Any other output is no answer."""
    assert None is rank_answer(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_answer(value: object) -> None:
    """Whatever its fields hold, an answer is parsed or is None."""
    for name in ANSWER:
        answer = rank_answer(json.dumps(ANSWER | {name: value}))

        assert answer is None or isinstance(answer, RankAnswer)


def test_the_slowest_rank_counts() -> None:
    """A collective is as fast as its slowest rank, and wrong if it is wrong on any rank."""
    fast, slow = row(20.0), row(10.0)
    wrong = replace(fast, right=False)

    assert (slow,) == verdict.slowest([spark_with(fast), spark_with(slow)])
    assert (replace(slow, right=False),) == verdict.slowest([spark_with(wrong), spark_with(slow)])
    assert (wrong,) == verdict.slowest([spark_with(wrong), spark_with(fast)])


def spark_with(*rows: Measurement) -> RankAnswer:
    """Return a Spark's answer with these measurements."""
    return replace(spark(), measurements=rows)


def test_the_largest_all_gather_counts() -> None:
    """The bandwidth that is compared is that of all_gather with the largest buffer."""
    rows = (row(12.0, 8 * MIB), row(23.0), row(24.0, operation="all_reduce"))
    judged = verdict.Verdict(cluster="", ranks=(), answers={})

    assert 23.0 == replace(judged, measurements=rows).gathered
    assert 0.0 == judged.gathered


@pytest.mark.parametrize(
    "devices,expected",
    [
        pytest.param(TWINS, 25.0, id="a cable, and both of its devices"),
        pytest.param(TWINS[:1], SLOT / 8, id="a single device, limited by its slot"),
        pytest.param(
            ("rocep1s0f0", "roceP2p1s0f0", *TWINS), 2 * SLOT / 8, id="two cables on the same slots"
        ),
        pytest.param(("mlx5_1", "mlx5_3"), 25.0, id="the same devices under different names"),
        pytest.param(("mlx5_4",), 200 / 8, id="a card whose slot is unknown"),
        pytest.param(("unheard-of",), None, id="a device that sysfs does not list"),
        pytest.param(("rxe0",), None, id="a device without a rate"),
    ],
)
def test_the_capacity_of_rdma(devices: tuple[str, ...], expected: float | None) -> None:
    """Both devices of a port share its cable, and both ports share the slots."""
    names = ("rocep1s0f0", "roceP2p1s0f0", *TWINS)
    renamed = (device("mlx5_1", "0000:01:00.1"), device("mlx5_3", "0002:01:00.1"))
    plain = replace(device("mlx5_4", "0000:81:00.0"), slot_rate=0.0)
    rdma = (*map(device, names), *renamed, plain, device("rxe0", "device", rate=0))

    assert expected == replace(spark(), rdma=rdma, log=nccl_log(*devices)).capacity


@pytest.mark.parametrize(
    "carriers,expected",
    [(("enp1s0f1np1",), 25.0), (("enp1s0f1np1", "veth0"), None), ((), None)],
)
def test_the_capacity_of_sockets(carriers: tuple[str, ...], expected: float | None) -> None:
    """The speeds of interfaces add up, unless any of them is unknown."""
    assert expected == spark(carriers=carriers, transport="Socket").capacity


def reference(*answers: RankAnswer, cluster: Cluster = SPARKS) -> float | None:
    """Return the reference value for these answers."""
    return verdict.reference_value(dict(zip(ranks(cluster), answers, strict=True)))


def cluster_of(count: int, eth_if: str, *names: str) -> Cluster:
    """Return Sparks with this ETH_IF, and with these variables of a ring."""
    node = replace(extra_worker(), eth_if=eth_if)
    variables = tuple((name, verdict.RING_VARIABLES[name]) for name in names)
    return replace(SPARKS, nodes=(node,) * count, variables=variables)


def both_ports() -> RankAnswer:
    """Return the answer of a Spark with cables in both ports, both in use."""
    answer = spark(carriers=("rocep1s0f0", "rocep1s0f1"))
    return replace(answer, rdma=tuple(replace(device, active=True) for device in answer.rdma))


def test_the_reference_value() -> None:
    """NVIDIA's reference value is for Sparks over RDMA."""
    h100 = replace(spark(), device="NVIDIA H100 80GB HBM3")

    assert 21.875 == reference(spark(), spark())
    assert None is reference(spark(), h100)
    assert None is reference(spark(), spark(transport="Socket"))


def test_the_reference_value_of_a_ring() -> None:
    """The settings of every node tell a ring from a switch; the ports in use do not."""
    both, old = both_ports(), replace(both_ports(), rdma=())
    names = tuple(verdict.RING_VARIABLES)
    port, rj45 = "enp1s0f1np1", "enP7s7"
    switch, apart = cluster_of(4, port), cluster_of(3, rj45)
    mixed = replace(apart, nodes=(*apart.nodes[:2], replace(extra_worker(), eth_if=port)))

    assert 21.875 == reference(both, both, both, both, cluster=switch)
    assert 10.0 == reference(both, both, both, cluster=cluster_of(3, port, *names))
    assert 21.875 == reference(both, both, both, cluster=cluster_of(3, port, *names[:1]))
    assert 21.875 == reference(both, both, cluster=cluster_of(2, rj45, *names))
    assert 10.0 == reference(both, both, both, cluster=apart)
    assert 21.875 == reference(both, both, spark(), cluster=apart)
    assert 21.875 == reference(both, both, both, cluster=mixed)
    assert 21.875 == reference(old, old, old, cluster=apart)


@pytest.mark.parametrize(
    "largest,expected",
    [
        ("256m", (8 * MIB, 64 * MIB, 256 * MIB)),
        ("1g", (8 * MIB, 64 * MIB, 512 * MIB, 1024 * MIB)),
        ("8MiB", (8 * MIB,)),
        ("1k", (1024,)),
    ],
)
def test_buffer_sizes(largest: str, expected: tuple[int, ...]) -> None:
    """The sizes grow by eight up to the largest."""
    assert expected == buffer_sizes(largest)


@pytest.mark.parametrize(
    "largest,expected",
    [
        (
            "16g",
            "--largest: is too large: buffers above 1g have frozen Sparks (use at most 1g)",
        ),
        (
            "big",
            "--largest: must be a size in bytes, not `big` (for example 1g, 512MiB or 1073741824)",
        ),
        ("1", "--largest: must be at least 1024 bytes, not `1` (write 1024 or more)"),
    ],
)
def test_refused_sizes(largest: str, expected: str) -> None:
    """A size that could freeze a machine is refused, and so is a word that is no size."""
    with pytest.raises(RefusedError) as caught:
        buffer_sizes(largest)

    assert expected == str(caught.value)


def test_readable_sizes() -> None:
    """Bytes are shown in the largest unit that fits."""
    assert ["512 B", "1 KiB", "8 MiB", "1.5 GiB"] == [
        readable_size(count) for count in (512, 1024, 8 * MIB, 1536 * MIB)
    ]
