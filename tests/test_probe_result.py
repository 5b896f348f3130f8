"""The result of a probe: full texts of env files, drift, warnings, reports and exit codes."""

import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.discovery import probe_result
from cluster.discovery.probe_result import GID_INDEX, FileChange, ProbeResult, undecided
from cluster.discovery.remarks import Remark
from cluster.errors import Problem
from cluster.facts.rdma import Gid
from cluster.settings import settings
from cluster.settings.syntax import EnvText
from tests import situations
from tests.cabling import ONE, PAIR, connected, device, plain, port, spark, sparks, switch
from tests.probed_files import after, cluster_files, codes, probed

SPARK1 = """\
# probe: the first machine named
ROLE=head

# probe: of enp1s0f1np1, in 192.168.177.0/24
HOST_IP=192.168.177.11

# probe: enp1s0f1np1 reaches spark2 at 192.168.177.12; 0000:01:00.1, 200 Gb/s
ETH_IF=enp1s0f1np1

# probe: the port of enp1s0f1np1: 0000:01:00.1, 0002:01:00.1
IB_IF=rocep1s0f1,roceP2p1s0f1

# probe: from the command line
SSH_HOST=spark1
"""
SPARK2 = """\
# probe: spark1 is the head
ROLE=worker

# probe: of enp1s0f1np1, in 192.168.177.0/24
HOST_IP=192.168.177.12

# probe: enp1s0f1np1 reaches spark1 at 192.168.177.11; 0000:01:00.1, 200 Gb/s
ETH_IF=enp1s0f1np1

# probe: the port of enp1s0f1np1: 0000:01:00.1, 0002:01:00.1
IB_IF=rocep1s0f1,roceP2p1s0f1

# probe: from the command line
SSH_HOST=spark2
"""
NEW = {"env/spark1.env": SPARK1, "env/spark2.env": SPARK2}


def pair(**changes: str) -> dict[str, str]:
    """Return the files of two Sparks, with changed lines in the first."""
    text = "".join(f"{line}\n" for line in SPARK1.splitlines() if line and line[0] != "#")
    for key, line in changes.items():
        text = "".join(
            f"{line}\n" if old.startswith(f"{key}=") else f"{old}\n" for old in text.splitlines()
        )
    return {"env/spark1.env": text, "env/spark2.env": SPARK2}


ONE_CABLE = situations.probed("one-cable")


def test_new_files() -> None:
    """Two Sparks on a cable get a file each, with the source of every value."""
    result = probed(ONE_CABLE, {})

    assert NEW == after(result)
    assert ((1, 1), ()) == (codes(result), result.questions)
    assert ["env/spark1.env: is missing", "env/spark2.env: is missing"] == list(
        map(str, result.drifts)
    )


RING = """\
# probe: a ring, in which each cable is its own network
NCCL_NET_PLUGIN=none

# probe: a ring, in which each cable is its own network
NCCL_IB_SUBNET_AWARE_ROUTING=1

# probe: a ring, in which each cable is its own network
NCCL_IB_MERGE_NICS=0
"""


def test_ring() -> None:
    """A ring has addresses in the office network, and variables in the shared file."""
    texts = after(probed(situations.probed("ring"), {}))
    spark3 = """\
# probe: spark1 is the head
ROLE=worker

# probe: of enP7s7, in 192.168.50.0/24
HOST_IP=192.168.50.23

# probe: enP7s7 reaches spark1 at 192.168.50.21, and 1 more; 0007:01:00.0, 10 Gb/s
ETH_IF=enP7s7

# probe: both ports: 0000:01:00.0, 0002:01:00.0, 0000:01:00.1, 0002:01:00.1
IB_IF=rocep1s0f0,roceP2p1s0f0,rocep1s0f1,roceP2p1s0f1

# probe: from the command line
SSH_HOST=spark3
"""

    assert (RING, spark3) == (texts["env/cluster.env"], texts["env/spark3.env"])


@pytest.mark.parametrize("name", situations.ALL)
def test_settings_load(name: str) -> None:
    """The proposed files are a valid cluster, and a second probe changes nothing."""
    facts = situations.probed(name)
    first = probed(facts, {})
    again = probed(facts, after(first), named=False)

    if name == "no-address":
        assert ((4, 4), ()) == (codes(first), first.changes)
    else:
        texts = tuple(EnvText(path=path, text=text) for path, text in after(first).items())
        assert tuple(facts) == tuple(
            node.name for node in settings.resolve("default", texts).cluster.nodes
        )
        assert ((0, 0), ()) == (codes(again), again.needed)


@pytest.mark.parametrize("name", situations.HEALTHY)
def test_healthy_files_stay(name: str) -> None:
    """Correct files that people wrote by hand stay unchanged."""
    facts = situations.probed(name)
    texts = {
        "env/cluster.env": "MODEL=Qwen/Qwen3-4B\n" + (RING if name == "ring" else ""),
    } | {
        f"env/{node.name}.env": f"ROLE={node.role}\nHOST_IP={node.host_ip}\nETH_IF={node.eth_if}\n"
        f"IB_IF={', '.join(reversed(node.ib_if))}\nSSH_HOST=me@{node.ssh_host}\n"
        for node in situations.cluster(name).nodes
    }
    result = probed(facts, texts)

    assert ((0, 0), ()) == (codes(result), result.needed)


