"""What is written beside addresses and devices: SUBNET, GPUS, roles, and how a node is reached."""

from dataclasses import replace

import pytest

from cluster.facts.facts import Facts
from cluster.facts.gpu import Gpu, Gpus
from tests.cabling import PAIR, joined, plain, switch
from tests.env_files import after, probed

NODE = "ROLE=head\nHOST_IP=10.0.0.1\nETH_IF=eth0\n"
HOST = {"spark1": plain(eth0="10.0.0.1/24")}


def two(one: str, other: str) -> dict[str, Facts]:
    """Return two machines without RDMA at these addresses."""
    hosts = {"spark1": plain(eth0=one), "spark2": plain(eth0=other)}
    return joined(hosts, switch(PAIR, "eth0"))


@pytest.mark.parametrize(
    "one, other, written, subnet",
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
def test_subnet(one: str, other: str, written: str, subnet: str) -> None:
    """SUBNET is written when the default, or what is written, does not hold every address."""
    its = probed(two(one, other), {"env/cluster.env": written})
    line = f"# probe: holds HOST_IP of every node\nSUBNET={subnet}\n"

    assert ((line if subnet else None), ()) == (after(its).get("env/cluster.env"), its.questions)


def test_no_subnet() -> None:
    """Of addresses that only the whole internet holds, the settings have the last word."""
    its = probed(two("10.0.0.1/24", "192.0.2.1/24"), {})

    assert (4, 4) == (its.code, its.drift_code)
    assert [
        (
            "env/spark2.env:5: HOST_IP: 192.0.2.1 is outside 10.0.0.0/24, the /24 around the head"
            " (correct it, or set SUBNET in env/cluster.env)"
        )
    ] == [str(one) for one in its.questions]


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
    """GPUS is written when there are several, unless the GPUs are not used."""
    gpus = Gpus(gpus=(Gpu(name="NVIDIA GB10"),) * count)
    facts = {"spark1": replace(HOST["spark1"], gpus=gpus)}
    texts = {"env/spark1.env": NODE + written, "env/cluster.env": shared}

    assert NODE + line == after(probed(facts, texts, named=False))["env/spark1.env"]


def test_reached_by_its_address() -> None:
    """SSH_HOST is left out where it is HOST_IP."""
    its = probed({"10.0.0.1": HOST["spark1"]}, {}).changes[0]

    assert ["ROLE", "HOST_IP", "ETH_IF", "IB_IF"] == [entry.key for entry in its.entries]


def test_roles_stay() -> None:
    """Who is the head by a file stays it, and the others are its workers."""
    texts = {"env/spark2.env": "ROLE=head\nHOST_IP=10.0.0.2\nETH_IF=eth0\n"}
    its = probed(two("10.0.0.1/24", "10.0.0.2/24"), texts, named=False)

    assert ["# probe: spark2 is the head", "ROLE=worker"] == (
        after(its)["env/spark1.env"].splitlines()[:2]
    )
    assert texts["env/spark2.env"] == after(its)["env/spark2.env"]


def test_head_that_was_not_asked() -> None:
    """A worker's HEAD_IP is not touched while the head was not asked; two heads are a question."""
    texts = {
        "env/head.env": "ROLE=head\nHOST_IP=10.0.0.9\nETH_IF=eth0\n",
        "env/spark1.env": "ROLE=worker\nHOST_IP=10.0.0.1\nETH_IF=eth0\nHEAD_IP=10.0.0.9\n",
    }
    both = texts | {"env/spark1.env": NODE}

    assert 0 == probed(HOST, texts, named=False).code
    assert ["env/: 2 heads: head, spark1 (set ROLE=worker on all but one)"] == [
        str(one) for one in probed(HOST, both, named=False).questions
    ]
