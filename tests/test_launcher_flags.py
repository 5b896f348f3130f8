"""The flags of `run-cluster-node`: their values, and every problem with them."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cluster.errors import SettingsError
from cluster.launcher.flags import (
    ETH_IF,
    GPUS,
    HEAD_IP,
    HOST_IP,
    IB_IF,
    PORT,
    ROLE,
    read,
    rows,
    usage,
)
from cluster.reference.tables import table

PAGE = Path(__file__).parents[1] / "docs" / "run-cluster-node.md"
HEAD = {
    "--role": "head",
    "--host-ip": "192.168.177.11",
    "--eth-if": "enp1s0f1np1",
    "--ib-if": "rocep1s0f1,roceP2p1s0f1",
}
NODE = HEAD | {"--role": "node", "--host-ip": "192.168.177.12", "--head-ip": "192.168.177.11"}


def words(flags: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return flags as the words of a command line; one that is None has no value."""
    return tuple(word for pair in flags.items() for word in pair if word is not None)


def refusal(*argv: str) -> str:
    """Return what is printed about a command line."""
    with pytest.raises(SettingsError) as caught:
        read(argv)
    return f"{caught.value}\n"


def test_flags_of_a_head() -> None:
    """Each flag becomes a typed value; the flags that may be left out have none."""
    given = read(words(HEAD))

    assert given[ROLE] == "head"
    assert given[HOST_IP] == IPv4Address("192.168.177.11")
    assert given[ETH_IF] == "enp1s0f1np1"
    assert given[IB_IF] == ("rocep1s0f1", "roceP2p1s0f1")
    assert [None] * 3 == [given.get(HEAD_IP), given.get(PORT), given.get(GPUS)]


def test_short_flags() -> None:
    """Every short flag stands for its long one, and `-h` is the address, not help."""
    short = ("-r", "node", "-h", "10.0.0.2", "-e", "eth1", "-i", "", "-m", "10.0.0.1", "-p", "6380")
    long = (
        *("--role=node", "--host-ip=10.0.0.2", "--eth-if=eth1", "--ib-if="),
        *("--head-ip=10.0.0.1", "--port=6380"),
    )

    assert read(long) == read(short)
    assert read(long)[IB_IF] == ()


def test_gpus() -> None:
    """The number of GPUs can be stated."""
    assert read(words(HEAD | {"--gpus": "2"}))[GPUS] == 2


def test_nothing_given() -> None:
    """All missing flags are reported at once, each with an example."""
    expected = """\
run-cluster-node: --role: is missing (write --role head or --role node)
run-cluster-node: --host-ip: is missing (write --host-ip 192.168.177.11)
run-cluster-node: --eth-if: is missing (write --eth-if enp1s0f1np1)
run-cluster-node: --ib-if: is missing (write --ib-if rocep1s0f1,roceP2p1s0f1, \
or --ib-if "" for sockets only)
"""

    assert expected == refusal()


def test_everything_wrong() -> None:
    """Wrong values are reported as in the env files, all at once."""
    argv = {
        "--role": "haed",
        "--host-ip": "10.0.0",
        "--eth-if": "a b",
        "--ib-if": "roce,roce",
        "--head-ip": "127.0.0.1",
        "--port": "8265",
        "--gpus": "0",
    }
    expected = """\
run-cluster-node: --role: must be head or node or worker, not `haed` (did you mean head?)
run-cluster-node: --host-ip: must be an IPv4 address, not `10.0.0` (for example 192.168.177.11)
run-cluster-node: --eth-if: must be the name of one network interface, not `a b` \
(write it as `ip -br link` prints it, for example enp1s0f1np1)
run-cluster-node: --ib-if: lists roce twice: `roce,roce` (list each device once)
run-cluster-node: --head-ip: must be an address that other nodes can reach, not `127.0.0.1` \
(write this node's own address on the fast link)
run-cluster-node: --port: must not be `8265`, a port that Ray uses itself \
(choose one that is not 8265 and not from 10001 to 19999)
run-cluster-node: --gpus: must be a number of GPUs, not `0` (write a number from 1 to 64)
"""

    assert expected == refusal(*words(argv))


