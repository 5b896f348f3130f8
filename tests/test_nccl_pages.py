"""A measurement as people and programs read it, and the commands that make it."""

import json
from dataclasses import replace

from cluster.bandwidth import pages
from cluster.bandwidth.failures import Heard
from cluster.bandwidth.log import Way
from cluster.bandwidth.seat import Seat, arguments, seats, title
from cluster.bandwidth.verdict import result
from tests.clusters import HEAD, REHEARSAL, SPARKS, WORKER, boxes, spaces
from tests.nccl_answers import TWINS, heard, spark, transport, wired
from tests.pages import ROOT, blocks

PASSED = """\
rank  node    device       backend      way              channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8
1     spark2  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8

operation   size     rounds  time      algorithm   bus
all_reduce  256 MiB  20      11.33 ms  23.70 GB/s  23.70 GB/s
all_gather  256 MiB  20      5.66 ms   47.40 GB/s  23.70 GB/s

link: 25.0 GB/s in each direction; all_gather uses 95%
mark: 21.875 GB/s for all_gather (NVIDIA's, for 16 GiB); with 256 MiB 18.6 GB/s are enough
passed: all_gather 23.7 GB/s on the bus
"""
SLOW = """\
rank  node    device       backend      way              channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8
1     spark2  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8

operation   size     rounds  time      algorithm   bus
all_reduce  256 MiB  20      22.37 ms  12.00 GB/s  12.00 GB/s
all_gather  256 MiB  20      11.18 ms  24.00 GB/s  12.00 GB/s

link: 25.0 GB/s in each direction; all_gather uses 48%
mark: 21.875 GB/s for all_gather (NVIDIA's, for 16 GiB); with 256 MiB 18.6 GB/s are enough
spark1, spark2: all_gather moves 12.0 GB/s, and should move 18.6 GB/s (`inv doctor`)
slow: all_gather 12.0 GB/s on the bus
"""
SOCKETS = """\
rank  node    device                 backend      way                   channels
0     spark1  NVIDIA H100 80GB HBM3  nccl 2.28.9  Socket enp1s0f1np1    2
                                                  Socket enP2p1s0f1np1  2
1     spark2  NVIDIA H100 80GB HBM3  nccl 2.28.9  Socket enp1s0f1np1    2
                                                  Socket enP2p1s0f1np1  2

operation   size     rounds  time       algorithm  bus
all_reduce  8 MiB    20      4.84 ms    1.73 GB/s  1.73 GB/s
all_gather  8 MiB    20      2.91 ms    2.89 GB/s  1.44 GB/s
all_reduce  64 MiB   20      32.63 ms   2.06 GB/s  2.06 GB/s
all_gather  64 MiB   20      17.18 ms   3.91 GB/s  1.95 GB/s
all_reduce  256 MiB  13      134.04 ms  2.00 GB/s  2.00 GB/s
all_gather  256 MiB  20      63.01 ms   4.26 GB/s  2.13 GB/s

variables of spark1: NCCL_SOCKET_IFNAME==enp1s0f1np1,enP2p1s0f1np1 NCCL_HOSTID=0
variables of spark2: NCCL_SOCKET_IFNAME==enp1s0f1np1,enP2p1s0f1np1 NCCL_HOSTID=1
spark1: rank 0 uses sockets over enp1s0f1np1 and enP2p1s0f1np1, and IB_IF is \
rocep1s0f1,roceP2p1s0f1 (`inv doctor`)
spark2: rank 1 uses sockets over enp1s0f1np1 and enP2p1s0f1np1, and IB_IF is \
rocep1s0f0,roceP2p1s0f0 (`inv doctor`)
failed: all_gather 2.1 GB/s on the bus
"""
NOTHING = """\
rank  node    device       backend      way                          channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1 (GPUDirect)    4
                                        IB roceP2p1s0f1 (GPUDirect)  4
1     spark2               no answer    unknown

spark2: rank 1 ended with code 137 and gave no answer (`inv doctor`)
nothing was measured
"""
GLOO = """\
rank  node    device  backend  way  channels
0     spark1  CPU     gloo     TCP
1     spark2  CPU     gloo     TCP

operation   size     rounds  time       algorithm  bus
all_reduce  256 MiB  20      536.87 ms  0.50 GB/s  0.50 GB/s
all_gather  256 MiB  20      268.44 ms  1.00 GB/s  0.50 GB/s

all_gather 0.5 GB/s on the bus; there is no mark for it
"""


def test_a_measurement_that_passes() -> None:
    """Ways, numbers, what the link could do, the mark, and one line at the end."""
    assert PASSED == pages.text(result(SPARKS, wired(spark(), spark())))


def test_the_page_shows_it() -> None:
    """The documentation shows what is printed."""
    shown = {block.word: block.text for block in blocks(ROOT / "docs" / "nccl.md")}

    assert PASSED == shown["passed"]


def test_a_slow_one() -> None:
    """What is slow stands before the last line."""
    assert SLOW == pages.text(result(SPARKS, wired(spark(12.0), spark(12.0))))


def test_one_that_fails() -> None:
    """What two ranks on an H100 measured over two interfaces, on nodes that should have RDMA."""
    assert SOCKETS == pages.text(result(SPARKS, heard("two-interfaces")))


