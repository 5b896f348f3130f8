"""What a machine lacks to be a node, sentence by sentence."""

from dataclasses import replace
from ipaddress import IPv4Interface

from cluster.facts.links import Interface, Links
from cluster.launcher.machine import Machine, problems, warnings
from cluster.node import Node
from tests.clusters import HEAD, SPARKS, WORKER


def at(*addresses: str) -> tuple[IPv4Interface, ...]:
    """Return addresses, each in its network."""
    return tuple(IPv4Interface(f"{one}/24") for one in addresses)


LINK = Interface(name="enp1s0f1np1", addresses=at("192.168.177.11"))
LO = Interface(name="lo", addresses=at("127.0.0.1"))
LAN = Interface(name="enP7s7", addresses=at("10.0.0.7", "10.0.0.8"))
SPARK = Machine(
    links=Links(interfaces=(LO, LAN, LINK)),
    rdma=("roceP2p1s0f1", "rocep1s0f0", "rocep1s0f1"),
    verbs=True,
    pinned=None,
    shared=16 * 2**30,
    ray=False,
    taken=False,
    head_answers=True,
)


def refusal(machine: Machine, node: Node = HEAD) -> list[str]:
    """Return what is printed about a machine."""
    return [str(problem) for problem in problems(SPARKS, node, machine)]


def told(machine: Machine, node: Node = HEAD) -> list[str]:
    """Return the warnings about a machine."""
    return list(warnings(SPARKS, node, machine))


def test_a_spark() -> None:
    """A machine that has everything can be the head."""
    assert [] == refusal(SPARK)
    assert [] == told(SPARK)


def test_ray_runs() -> None:
    """A second Ray is not started."""
    expected = ["run-cluster-node: Ray runs here already (end it: `ray stop`)"]

    assert expected == refusal(replace(SPARK, ray=True, taken=True))


def test_port_is_taken() -> None:
    """The Ray of another container may be in the way of a head; a worker has no such port."""
    machine = replace(SPARK, taken=True)
    here = Interface(name=WORKER.eth_if, addresses=at(str(WORKER.host_ip)))
    expected = [
        (
            "run-cluster-node: --port: something listens at 192.168.177.11:6379 already "
            "(end it: Ray of another container on this host?)"
        )
    ]

    assert expected == refusal(machine)
    assert [] == refusal(
        replace(machine, links=Links(interfaces=(here,))), replace(WORKER, ib_if=())
    )


def test_no_such_interface() -> None:
    """The interfaces that exist are named, and the one that was probably meant."""
    machine = replace(SPARK, links=Links(interfaces=(LO, LAN, replace(LINK, name="enp1s0f0np0"))))
    expected = [
        (
            "run-cluster-node: --eth-if: there is no interface enp1s0f1np1; "
            "here: enP7s7, enp1s0f0np0 (did you mean enp1s0f0np0?)"
        )
    ]

    assert expected == refusal(machine)


def test_container_with_its_own_network() -> None:
    """An interface of Docker's is like none of the host's: the container is isolated."""
    docker = Interface(name="eth0", addresses=at("172.17.0.2"))
    expected = [
        (
            "run-cluster-node: --eth-if: there is no interface enp1s0f1np1; here: eth0 "
            "(start the container with --net=host)"
        )
    ]

    assert expected == refusal(replace(SPARK, links=Links(interfaces=(LO, docker))))


def test_container_without_network() -> None:
    """With `--net=none` nothing is there to be named."""
    expected = [
        (
            "run-cluster-node: --eth-if: there is no interface enp1s0f1np1; there is none but lo "
            "(start the container with --net=host)"
        )
    ]

    assert expected == refusal(replace(SPARK, links=Links(interfaces=(LO,))))


def test_address_on_another_interface() -> None:
    """The interface that holds the address is named."""
    machine = replace(
        SPARK,
        links=Links(
            interfaces=(
                replace(LINK, addresses=()),
                replace(LAN, addresses=at("10.0.0.7", "192.168.177.11")),
            )
        ),
    )
    expected = [
        "run-cluster-node: --eth-if: 192.168.177.11 is on enP7s7, not on enp1s0f1np1 (write enP7s7)"
    ]

    assert expected == refusal(machine)