def test_unknown_words() -> None:
    """An unknown flag takes its value along; the flag that was probably meant is named."""
    argv = (*words(HEAD), "--head_ip", "10.0.0.1", "--xyz=1", "please", "-q", "--eth\n")
    expected = """\
run-cluster-node: --head_ip: unknown flag (did you mean --head-ip?)
run-cluster-node: --xyz: unknown flag (--help lists the flags)
run-cluster-node: please: unknown flag (--help lists the flags)
run-cluster-node: -q: unknown flag (--help lists the flags)
run-cluster-node: --eth\\n: unknown flag (did you mean --eth-if?)
"""

    assert expected == refusal(*argv)


def test_flags_without_values() -> None:
    """A flag never takes the next one for its value."""
    argv = words(HEAD | {"--role": None, "--ib-if": None})
    expected = """\
run-cluster-node: --role: has no value (write --role head or --role node)
run-cluster-node: --ib-if: has no value (write --ib-if rocep1s0f1,roceP2p1s0f1, \
or --ib-if "" for sockets only)
"""

    assert expected == refusal(*argv)


def test_a_flag_twice() -> None:
    """A flag with two values is refused, whatever their order and spelling."""
    expected = "run-cluster-node: --role: is given twice (keep one)\n"

    assert expected == refusal(*words(HEAD), "-r", "head")


@pytest.mark.parametrize("role", ["node", "worker"])
def test_a_node_without_head(role: str) -> None:
    """A node needs the address of its head, under both names of the role."""
    argv = words(HEAD | {"--role": role})
    expected = "run-cluster-node: --head-ip: is missing (write --head-ip 192.168.177.11)\n"

    assert expected == refusal(*argv)


def test_a_node_that_is_its_own_head() -> None:
    """A node does not join itself."""
    argv = words(NODE | {"--head-ip": "192.168.177.12"})
    expected = """\
run-cluster-node: --head-ip: is this machine's own --host-ip: `192.168.177.12` \
(write the head's address)
"""

    assert expected == refusal(*argv)


def test_a_head_with_another_head() -> None:
    """A head has its own address as the head's, or none."""
    expected = """\
run-cluster-node: --head-ip: should be 192.168.177.11, as this machine is the head: \
`192.168.177.12` (leave it out)
"""

    assert expected == refusal(*words(HEAD | {"--head-ip": "192.168.177.12"}))
    assert read(words(HEAD | {"--head-ip": "192.168.177.11"}))[ROLE] == "head"


def test_wrong_values_draw_no_conclusions() -> None:
    """A wrong value is not also reported as missing or contradictory."""
    argv = words(NODE | {"--role": "nod", "--host-ip": "x", "--head-ip": "y"})
    expected = """\
run-cluster-node: --role: must be head or node or worker, not `nod` (did you mean node?)
run-cluster-node: --host-ip: must be an IPv4 address, not `x` (for example 192.168.177.11)
run-cluster-node: --head-ip: must be an IPv4 address, not `y` (for example 192.168.177.11)
"""

    assert expected == refusal(*argv)


def test_usage() -> None:
    """`--help` shows every flag and a whole command for both roles."""
    expected = """\
run-cluster-node makes this container a node of a cluster: it checks the machine, sets the variables
for Ray, NCCL and vLLM here and in every later shell, and starts Ray.

  -r, --role     `head` on one machine, `node` (or `worker`) on every other
  -h, --host-ip  this machine's own address on the ConnectX link
  -e, --eth-if   Ethernet interface that holds this address
  -i, --ib-if    RDMA devices of the same port, with commas between them; empty for sockets only
  -m, --head-ip  the head's address on the link (for a node)
  -p, --port     Ray's port on the head, the same for all nodes; default 6379
  --gpus         GPUs of this machine, where Ray cannot count them itself
  --help         this text; `-h` is `--host-ip`

  run-cluster-node --role head --host-ip 192.168.177.11 \\
    --eth-if enp1s0f1np1 --ib-if rocep1s0f1,roceP2p1s0f1
  run-cluster-node --role node --host-ip 192.168.177.12 --head-ip 192.168.177.11 \\
    --eth-if enp1s0f1np1 --ib-if rocep1s0f1,roceP2p1s0f1
"""

    assert expected == usage()


def test_table_of_the_page() -> None:
    """The table of the page has the flags of the program."""
    code = (tuple(f"`{cell}`" if cell else "" for cell in row[:2]) + row[2:] for row in rows())
    shown = PAGE.read_text("utf-8").partition("## Flags\n\n")[2].partition("\n\n")[0]

    assert table(("Flag", "Long flag", "Meaning", "Required"), code) == f"{shown}\n"