def test_moved_cable() -> None:
    """After a cable has moved to the other port, each wrong value is reported and changed."""
    machines = connected(sparks(2), switch(PAIR, *ONE))
    texts = pair(IB_IF="IB_IF='rocep1s0f1' # one twin", ROLE="ROLE=head\nHEAD_IP=192.168.177.10")
    result = probed(machines, texts)

    assert [
        "env/spark1.env:4: ETH_IF: is enp1s0f1np1, the link is on enp1s0f0np0",
        "env/spark1.env:5: IB_IF: is rocep1s0f1, the link is on rocep1s0f0,roceP2p1s0f0",
        "env/spark1.env:2: HEAD_IP: is 192.168.177.10, the head has 192.168.177.11",
        "env/spark2.env:8: ETH_IF: is enp1s0f1np1, the link is on enp1s0f0np0",
        (
            "env/spark2.env:11: IB_IF: is rocep1s0f1,roceP2p1s0f1,"
            " the link is on rocep1s0f0,roceP2p1s0f0"
        ),
    ] == probe_result.drift(result).splitlines()
    assert """\
--- env/spark1.env
+++ env/spark1.env
@@ -1,6 +1,9 @@
 ROLE=head
-HEAD_IP=192.168.177.10
+# probe: HOST_IP of spark1
+HEAD_IP=192.168.177.11
 HOST_IP=192.168.177.11
-ETH_IF=enp1s0f1np1
-IB_IF='rocep1s0f1' # one twin
+# probe: enp1s0f0np0 reaches spark2 at 192.168.177.12; 0000:01:00.0, 200 Gb/s
+ETH_IF=enp1s0f0np0
+# probe: the port of enp1s0f0np0: 0000:01:00.0, 0002:01:00.0
+IB_IF=rocep1s0f0,roceP2p1s0f0 # one twin
 SSH_HOST=spark1
""" == probe_result.diff(result.needed[0])


def test_missing_and_empty() -> None:
    """A missing key is reported, and so is one that is empty or should be."""
    texts = pair(IB_IF="IB_IF=", ETH_IF="NCCL_DEBUG=INFO")
    vm = probed(
        situations.probed("vm"),
        {"env/vm.env": "ROLE=head\nHOST_IP=192.0.2.2\nETH_IF=eth0\nIB_IF=rocep1s0f0\n"},
        named=False,
    )

    assert [
        "env/spark1.env: ETH_IF: is missing, the link is on enp1s0f1np1",
        "env/spark1.env:4: IB_IF: is empty, the link is on rocep1s0f1,roceP2p1s0f1",
    ] == probe_result.drift(probed(ONE_CABLE, texts)).splitlines()
    assert ["env/vm.env:4: IB_IF: is rocep1s0f0, there is no RDMA device"] == probe_result.drift(
        vm
    ).splitlines()


def test_ib_if_is_optional() -> None:
    """A file without IB_IF is right for a machine without RDMA."""
    texts = {"env/vm.env": "ROLE=head\nHOST_IP=192.0.2.2\nETH_IF=eth0\n"}

    assert 0 == codes(probed(situations.probed("vm"), texts, named=False))[0]


NODE = "ROLE=head\nHOST_IP=10.0.0.1\nETH_IF=eth0\n"
HOST = {"spark1": plain(eth0="10.0.0.1/24")}


def gid(index: int, address: str, kind: str = "RoCE v2") -> Gid:
    """Return a row of a GID table."""
    digits = IPv4Address(address).packed.hex()
    groups = f"{digits[:4]}:{digits[4:]}"
    return Gid(index=index, value=f"0000:0000:0000:0000:0000:ffff:{groups}", kind=kind)


@pytest.mark.parametrize(
    "node, shared, line",
    [
        ("", "", ""),
        (f"{GID_INDEX}=5\n", f"{GID_INDEX}=3\n", ""),
        (f"{GID_INDEX}=-1\n", "", ""),
        (f"{GID_INDEX}=3\n", "", "env/spark1.env:5"),
        ("", f"{GID_INDEX}=3\n", "env/cluster.env:1"),
    ],
)
def test_stale_gid(node: str, shared: str, line: str) -> None:
    """A forced GID row that is no longer the row of the address is drift, and a warning."""
    facts = spark(**port(11))
    rows = (gid(4, "192.168.177.11", "IB/RoCE v1"), gid(5, "192.168.177.11"), gid(3, "10.0.0.1"))
    facts = device(facts, "rocep1s0f0", gids=rows)
    text = NODE.replace("10.0.0.1", "192.168.177.11").replace("eth0", ONE[0])
    text += "IB_IF=rocep1s0f0,roceP2p1s0f0\n"
    result = probed(
        {"spark1": facts}, {"env/spark1.env": text + node, "env/cluster.env": shared}, named=False
    )
    message = "is 3, but rocep1s0f0 of spark1 has 192.168.177.11 in row 5"
    problem = f"{line}: {GID_INDEX}: {message} (remove the line: NCCL finds the row)"

    assert [problem] * bool(line) == list(map(str, result.drifts))
    assert [problem] * bool(line) == list(map(str, result.warnings[1:]))
    assert (0, int(bool(line))) == codes(result)


