"""What a rank answers, and what follows for the bandwidth: the link's, and all ranks' together."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bandwidth import bandwidth, ring
from cluster.bandwidth.answer import Answer, Device, Row, answer
from cluster.bandwidth.log import Transport
from cluster.bandwidth.sizes import shown, sizes
from cluster.errors import RefusedError
from cluster.node import Cluster
from tests.clusters import SPARKS, third
from tests.nccl_answers import MIB, SLOT, TWINS, captured, device, row, spark, transport

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
    "error": "no word from rank 0",
    "during": "meet at 192.168.177.11:29520",
    "missing": [0],
    "log": "",
}


def test_an_answer() -> None:
    """Every field is typed; what sysfs does not tell is 0."""
    expected = Answer(
        backend="nccl",
        torch="2.13.0+cu130",
        nccl="2.28.9",
        device="NVIDIA GB10",
        interfaces={"enp1s0f1np1": 200.0},
        rdma=(
            device("rocep1s0f1"),
            Device(name="rxe0", active=False, rate=0, pci="device", slot_rate=0, interfaces=()),
        ),
        transport=Transport(),
        error="no word from rank 0",
        during="meet at 192.168.177.11:29520",
        missing=(0,),
    )

    assert expected == answer(f"some words\n{json.dumps(ANSWER)}\n")


def test_a_captured_answer() -> None:
    """What the program printed on an H100 is understood, to the last row."""
    found = answer(captured("plain"))

    assert found
    assert ("nccl", "2.11.0+cu130", "2.28.9", "NVIDIA H100 80GB HBM3") == (
        found.backend,
        found.torch,
        found.nccl,
        found.device,
    )
    assert [(8, 20), (8, 20), (64, 20), (64, 20), (256, 13), (256, 20)] == [
        (its.size // MIB, its.rounds) for its in found.rows
    ]
    assert all(its.right for its in found.rows)


def test_a_rank_that_followed() -> None:
    """A rank that ended because of another says so."""
    answers = [answer(captured("wrong-interface", rank)) for rank in (0, 1)]

    assert [False, True] == [its.follows for its in answers if its]


@pytest.mark.parametrize("text", ["", "Killed\n", "{}", '{"measurements": 1}', "[]"])
def test_no_answer(text: str) -> None:
    """Anything else is no answer."""
    assert None is answer(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_answer(value: object) -> None:
    """Whatever stands in its fields, an answer is read or is none."""
    for name in ANSWER:
        found = answer(json.dumps(ANSWER | {name: value}))

        assert found is None or isinstance(found, Answer)


def test_the_slowest_rank_counts() -> None:
    """A collective is as fast as its slowest rank, and wrong when one rank says so."""
    fast, slow = row(20.0), row(10.0)
    wrong = replace(fast, right=False)

    assert (slow,) == bandwidth.slowest([spark_with(fast), spark_with(slow)])
    assert (replace(slow, right=False),) == bandwidth.slowest([spark_with(wrong), spark_with(slow)])
    assert (wrong,) == bandwidth.slowest([spark_with(wrong), spark_with(fast)])


def spark_with(*rows: Row) -> Answer:
    """Return a Spark's answer with these rows."""
    return replace(spark(), rows=rows)


def test_the_largest_all_gather_is_told() -> None:
    """The bandwidth that is compared is that of the largest buffer."""
    rows = (row(12.0, 8 * MIB), row(23.0), row(24.0, operation="all_reduce"))

    assert 23.0 == bandwidth.gathered(rows)
    assert 0.0 == bandwidth.gathered(())


@pytest.mark.parametrize(
    "devices,expected",
    [
        pytest.param(TWINS, 25.0, id="a cable, and both of its devices"),
        pytest.param(TWINS[:1], SLOT / 8, id="one of them: its slot is the limit"),
        pytest.param(
            ("rocep1s0f0", "roceP2p1s0f0", *TWINS), 2 * SLOT / 8, id="two cables on the same slots"
        ),
        pytest.param(("mlx5_1", "mlx5_3"), 25.0, id="the same, by other names"),
        pytest.param(("mlx5_4",), 200 / 8, id="another card, whose slot says nothing"),
        pytest.param(("unheard-of",), None, id="a device that sysfs has not"),
        pytest.param(("rxe0",), None, id="a device without a rate"),
    ],
)
def test_what_a_link_can_carry(devices: tuple[str, ...], expected: float | None) -> None:
    """Both devices of a port share its cable, and both ports share the slots."""
    known = ("rocep1s0f0", "roceP2p1s0f0", *TWINS)
    renamed = (device("mlx5_1", "0000:01:00.1"), device("mlx5_3", "0002:01:00.1"))
    plain = replace(device("mlx5_4", "0000:81:00.0"), slot_rate=0.0)
    has = (*map(device, known), *renamed, plain, device("rxe0", "device", rate=0))
    its = replace(spark(), rdma=has, transport=transport(*devices))

    assert expected == bandwidth.link(its)


