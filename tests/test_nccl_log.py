"""Transports in real logs of several versions of NCCL."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bandwidth.nccl_log import ChannelRoute, NcclLog, parse
from tests.clusters import ROOT

CAPTURES = ROOT / "tests" / "captures" / "nccl"
FIRST, SECOND = "enp1s0f1np1", "enP2p1s0f1np1"
TWINS = ("rocep1s0f1", "roceP2p1s0f1")
NAMED = ("NCCL_SOCKET_IFNAME", f"={FIRST}")
SPARKS = ("NCCL_IB_HCA", "=rocep1s0f1,roceP2p1s0f1")


def h100(run: str, rank: int = 0) -> str:
    """Return the log of a rank on the H100."""
    answer = (CAPTURES / "h100" / f"{run}-{rank}.json").read_text(encoding="utf-8")
    return str(json.loads(answer)["log"])


def published(name: str) -> NcclLog:
    """Return a log that people have published, parsed."""
    return parse((CAPTURES / f"{name}.log").read_text(encoding="utf-8"))


def route(
    transport: str, device: str, channels: int = 1, *, gpu_direct: bool = False
) -> ChannelRoute:
    """Return a route that leaves the node."""
    return ChannelRoute(
        transport=transport,
        device=device,
        leaves_node=True,
        gpu_direct=gpu_direct,
        channels=channels,
    )


def over_sockets(rank: int, *variables: tuple[str, str], no_device: bool = True) -> NcclLog:
    """Return the log of a rank on the H100, where there is no RDMA device."""
    return NcclLog(
        network="Socket",
        socket_interfaces=(FIRST,),
        no_device=no_device,
        routes=(route("Socket", FIRST, 2),),
        variables=(*variables, ("NCCL_HOSTID", str(rank))),
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_sockets(rank: int) -> None:
    """Without RDMA both ranks use the interface in their settings."""
    assert over_sockets(rank, NAMED) == parse(h100("plain", rank))


def test_two_interfaces() -> None:
    """Each interface carries channels of its own."""
    log = parse(h100("two-interfaces"))

    assert (FIRST, SECOND) == log.socket_interfaces
    assert (route("Socket", FIRST, 2), route("Socket", SECOND, 2)) == log.routes
    assert (FIRST, SECOND) == log.carriers


@pytest.mark.parametrize(
    "run,variables,looked",
    [
        ("socket", (NAMED,), False),
        ("disabled", (NAMED, ("NCCL_IB_DISABLE", "1")), False),
        ("no-device", (NAMED, ("NCCL_IB_DISABLE", "0"), SPARKS), True),
    ],
)
def test_why_sockets(run: str, variables: tuple[tuple[str, str], ...], looked: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """The log tells RDMA that is switched off from RDMA that is missing; NCCL_NET is not in it."""
    assert over_sockets(0, *variables, no_device=looked) == parse(h100(run))


@pytest.mark.parametrize(
    "run,rank,warning",
    [
        ("no-device-strict", 1, "Failed to initialize any NET plugin"),
        ("wrong-interface", 0, "Bootstrap : no socket interface found"),
        (
            "same-host",
            1,
            "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 60",
        ),
    ],
)
def test_warnings(run: str, rank: int, warning: str) -> None:
    """NCCL's warnings are kept without their place in NCCL's source."""
    log = parse(h100(run, rank))

    assert (warning,) == log.warnings
    assert () == log.routes


def test_two_sparks() -> None:
    """Both twins of the port carry channels, and the receiver's lines are not counted."""
    expected = NcclLog(
        network="IB",
        routes=(route("IB", TWINS[0]), route("IB", TWINS[1])),
        variables=(("NCCL_SOCKET_IFNAME", FIRST),),
    )
    log = published("two-sparks")

    assert expected == log
    assert (True, False, False) == (log.uses_rdma, log.uses_sockets, log.lacks_transport)
    assert TWINS == log.carriers


def test_a_plug_in() -> None:
    """A plug-in's network is RDMA under a name of its own, with the devices that NCCL lists."""
    log = published("plug-in")

    assert (route("IBext_v10", TWINS[0]), route("IBext_v10", TWINS[1])) == log.routes
    assert log.uses_rdma


def test_gpu_direct() -> None:
    """A card that reads the GPU's memory itself is marked at each channel."""
    assert (route("IBext_v8", "0", 2, gpu_direct=True),) == published("direct").routes


def test_an_older_version() -> None:
    """A log may end before the channels."""
    log = published("older")

    assert ("IB", ()) == (log.network, log.routes)
    assert not log.uses_rdma
    assert not log.uses_sockets


def test_a_ring() -> None:
    """Two of four devices of a node lead to the next."""
    log = published("ring")

    assert (route("IB", "rocep1s0f0"), route("IB", "roceP2p1s0f1")) == log.routes
    assert (("NCCL_IB_MERGE_NICS", "0"),) == log.variables


def test_falling_back() -> None:
    """Without any channel the chosen network already shows that it is sockets."""
    log = published("gave-up")

    assert ("Socket", ("eth0",), True, True) == (
        log.network,
        log.socket_interfaces,
        log.no_device,
        log.uses_sockets,
    )


def test_joined_devices_and_routes_inside_a_node() -> None:
    """Two cards that NCCL joined are two carriers; routes inside the node are none."""
    log = published("joined")
    inside = (
        ChannelRoute(transport="P2P/CUMEM", channels=1),
        ChannelRoute(transport="SHM/direct/direct", channels=1),
    )

    assert (route("IB", "+".join(TWINS), gpu_direct=True), *inside) == log.routes
    assert TWINS == log.carriers
    assert log.uses_rdma


def test_an_empty_log() -> None:
    """An empty log proves neither RDMA nor sockets."""
    log = parse("")

    assert NcclLog() == log
    assert (True, False, False) == (log.lacks_transport, log.uses_rdma, log.uses_sockets)


@given(st.text() | st.lists(st.sampled_from(h100("plain").splitlines())).map("\n".join))
def test_any_log(text: str) -> None:
    """Whatever a log holds is parsed or skipped, and is never both RDMA and sockets."""
    log = parse(text)

    assert isinstance(log, NcclLog)
    assert log.uses_rdma + log.uses_sockets < 2