def test_ring_leftovers() -> None:
    """A variable of a ring is a warning in any other topology."""
    result = probed(HOST, {"env/cluster.env": "NCCL_IB_MERGE_NICS=0\n"})

    assert (
        "env/cluster.env:1: NCCL_IB_MERGE_NICS: is 0, which is for a ring, but this is no ring"
        " (remove the line)"
    ) == str(result.warnings[1])


def test_masked_diff() -> None:
    """A diff masks secrets, and marks a last line without a newline."""
    texts = {"env/spark1.env": "ROLE=head\nHOST_IP=10.0.0.2\nETH_IF=eth0\nHF_TOKEN=hf_1"}

    assert """\
--- env/spark1.env
+++ env/spark1.env
@@ -1,4 +1,5 @@
 ROLE=head
-HOST_IP=10.0.0.2
+# probe: of eth0, in 10.0.0.0/24
+HOST_IP=10.0.0.1
 ETH_IF=eth0
 HF_TOKEN=********
\\ No newline at end of file
""" == probe_result.diff(probed(HOST, texts, named=False).needed[0])


QUESTION = Remark("spark1", "is odd", "mend it", ("a: 1", "b: 2"))
WARNING = Remark("spark2", "is slow")


def test_text() -> None:
    """Warnings and questions follow the diffs, with their lines for files."""
    result = ProbeResult(kind="direct", warnings=(WARNING,), questions=(QUESTION,))

    assert """\
warning: spark2: is slow
question: spark1: is odd (mend it)
    a: 1
    b: 2
""" == probe_result.text(result)


def test_drift_with_questions() -> None:
    """A check prints drift, and open questions."""
    problem = Problem(place="env/spark1.env:2: HOST_IP", message="is wrong")
    result = ProbeResult(kind="direct", drifts=(problem,), questions=(WARNING,))

    assert "env/spark1.env:2: HOST_IP: is wrong\nquestion: spark2: is slow\n" == probe_result.drift(
        result
    )


def test_undecided() -> None:
    """Conflicts of names are questions, and the only content of the result."""
    problem = Problem(place="b", message="is the same machine as a")
    result = undecided([problem])

    assert (4, 4) == codes(result)
    assert "question: b: is the same machine as a\n" == probe_result.text(result)


def test_last_lines() -> None:
    """The last line is the next step, or lists the files that were written."""
    undecided, changes = ProbeResult(kind="direct", questions=(QUESTION,)), probed(HOST, {})
    results = (undecided, changes, probed(HOST, after(changes)))

    assert [
        "Nothing is written until all questions are answered.\n",
        "Write these files: `inv probe --write --cluster mine -- spark1`\n",
        "The env files match the machines.\n",
    ] == [probe_result.next_step(result, "mine", ("spark1",)) for result in results]
    assert [
        "Nothing is written until all questions are answered.\n",
        "wrote env/spark1.env\n",
        "The env files match the machines.\n",
    ] == [probe_result.written(result) for result in results]


def test_json() -> None:
    """JSON has everything."""
    result = replace(probed(HOST, {}), questions=(QUESTION,))
    warning = result.warnings[0]

    assert {
        "topology": "alone",
        "files": {
            "env/spark1.env": {
                "new": True,
                "changed": True,
                "values": {
                    "ROLE": {"value": "head", "source": "the first machine named"},
                    "HOST_IP": {"value": "10.0.0.1", "source": "of eth0, in 10.0.0.0/24"},
                    "ETH_IF": {"value": "eth0", "source": "eth0 has a link"},
                    "IB_IF": {"value": "", "source": "no RDMA device: TCP sockets only"},
                    "SSH_HOST": {"value": "spark1", "source": "from the command line"},
                },
            }
        },
        "drift": ["env/spark1.env: is missing"],
        "warnings": [
            {"place": "spark1", "what": warning.message, "remedy": warning.remedy, "lines": []}
        ],
        "questions": [
            {
                "place": "spark1",
                "what": "is odd",
                "remedy": "mend it",
                "lines": ["a: 1", "b: 2"],
            }
        ],
    } == json.loads(probe_result.as_json(result))


def test_steps() -> None:
    """A change is a step that writes the file; its shell text masks secrets."""
    new, old = cluster_files({}).file("a"), cluster_files({"env/a.env": "A=1\n"}).file("a")
    change = FileChange(file=new, after="A=1\nHF_TOKEN=hf_1\n", values=())
    text = "cat >env/a.env <<'QUESTION'\nA=1\nHF_TOKEN=********\nQUESTION"

    assert ("env/a.env", "Create the env file", text) == (change.place, change.title, change.text)
    assert "Change the env file" == replace(change, file=old).title
