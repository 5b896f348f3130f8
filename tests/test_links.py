"""What a node's interface, address and RDMA devices leave to be desired: the exact sentences."""

from dataclasses import replace

import pytest

from tests.answers import LINK, RENEW, Change, address, capture, changed, flags, interface, judged
from tests.clusters import HEAD, SPARKS, WORKER

CABLE = (
    "(look at the cable and its other end by `ssh -t spark1 ibdev2netdev`,"
    " or write the port that it is in as ETH_IF and IB_IF in env/spark1.env)"
)
SEEN = "roceP2p1s0f0 (DOWN), roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN), rocep1s0f1 (ACTIVE)"


def test_the_cable_in_the_other_port() -> None:
    """A node whose cable is not where its settings say hears it of each half of the settings."""
    cable = CABLE.replace("spark1", "spark2")

    assert [
        (
            "spark2: HOST_IP 192.168.177.12 is on no interface; ETH_IF enp1s0f0np0 has no IPv4"
            " address"
            " (`ssh -t spark2 sudo ip address add 192.168.177.12/24 dev enp1s0f0np0`,"
            " and netplan to keep it)"
        ),
        (
            "spark2: ETH_IF enp1s0f0np0 has no link; those with one: enp1s0f1np1, enP2p1s0f1np1,"
            " enP7s7"
            f" {cable}"
        ),
        f"spark2: IB_IF rocep1s0f0, roceP2p1s0f0: not ACTIVE; there are: {SEEN} {cable}",
    ] == judged(capture("head"), WORKER)


def test_the_wrong_nic() -> None:
    """An address on the slow port is named as what it is; a link-local one is no better."""
    answer = capture("wrong-nic")

    assert [
        (
            "spark1: HOST_IP 192.168.177.11 is on enP7s7, the 10 Gb/s port, not on ETH_IF"
            " enp1s0f1np1,"
            " which has 169.254.7.7"
            " (give enp1s0f1np1 an address, and write it as HOST_IP in env/spark1.env)"
        ),
        (
            "spark1: has no RDMA device, and IB_IF is rocep1s0f1,roceP2p1s0f1"
            " (`ssh -t spark1 sudo modprobe mlx5_ib`, or write IB_IF= in env/spark1.env,"
            " for sockets only)"
        ),
    ] == judged(answer)


