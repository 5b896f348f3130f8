"""Proposed values: SUBNET, GPUS, roles, HEAD_IP and SSH_HOST."""

from dataclasses import replace

import pytest

from cluster.facts.facts import Facts
from cluster.facts.gpu import Gpu, Gpus
from tests.cabling import PAIR, connected, plain, switch
from tests.probed_files import after, codes, probed

NODE = "ROLE=head\nHOST_IP=10.0.0.1\nETH_IF=eth0\n"
HOST = {"spark1": plain(eth0="10.0.0.1/24")}


def two(first: str, second: str) -> dict[str, Facts]:
    """Return two machines without RDMA at these addresses."""
    machines = {"spark1": plain(eth0=first), "spark2": plain(eth0=second)}
    return connected(machines, switch(PAIR, "eth0"))


@pytest.mark.parametrize(
    "first, second, written, subnet",
    [
        ("10.0.0.1/24", "10.0.0.2/24", "", ""),
        ("10.0.0.1/16", "10.0.9.2/16", "", "10.0.0.0/16"),
        ("10.0.0.1/16", "10.0.9.2/16", "SUBNET=10.0.0.0/8\n", ""),
        ("10.0.0.1/16", "10.0.9.2/16", "SUBNET=10.1.0.0/16\n", "10.0.0.0/16"),
        ("10.0.1.1/24", "10.0.2.1/24", "", "10.0.0.0/22"),
        ("10.0.0.254/31", "10.0.0.255/31", "", "10.0.0.254/31"),
        ("10.0.0.1/32", "10.0.0.2/32", "SUBNET=10.1.0.0/16\n", "10.0.0.0/30"),
    ],
)
def test_subnet(first: str, second: str, written: str, subnet: str) -> None:
    """SUBNET is written if the default, or the file's own, does not hold every address."""
    result = probed(two(first, second), {"env/cluster.env": written})
    line = f"# probe: holds HOST_IP of every node\nSUBNET={subnet}\n"

    assert ((line if subnet else None), ()) == (
        after(result).get("env/cluster.env"),
        result.questions,
    )


def test_no_subnet() -> None:
    """Addresses that no SUBNET can hold are a question, with the settings' own fault."""
    result = probed(two("10.0.0.1/24", "192.0.2.1/24"), {})

    assert (4, 4) == codes(result)
    assert [
        (
            "env/spark2.env:5: HOST_IP: 192.0.2.1 is outside 10.0.0.0/24, the /24 around the head"
            " (correct it, or set SUBNET in env/cluster.env)"
        )
    ] == list(map(str, result.questions))


@pytest.mark.parametrize(
    "count, written, shared, line",
    [
        (0, "", "", ""),
        (1, "", "", ""),
        (1, "GPUS=2\n", "", "# probe: nvidia-smi lists 1\nGPUS=1\n"),
        (2, "GPUS=2\n", "", "GPUS=2\n"),
        (2, "", "", "\n# probe: nvidia-smi lists 2\nGPUS=2\n"),
        (2, "", "ACCELERATOR=none\n", ""),
    ],
)
def test_gpus(count: int, written: str, shared: str, line: str) -> None:
    """GPUS is written for several GPUs, unless the cluster uses none."""
    gpus = Gpus(gpus=(Gpu(name="NVIDIA GB10"),) * count)
    facts = {"spark1": replace(HOST["spark1"], gpus=gpus)}
    texts = {"env/spark1.env": NODE + written, "env/cluster.env": shared}

    assert NODE + line == after(probed(facts, texts, named=False))["env/spark1.env"]


def test_ssh_host_is_host_ip() -> None:
    """SSH_HOST is not written if it is HOST_IP."""
    change = probed({"10.0.0.1": HOST["spark1"]}, {}).changes[0]

    assert ["ROLE", "HOST_IP", "ETH_IF", "IB_IF"] == [value.key for value in change.values]


def test_roles_stay() -> None:
    """The head of a file stays the head, and new nodes are workers."""
    texts = {"env/spark2.env": "ROLE=head\nHOST_IP=10.0.0.2\nETH_IF=eth0\n"}
    result = probed(two("10.0.0.1/24", "10.0.0.2/24"), texts, named=False)

    assert ["# probe: spark2 is the head", "ROLE=worker"] == (
        after(result)["env/spark1.env"].splitlines()[:2]
    )
    assert texts["env/spark2.env"] == after(result)["env/spark2.env"]


def test_head_that_was_not_probed() -> None:
    """HEAD_IP stays if the head was not probed; two heads are a question."""
    texts = {
        "env/head.env": "ROLE=head\nHOST_IP=10.0.0.9\nETH_IF=eth0\n",
        "env/spark1.env": "ROLE=worker\nHOST_IP=10.0.0.1\nETH_IF=eth0\nHEAD_IP=10.0.0.9\n",
    }
    both = texts | {"env/spark1.env": NODE}

    assert 0 == codes(probed(HOST, texts, named=False))[0]
    assert ["env/: 2 heads: head, spark1 (set ROLE=worker on all but one)"] == list(
        map(str, probed(HOST, both, named=False).questions)
    )