def test_one_without_an_end() -> None:
    """What is known of the ranks is shown, also when one of them died."""
    ways = tuple(Way(by="IB", device=name, network=True, direct=True, channels=4) for name in TWINS)
    its = replace(spark(), transport=replace(transport(), ways=ways))
    said = {0: Heard(answer=its), 1: Heard(answer=None, code=137)}

    assert NOTHING == pages.text(result(SPARKS, said))


def test_a_rehearsal() -> None:
    """Between CPUs there is one way, and no mark."""
    its = replace(spark(0.5, ()), backend="gloo", nccl="", device="CPU")
    its = replace(its, transport=replace(its.transport, network=""))

    assert GLOO == pages.text(result(SPARKS, wired(its, its)))


def test_the_environment_of_a_node_that_is_slow() -> None:
    """What may be the reason is shown once for all ranks of a node, and secrets never are."""
    two = replace(SPARKS, nodes=(HEAD, replace(WORKER, gpus=2)))
    plain = spark(12.0)
    own = (("NCCL_IB_HCA", "=rocep1s0f1"), ("NCCL_FAST_TOKEN", "abc"))
    its = replace(plain, transport=replace(plain.transport, variables=own))
    expected = "variables of spark2: NCCL_IB_HCA==rocep1s0f1 NCCL_FAST_TOKEN=********"
    lines = pages.text(result(two, wired(plain, its, its))).splitlines()

    assert [expected] == [line for line in lines if line.startswith("variables")]


def test_json() -> None:
    """A program reads every number, and what to do."""
    its = spark(12.0)
    own = (("NCCL_IB_MERGE_NICS", "0"), ("NCCL_FAST_TOKEN", "abc"))
    its = replace(its, transport=replace(its.transport, variables=own))
    said = {**wired(its), 1: Heard(answer=None, code=137)}
    found = json.loads(pages.as_json(result(SPARKS, said)))
    ways = [
        {"by": "IB", "device": name, "network": True, "direct": False, "channels": 8}
        for name in TWINS
    ]
    first, second = found.pop("ranks")
    devices = first.pop("rdma")
    expected = {
        "cluster": "default",
        "measurements": [],
        "link": None,
        "mark": None,
        "enough": None,
        "all_gather": None,
        "failures": [
            {
                "place": "spark2",
                "what": "rank 1 ended with code 137 and gave no answer",
                "remedy": "`inv doctor`",
            }
        ],
        "slow": [],
        "verdict": "nothing was measured",
        "exit_code": 4,
    }

    assert expected == found
    assert {"rank": 1, "node": "spark2", "gpu": 0} == second
    assert {
        "rank": 0,
        "node": "spark1",
        "gpu": 0,
        "device": "NVIDIA GB10",
        "backend": "nccl",
        "nccl": "2.28.9",
        "torch": "2.13.0+cu130",
        "network": "IB",
        "by_rdma": True,
        "ways": ways,
        "variables": {"NCCL_IB_MERGE_NICS": "0", "NCCL_FAST_TOKEN": "********"},
        "warnings": [],
    } == first
    assert [
        ("rocep1s0f0", "0000:01:00.0", ["enp1s0f0np0"]),
        ("rocep1s0f1", "0000:01:00.1", ["enp1s0f1np1"]),
        ("roceP2p1s0f0", "0002:01:00.0", ["enP2p1s0f0np0"]),
        ("roceP2p1s0f1", "0002:01:00.1", ["enP2p1s0f1np1"]),
    ] == [(its["name"], its["pci"], its["interfaces"]) for its in devices]


def test_json_of_a_slow_measurement() -> None:
    """What is slow stands apart from what fails."""
    found = json.loads(pages.as_json(result(SPARKS, wired(spark(12.0), spark(12.0)))))

    assert (1, [], 1, 12.0, 21.875, 25.0) == (
        found["exit_code"],
        found["failures"],
        len(found["slow"]),
        round(found["all_gather"], 6),
        found["mark"],
        found["link"],
    )
    assert ["all_reduce", "all_gather"] == [row["operation"] for row in found["measurements"]]


def test_seats() -> None:
    """Each GPU of each node is a rank, the head's first."""
    two = replace(SPARKS, nodes=(HEAD, replace(WORKER, gpus=2)))
    expected = [(0, "spark1", 0), (1, "spark2", 0), (2, "spark2", 1)]

    assert expected == [(seat.rank, seat.node.name, seat.gpu) for seat in seats(two)]


def test_arguments() -> None:
    """All ranks meet at the head's address on the link."""
    seat = Seat(rank=1, node=WORKER, gpu=0)
    expected = (
        "--rank 1 --world 2 --master 192.168.177.11:29520 --gpu 0 --sizes 8388608,67108864"
        " --join 60 --deadline 180"
    )

    assert expected == " ".join(arguments(SPARKS, seat, (8388608, 67108864), 29520))
    assert "Measure as rank 1 of 2, all at the same time" == title(seat, 2)


def test_the_program_inside_the_nodes() -> None:
    """Both runtimes have the program beside the probe."""
    exec_ = "docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/nccl.py"
    box = boxes()
    inside = box.inside(box.cluster, box.cluster.head, box.bandwidth)

    assert exec_ == inside.text
    assert ("python", "/opt/spark/docker/nccl.py") == spaces().bandwidth
    assert "spark1" == spaces().inside(REHEARSAL, REHEARSAL.head, spaces().bandwidth).place
