"""The report of a measurement, for people and for programs, and the commands of its ranks."""

import json
from dataclasses import replace

from cluster.bandwidth.measurement_report import as_json, text
from cluster.bandwidth.rank_problems import RankResult
from cluster.bandwidth.ranks import Rank, arguments, ranks, title
from cluster.bandwidth.verdict import verdict
from tests.clusters import HEAD, REHEARSAL, SPARKS, WORKER, container_runtime, namespace_runtime
from tests.pages import ROOT, blocks
from tests.rank_answers import TWINS, captured_results, results, spark

PASSED = """\
rank  node    device       backend      transport        channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8
1     spark2  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8

operation   size     rounds  time      algorithm   bus
all_reduce  256 MiB  20      11.33 ms  23.70 GB/s  23.70 GB/s
all_gather  256 MiB  20      5.66 ms   47.40 GB/s  23.70 GB/s

link: 25.0 GB/s in each direction; all_gather uses 95%
reference: 21.875 GB/s for all_gather (NVIDIA's, for 16 GiB); for 256 MiB: at least 18.6 GB/s
passed: all_gather 23.7 GB/s on the bus
"""
SLOW = """\
rank  node    device       backend      transport        channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8
1     spark2  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1    8
                                        IB roceP2p1s0f1  8

operation   size     rounds  time      algorithm   bus
all_reduce  256 MiB  20      22.37 ms  12.00 GB/s  12.00 GB/s
all_gather  256 MiB  20      11.18 ms  24.00 GB/s  12.00 GB/s

link: 25.0 GB/s in each direction; all_gather uses 48%
reference: 21.875 GB/s for all_gather (NVIDIA's, for 16 GiB); for 256 MiB: at least 18.6 GB/s
spark1, spark2: all_gather reaches 12.0 GB/s, expected at least 18.6 GB/s (`inv doctor`)
slow: all_gather 12.0 GB/s on the bus
"""
SOCKETS = """\
rank  node    device                 backend      transport             channels
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
spark1: rank 0 uses TCP sockets on enp1s0f1np1 and enP2p1s0f1np1, but IB_IF is \
rocep1s0f1,roceP2p1s0f1 (`inv doctor`)
spark2: rank 1 uses TCP sockets on enp1s0f1np1 and enP2p1s0f1np1, but IB_IF is \
rocep1s0f0,roceP2p1s0f0 (`inv doctor`)
failed: all_gather 2.1 GB/s on the bus
"""
NOTHING = """\
rank  node    device       backend      transport                    channels
0     spark1  NVIDIA GB10  nccl 2.28.9  IB rocep1s0f1 (GPUDirect)    4
                                        IB roceP2p1s0f1 (GPUDirect)  4
1     spark2               no answer    unknown

spark2: rank 1 ended with code 137 without an answer (`inv doctor`)
no measurement
"""
GLOO = """\
rank  node    device  backend  transport  channels
0     spark1  CPU     gloo     TCP
1     spark2  CPU     gloo     TCP

operation   size     rounds  time       algorithm  bus
all_reduce  256 MiB  20      536.87 ms  0.50 GB/s  0.50 GB/s
all_gather  256 MiB  20      268.44 ms  1.00 GB/s  0.50 GB/s

all_gather 0.5 GB/s on the bus; no reference value
"""


def test_a_measurement_that_passes() -> None:
    """The report has transports, measurements, the limits of the link, and a verdict."""
    assert PASSED == text(verdict(SPARKS, results(spark(), spark())))


def test_the_documentation() -> None:
    """The documentation shows a real report."""
    examples = {block.word: block.text for block in blocks(ROOT / "docs" / "nccl.md")}

    assert PASSED == examples["passed"]


def test_a_slow_measurement() -> None:
    """A slow operation is reported above the verdict."""
    assert SLOW == text(verdict(SPARKS, results(spark(12.0), spark(12.0))))


def test_a_measurement_over_sockets() -> None:
    """Sockets on nodes with RDMA in their settings fail; two ranks on an H100 measured them."""
    assert SOCKETS == text(verdict(SPARKS, captured_results("two-interfaces")))