@pytest.mark.parametrize(
    "change, sentences",
    [
        pytest.param(
            lambda answer: address(answer, LINK, "192.168.177.21"),
            [
                (
                    "spark1: HOST_IP 192.168.177.11 is on no interface; ETH_IF enp1s0f1np1 has"
                    " 192.168.177.21 (write HOST_IP=192.168.177.21 in env/spark1.env)"
                )
            ],
            id="another address",
        ),
        pytest.param(
            lambda answer: (
                address(answer, LINK, "192.168.178.11", "192.168.179.11"),
                address(answer, "enP2p1s0f1np1", "192.168.177.11"),
            ),
            [
                (
                    "spark1: HOST_IP 192.168.177.11 is on enP2p1s0f1np1, not on ETH_IF enp1s0f1np1,"
                    " which has 192.168.178.11, 192.168.179.11"
                    " (write ETH_IF=enP2p1s0f1np1 or HOST_IP=192.168.178.11 in env/spark1.env)"
                )
            ],
            id="the other half of the port",
        ),
        pytest.param(
            lambda answer: (
                address(answer, LINK, "192.168.177.21"),
                address(answer, "enP7s7", "192.168.177.11"),
            ),
            [
                (
                    "spark1: HOST_IP 192.168.177.11 is on enP7s7, the 10 Gb/s port, not on ETH_IF"
                    " enp1s0f1np1, which has 192.168.177.21"
                    " (write HOST_IP=192.168.177.21 in env/spark1.env)"
                )
            ],
            id="the slow port's address",
        ),
        pytest.param(
            lambda answer: interface(answer, LINK).update(ifname="eth1"),
            [
                (
                    "spark1: ETH_IF enp1s0f1np1 does not exist; there are: enp1s0f0np0 (no IPv4"
                    " address), eth1 (192.168.177.11), enP2p1s0f0np0 (no IPv4 address),"
                    " enP2p1s0f1np1"
                    " (192.168.178.11), enP7s7 (10.0.0.11)"
                    " (write ETH_IF=eth1, which has HOST_IP 192.168.177.11, in env/spark1.env)"
                )
            ],
            id="another name",
        ),
        pytest.param(
            lambda answer: (
                address(answer, "enP7s7", "192.168.177.11"),
                answer.update(addresses=answer["addresses"][-2:]),
            ),
            [
                (
                    "spark1: ETH_IF enp1s0f1np1 does not exist; there are: enP7s7 (192.168.177.11)"
                    " (write the one of the ConnectX link in env/spark1.env)"
                ),
                (
                    "spark1: HOST_IP 192.168.177.11 is on enP7s7, the 10 Gb/s port"
                    " (write the address of the ConnectX link in env/spark1.env)"
                ),
            ],
            id="the slow port alone",
        ),
        pytest.param(
            lambda answer: interface(answer, LINK).update(ifname="enp1s0f1", addr_info=[]),
            [
                (
                    "spark1: ETH_IF enp1s0f1np1 does not exist; there are: enp1s0f0np0 (no IPv4"
                    " address), enp1s0f1 (no IPv4 address), enP2p1s0f0np0 (no IPv4 address),"
                    " enP2p1s0f1np1 (192.168.178.11), enP7s7 (10.0.0.11) (did you mean"
                    " enP2p1s0f1np1?)"
                ),
                (
                    "spark1: HOST_IP 192.168.177.11 is on no interface"
                    " (write the address of the ConnectX link in env/spark1.env)"
                ),
            ],
            id="neither name nor address",
        ),
        pytest.param(
            lambda answer: answer.update(addresses=[]),
            [
                (
                    "spark1: ETH_IF enp1s0f1np1 does not exist; there are: none"
                    " (write the one of the ConnectX link in env/spark1.env)"
                ),
                (
                    "spark1: HOST_IP 192.168.177.11 is on no interface"
                    " (write the address of the ConnectX link in env/spark1.env)"
                ),
            ],
            id="no interface",
        ),
        pytest.param(
            lambda answer: flags(answer, "BROADCAST"),
            [
                (
                    "spark1: ETH_IF enp1s0f1np1 is switched off"
                    " (`ssh -t spark1 sudo ip link set enp1s0f1np1 up`, and netplan to keep it so)"
                )
            ],
            id="switched off",
        ),
        pytest.param(
            lambda answer: answer.update(
                addresses=[interface(answer, LINK) | {"flags": ["NO-CARRIER", "UP"]}]
            ),
            [f"spark1: ETH_IF enp1s0f1np1 has no link; those with one: none {CABLE}"],
            id="no cable",
        ),
        pytest.param(
            lambda answer: answer.update(addresses_error="No such file or directory: 'ip'"),
            [
                (
                    "spark1: vllm-node cannot list the interfaces: No such file or directory: 'ip'"
                    f" {RENEW}"
                )
            ],
            id="no ip",
        ),
        pytest.param(
            lambda answer: answer["rdma"].pop("rocep1s0f1"),
            [
                (
                    "spark1: IB_IF rocep1s0f1 does not exist; there are: roceP2p1s0f0 (DOWN),"
                    " roceP2p1s0f1 (ACTIVE), rocep1s0f0 (DOWN) (did you mean rocep1s0f0?)"
                )
            ],
            id="no such device",
        ),
        pytest.param(
            lambda answer: answer.update(rdma={"rocep1s0f1": "", "roceP2p1s0f1": "4: ACTIVE"}),
            [
                (
                    "spark1: IB_IF rocep1s0f1: not ACTIVE; there are: rocep1s0f1 (no port),"
                    f" roceP2p1s0f1 (ACTIVE) {CABLE}"
                )
            ],
            id="no port",
        ),
    ],
)
def test_one_thing_wrong(change: Change, sentences: list[str]) -> None:
    """Each thing that is wrong has its sentence, and brings no other with it."""
    assert sentences == judged(changed(change))


def test_one_node_needs_no_cable() -> None:
    """A cluster of one node has nobody at the other end."""
    alone = replace(SPARKS, nodes=(HEAD,))
    text = changed(lambda answer: flags(answer, "NO-CARRIER", "UP"))

    assert [] == judged(text, cluster=alone)


def test_sockets_only() -> None:
    """Without IB_IF nobody asks for RDMA devices or locked memory."""
    text = changed(lambda answer: answer.update(rdma={}, infiniband=[], ipc_lock=False))

    assert [] == judged(text, replace(HEAD, ib_if=()))


@pytest.mark.parametrize(
    "memlock, ipc_lock",
    [
        pytest.param(None, False, id="no limit"),
        pytest.param(65536, True, id="a limit that does not count"),
    ],
)
def test_locked_memory(memlock: int | None, *, ipc_lock: bool) -> None:
    """RDMA may lock all memory without a limit, or with the capability that no limit binds."""
    text = changed(lambda answer: answer.update(memlock=memlock, ipc_lock=ipc_lock))

    assert [] == judged(text)