def test_other_address_on_the_interface() -> None:
    """The addresses that the interface has are named."""
    machine = replace(
        SPARK, links=Links(interfaces=(replace(LINK, addresses=at("10.1.0.1", "10.2.0.1")),))
    )
    expected = [
        (
            "run-cluster-node: --host-ip: 192.168.177.11 is not on this machine; "
            "enp1s0f1np1 has 10.1.0.1, 10.2.0.1 "
            "(on the host: ip address add 192.168.177.11/24 dev enp1s0f1np1)"
        )
    ]

    assert expected == refusal(machine)


def test_no_address_on_the_interface() -> None:
    """A link without an address is told how to get one."""
    expected = [
        (
            "run-cluster-node: --host-ip: 192.168.177.11 is not on this machine; "
            "enp1s0f1np1 has no IPv4 address "
            "(on the host: ip address add 192.168.177.11/24 dev enp1s0f1np1)"
        )
    ]

    assert expected == refusal(
        replace(SPARK, links=Links(interfaces=(replace(LINK, addresses=()),)))
    )


def test_unknown_rdma_devices() -> None:
    """Each is told by itself, with the one that was probably meant."""
    node = replace(HEAD, ib_if=("rocep1s0f2", "mlx5_0", "rocep1s0f1"))
    here = "here: roceP2p1s0f1, rocep1s0f0, rocep1s0f1"
    expected = [
        (
            f"run-cluster-node: --ib-if: there is no RDMA device rocep1s0f2; {here} "
            "(did you mean rocep1s0f1?)"
        ),
        (
            f"run-cluster-node: --ib-if: there is no RDMA device mlx5_0; {here} "
            "(`ibdev2netdev` pairs them with interfaces)"
        ),
    ]

    assert expected == refusal(replace(SPARK, verbs=False), node)


def test_machine_without_rdma() -> None:
    """Who has no RDMA device at all can do without."""
    expected = [
        (
            "run-cluster-node: --ib-if: no RDMA device is here: rocep1s0f1, roceP2p1s0f1 "
            '(look on the host with `ibdev2netdev`, or write --ib-if "" for sockets only)'
        )
    ]

    assert expected == refusal(replace(SPARK, rdma=(), verbs=False))
    assert [] == refusal(replace(SPARK, rdma=(), verbs=False), replace(HEAD, ib_if=()))


def test_container_without_rdma() -> None:
    """The kernel shows devices to a container that may not use them."""
    expected = [
        (
            "run-cluster-node: --ib-if: this container has no /dev/infiniband "
            "(start it with --device=/dev/infiniband, or with --privileged)"
        )
    ]

    assert expected == refusal(replace(SPARK, verbs=False))


def test_warnings() -> None:
    """What works, but not well, is told and not refused."""
    machine = replace(
        SPARK,
        links=Links(interfaces=(replace(LINK, carrier=False),)),
        pinned=2**16,
        shared=64 * 2**20,
    )
    expected = [
        "enp1s0f1np1 is down, no other node can be reached (look at the cable)",
        (
            "64 MiB of shared memory are free, Ray's object store wants 1024 MiB "
            "(start the container with --ipc=host or --shm-size=16g)"
        ),
        (
            "only 0.1 MiB of memory can be locked, RDMA needs more "
            "(start the container with --ulimit memlock=-1)"
        ),
    ]

    assert expected == told(machine)
    assert expected[:2] == told(machine, replace(HEAD, ib_if=()))


def test_head_is_not_there_yet() -> None:
    """A worker can be started before its head."""
    expected = [
        (
            "nothing answers at 192.168.177.11:6379 yet "
            "(start the head: Ray tries for about two minutes)"
        )
    ]

    assert expected == told(replace(SPARK, head_answers=False), WORKER)
