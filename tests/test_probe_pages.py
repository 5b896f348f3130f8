"""What `inv probe` prints, and the cases in which files have more to say."""

import json
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from cluster.discovery import pages, wiring
from cluster.discovery.drift import GID_INDEX
from cluster.discovery.files import Files
from cluster.discovery.outcome import Outcome
from cluster.discovery.remark import remark
from cluster.errors import ClusterError, Problem
from cluster.facts.facts import Request
from cluster.facts.rdma import Gid
from cluster.facts.reach import REACH
from cluster.settings.envfile import EnvText
from tests.cabling import ONE, device, plain, port, spark, sparks
from tests.env_files import after, probed, read

NODE = "ROLE=head\nHOST_IP=10.0.0.1\nETH_IF=eth0\n"
HOST = {"spark1": plain(eth0="10.0.0.1/24")}


def gid(index: int, address: str, kind: str = "RoCE v2") -> Gid:
    """Return a row of a GID table."""
    one, two, three, four = (int(part) for part in address.split("."))
    groups = f"{one:02x}{two:02x}:{three:02x}{four:02x}"
    return Gid(index=index, value=f"0000:0000:0000:0000:0000:ffff:{groups}", kind=kind)


@pytest.mark.parametrize(
    "own, shared, line",
    [
        ("", "", ""),
        (f"{GID_INDEX}=5\n", f"{GID_INDEX}=3\n", ""),
        (f"{GID_INDEX}=-1\n", "", ""),
        (f"{GID_INDEX}=3\n", "", "env/spark1.env:5"),
        ("", f"{GID_INDEX}=3\n", "env/cluster.env:1"),
    ],
)
def test_gid_moved(own: str, shared: str, line: str) -> None:
    """A forced GID row that is no longer that of the address is a drift, and a warning."""
    facts = spark(**port(11))
    rows = (gid(4, "192.168.177.11", "IB/RoCE v1"), gid(5, "192.168.177.11"), gid(3, "10.0.0.1"))
    facts = device(facts, "rocep1s0f0", gids=rows)
    node = NODE.replace("10.0.0.1", "192.168.177.11").replace("eth0", ONE[0])
    node += "IB_IF=rocep1s0f0,roceP2p1s0f0\n"
    its = probed(
        {"spark1": facts}, {"env/spark1.env": node + own, "env/cluster.env": shared}, named=False
    )
    message = "is 3, on spark1 rocep1s0f0 has 192.168.177.11 in row 5"
    problem = f"{line}: {GID_INDEX}: {message} (remove the line: NCCL finds the row)"

    assert [problem] * bool(line) == [str(one) for one in its.drifts]
    assert [problem] * bool(line) == [str(one) for one in its.warnings[1:]]
    assert (0, int(bool(line))) == (its.code, its.drift_code)


def test_left_from_a_ring() -> None:
    """What a ring needs and others suffer from is a warning when there is no ring."""
    its = probed(HOST, {"env/cluster.env": "NCCL_IB_MERGE_NICS=0\n"})

    assert (
        "env/cluster.env:1: NCCL_IB_MERGE_NICS: is 0, which is for a ring, and this is none"
        " (remove the line)"
    ) == str(its.warnings[1])


def test_no_secret_shows() -> None:
    """A diff shows no secret among the lines around it, and a last line without its end as such."""
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
""" == pages.diff(probed(HOST, texts, named=False).changed[0])


QUESTION = remark("spark1", "is odd", "mend it", ("a: 1", "b: 2"))
WARNING = remark("spark2", "is slow")


def test_text() -> None:
    """Warnings and questions follow the diffs, with the lines that they speak of."""
    its = Outcome(kind="direct", warnings=(WARNING,), questions=(QUESTION,))

    assert """\
warning: spark2: is slow
question: spark1: is odd (mend it)
    a: 1
    b: 2
""" == pages.text(its)


def test_drift_with_questions() -> None:
    """A look at what has changed says as well what it cannot tell."""
    problem = Problem(place="env/spark1.env:2: HOST_IP", message="is wrong")
    its = Outcome(kind="direct", drifts=(problem,), questions=(WARNING,))

    assert "env/spark1.env:2: HOST_IP: is wrong\nquestion: spark2: is slow\n" == pages.drift(its)


def test_endings() -> None:
    """The last line says what to do next, or what was done."""
    open_, changes = Outcome(kind="direct", questions=(QUESTION,)), probed(HOST, {})
    same = probed(HOST, after(changes))

    assert [
        "Nothing is written before all is decided.\n",
        "`inv probe --write` writes this.\n",
        "The env files say what the machines say.\n",
    ] == [pages.ending(its, "`inv probe --write`") for its in (open_, changes, same)]
    assert [
        "Nothing is written before all is decided.\n",
        "wrote env/spark1.env\n",
        "The env files say what the machines say.\n",
    ] == [pages.written(its) for its in (open_, changes, same)]


def test_json() -> None:
    """As JSON there is all of it, for programs."""
    its = replace(probed(HOST, {}), questions=(QUESTION,))
    warning = its.warnings[0].problem

    assert {
        "topology": "alone",
        "files": {
            "env/spark1.env": {
                "new": True,
                "changed": True,
                "values": {
                    "ROLE": {"value": "head", "source": "the first that was named"},
                    "HOST_IP": {"value": "10.0.0.1", "source": "of eth0, in 10.0.0.0/24"},
                    "ETH_IF": {"value": "eth0", "source": "eth0 has a cable"},
                    "IB_IF": {"value": "", "source": "no RDMA device: sockets only"},
                    "SSH_HOST": {"value": "spark1", "source": "as it was named"},
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
    } == json.loads(pages.as_json(its))


@pytest.mark.parametrize(
    "files, message",
    [
        (
            Files(
                name="mine",
                texts=(EnvText(path="env/mine/", trouble="no such cluster", remedy="look"),),
            ),
            "env/mine/: no such cluster (look)",
        ),
        (
            read({"env/spark1.env": 'A="1\n'}),
            (
                "env/spark1.env:1: A: its quotes are not closed, or text follows them"
                ' (write A="value")'
            ),
        ),
        (
            read({"env/cluster.env": "RUNTIME=process\n"}),
            (
                "cluster default: its nodes are namespaces of this machine, and have no ports"
                " (its files are complete as they are)"
            ),
        ),
    ],
)
def test_refused(files: Files, message: str) -> None:
    """Files that cannot be read are not written to, and nodes that are no machines not probed."""
    with pytest.raises(ClusterError) as error:
        files.check()

    assert message == str(error.value)


def test_second_question() -> None:
    """A host tries the others' addresses of each network from its interface there."""
    first, second = IPv4Address("192.168.177.12"), IPv4Address("192.168.178.12")
    expected = Request(
        parts=(REACH,),
        pings=(("enp1s0f0np0", first), ("enP2p1s0f0np0", second)),
        routes_to=(first, second),
    )

    assert expected == wiring.asked(sparks(2))["spark1"]