def test_a_rank_that_was_killed() -> None:
    """The report shows the ranks that answered, even if a rank died."""
    answer = spark()
    routes = (replace(route, gpu_direct=True, channels=4) for route in answer.log.routes)
    answer = replace(answer, log=replace(answer.log, routes=tuple(routes)))
    ended = [RankResult(answer=answer), RankResult(answer=None, code=137)]

    assert NOTHING == text(verdict(SPARKS, ended))


def test_a_rehearsal() -> None:
    """CPUs have one transport, and no reference value."""
    answer = replace(spark(0.5, (), ""), backend="gloo", nccl="", device="CPU")

    assert GLOO == text(verdict(SPARKS, results(answer, answer)))


def test_the_variables_of_a_slow_node() -> None:
    """NCCL's variables are shown once for all ranks of a node, with secrets masked."""
    two = replace(SPARKS, nodes=(HEAD, replace(WORKER, gpus=2)))
    plain = spark(12.0)
    variables = (("NCCL_IB_HCA", "=rocep1s0f1"), ("NCCL_FAST_TOKEN", "abc"))
    answer = replace(plain, log=replace(plain.log, variables=variables))
    expected = "variables of spark2: NCCL_IB_HCA==rocep1s0f1 NCCL_FAST_TOKEN=********"
    lines = text(verdict(two, results(plain, answer, answer))).splitlines()

    assert [expected] == [line for line in lines if line.startswith("variables")]


def test_json() -> None:
    """JSON has every number, problem and remedy."""
    answer = spark(12.0)
    variables = (("NCCL_IB_MERGE_NICS", "0"), ("NCCL_FAST_TOKEN", "abc"))
    answer = replace(answer, log=replace(answer.log, variables=variables))
    ended = [RankResult(answer=answer), RankResult(answer=None, code=137)]
    report = json.loads(as_json(verdict(SPARKS, ended)))
    ways = [
        {"by": "IB", "device": name, "network": True, "direct": False, "channels": 8}
        for name in TWINS
    ]
    first, second = report.pop("ranks")
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
                "what": "rank 1 ended with code 137 without an answer",
                "remedy": "`inv doctor`",
            }
        ],
        "slow": [],
        "verdict": "no measurement",
        "exit_code": 4,
    }

    assert expected == report
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
    ] == [(device["name"], device["pci"], device["interfaces"]) for device in devices]


def test_json_of_a_slow_measurement() -> None:
    """JSON keeps slow measurements apart from failures."""
    report = json.loads(as_json(verdict(SPARKS, results(spark(12.0), spark(12.0)))))

    assert (1, [], 1, 12.0, 21.875, 25.0) == (
        report["exit_code"],
        report["failures"],
        len(report["slow"]),
        round(report["all_gather"], 6),
        report["mark"],
        report["link"],
    )
    assert ["all_reduce", "all_gather"] == [row["operation"] for row in report["measurements"]]


def test_ranks() -> None:
    """Each GPU of each node is a rank, the head's first."""
    two = replace(SPARKS, nodes=(HEAD, replace(WORKER, gpus=2)))
    expected = [(0, "spark1", 0), (1, "spark2", 0), (2, "spark2", 1)]

    assert expected == [(rank.number, rank.node.name, rank.gpu) for rank in ranks(two)]


def test_arguments() -> None:
    """All ranks connect to the head's address on the link."""
    rank = Rank(cluster=SPARKS, node=WORKER, number=1, gpu=0)
    expected = (
        "--rank 1 --world 2 --master 192.168.177.11:29520 --gpu 0 --sizes 8388608,67108864"
        " --join 60 --deadline 180"
    )

    assert expected == " ".join(arguments(rank, (8388608, 67108864), 29520))
    assert "Measure as rank 1 of 2, all at the same time" == title(rank)


def test_the_program_inside_the_nodes() -> None:
    """Both runtimes run the program that is beside the probe."""
    exec_ = "docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/nccl.py"
    box = container_runtime()
    inside = box.run_inside(box.cluster.head, box.rank_program)

    assert exec_ == inside.text
    assert ("python", "/opt/spark/docker/nccl.py") == namespace_runtime().rank_program
    assert (
        "spark1"
        == namespace_runtime().run_inside(REHEARSAL.head, namespace_runtime().rank_program).place
    )
