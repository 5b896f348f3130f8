"""The result of a probe: full texts of env files, diffs, drift and exit codes."""

import pytest

from cluster.discovery.probe_result import diff, drift
from cluster.settings import settings
from cluster.settings.syntax import EnvText
from tests import situations
from tests.cabling import ONE, PAIR, connected, sparks, switch
from tests.probed_files import after, codes, probed

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
    ] == drift(result).splitlines()
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
""" == diff(result.needed[0])


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
    ] == drift(probed(ONE_CABLE, texts)).splitlines()
    assert ["env/vm.env:4: IB_IF: is rocep1s0f0, there is no RDMA device"] == drift(vm).splitlines()


def test_ib_if_is_optional() -> None:
    """A file without IB_IF is right for a machine without RDMA."""
    texts = {"env/vm.env": "ROLE=head\nHOST_IP=192.0.2.2\nETH_IF=eth0\n"}

    assert 0 == codes(probed(situations.probed("vm"), texts, named=False))[0]