@pytest.mark.parametrize(
    "carriers,expected",
    [(("enp1s0f1np1",), 25.0), (("enp1s0f1np1", "veth0"), None), ((), None)],
)
def test_what_sockets_can_carry(carriers: tuple[str, ...], expected: float | None) -> None:
    """Interfaces add up, unless one does not tell."""
    assert expected == bandwidth.link(spark(carriers=carriers, by="Socket"))


def marked(*answers: Answer, cluster: Cluster = SPARKS) -> float | None:
    """Return the mark for these answers."""
    return bandwidth.mark(cluster, dict(enumerate(answers)))


def cluster_of(count: int, eth_if: str, *names: str) -> Cluster:
    """Return Sparks with this ETH_IF, and with variables of a ring."""
    node = replace(third(), eth_if=eth_if)
    variables = tuple((name, its) for name, its in ring.VARIABLES.items() if name in names)
    return replace(SPARKS, nodes=(node,) * count, variables=variables)


def both_ports() -> Answer:
    """Return the answer of a Spark with cables in both ports, both in use."""
    its = spark(carriers=("rocep1s0f0", "rocep1s0f1"))
    return replace(its, rdma=tuple(replace(one, active=True) for one in its.rdma))


def test_where_the_mark_applies() -> None:
    """NVIDIA's mark is for Sparks over RDMA."""
    other = replace(spark(), device="NVIDIA H100 80GB HBM3")

    assert 21.875 == marked(spark(), spark())
    assert None is marked(spark(), other)
    assert None is marked(spark(), spark(by="Socket"))


def test_another_mark_for_a_ring() -> None:
    """The settings of every node tell a ring from a switch, and not the ports that are in use."""
    both, old = both_ports(), replace(both_ports(), rdma=())
    names = tuple(ring.VARIABLES)
    port, other = "enp1s0f1np1", "enP7s7"
    switch, apart = cluster_of(4, port), cluster_of(3, other)
    mixed = replace(apart, nodes=(*apart.nodes[:2], replace(third(), eth_if=port)))

    assert 21.875 == marked(both, both, both, both, cluster=switch)
    assert 10.0 == marked(both, both, both, cluster=cluster_of(3, port, *names))
    assert 21.875 == marked(both, both, both, cluster=cluster_of(3, port, *names[:1]))
    assert 21.875 == marked(both, both, cluster=cluster_of(2, other, *names))
    assert 10.0 == marked(both, both, both, cluster=apart)
    assert 21.875 == marked(both, both, spark(), cluster=apart)
    assert 21.875 == marked(both, both, both, cluster=mixed)
    assert 21.875 == marked(old, old, old, cluster=apart)


@pytest.mark.parametrize(
    "largest,expected",
    [
        ("256m", (8 * MIB, 64 * MIB, 256 * MIB)),
        ("1g", (8 * MIB, 64 * MIB, 512 * MIB, 1024 * MIB)),
        ("8MiB", (8 * MIB,)),
        ("1k", (1024,)),
    ],
)
def test_sizes(largest: str, expected: tuple[int, ...]) -> None:
    """The sizes grow by eight up to the largest."""
    assert expected == sizes(largest)


@pytest.mark.parametrize(
    "largest,expected",
    [
        (
            "16g",
            "--largest: is too much: larger buffers have frozen Sparks (at most 1g)",
        ),
        (
            "big",
            "--largest: should be a size in bytes: `big` (write it like 1g, 512MiB or 1073741824)",
        ),
        ("1", "--largest: should be at least 1024 bytes: `1` (write 1024 or more)"),
    ],
)
def test_refused_sizes(largest: str, expected: str) -> None:
    """A size that would freeze a machine is refused, and so is what is no size."""
    with pytest.raises(RefusedError) as caught:
        sizes(largest)

    assert expected == str(caught.value)


def test_sizes_for_people() -> None:
    """Bytes are said in the largest unit that fits."""
    assert ["512 B", "1 KiB", "8 MiB", "1.5 GiB"] == [
        shown(count) for count in (512, 1024, 8 * MIB, 1536 * MIB)
    ]
