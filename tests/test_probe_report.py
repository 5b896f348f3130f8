"""The report of `inv probe`, and warnings about variables in the env files."""

import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.discovery import probe_result
from cluster.discovery.probe_result import GID_INDEX, FileChange, ProbeResult, undecided
from cluster.discovery.remarks import Remark
from cluster.errors import Problem
from cluster.facts.rdma import Gid
from tests.cabling import ONE, device, plain, port, spark
from tests.probed_files import after, cluster_files, codes, probed

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
