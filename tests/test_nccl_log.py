"""NCCL's own words for the way that the data takes, from real logs of several versions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bandwidth.log import Transport, Way, transport
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


def read(name: str) -> Transport:
    """Return what is understood of a log that somebody has published."""
    return transport((CAPTURES / f"{name}.log").read_text(encoding="utf-8"))


def way(by: str, device: str, channels: int = 1, *, direct: bool = False) -> Way:
    """Return a way out of the node."""
    return Way(by=by, device=device, network=True, direct=direct, channels=channels)


def over_sockets(rank: int, *variables: tuple[str, str], no_device: bool = True) -> Transport:
    """Return what the H100's logs say of ranks that find no RDMA device."""
    return Transport(
        network="Socket",
        sockets=(FIRST,),
        no_device=no_device,
        ways=(way("Socket", FIRST, 2),),
        variables=(*variables, ("NCCL_HOSTID", str(rank))),
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_sockets(rank: int) -> None:
    """Without RDMA both ranks go over the interface that they were told."""
    assert over_sockets(rank, NAMED) == transport(h100("plain", rank))


def test_two_interfaces() -> None:
    """Each interface carries channels of its own."""
    found = transport(h100("two-interfaces"))

    assert (FIRST, SECOND) == found.sockets
    assert (way("Socket", FIRST, 2), way("Socket", SECOND, 2)) == found.ways
    assert (FIRST, SECOND) == found.carriers


@pytest.mark.parametrize(
    "run,variables,looked",
    [
        ("socket", (NAMED,), False),
        ("disabled", (NAMED, ("NCCL_IB_DISABLE", "1")), False),
        ("no-device", (NAMED, ("NCCL_IB_DISABLE", "0"), SPARKS), True),
    ],
)
def test_why_sockets(run: str, variables: tuple[tuple[str, str], ...], looked: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    """The log tells apart who was kept from RDMA and who found none; it is silent on NCCL_NET."""
    assert over_sockets(0, *variables, no_device=looked) == transport(h100(run))


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
    """What NCCL warns of is kept without its place in NCCL's source."""
    found = transport(h100(run, rank))

    assert (warning,) == found.warnings
    assert () == found.ways


def test_two_sparks() -> None:
    """Both twins of the port carry channels, and the receiver's lines count for nothing."""
    expected = Transport(
        network="IB",
        ways=(way("IB", TWINS[0]), way("IB", TWINS[1])),
        variables=(("NCCL_SOCKET_IFNAME", FIRST),),
    )
    found = read("two-sparks")

    assert expected == found
    assert (True, False, False) == (found.by_rdma, found.by_sockets, found.unknown)
    assert TWINS == found.carriers


def test_a_plug_in() -> None:
    """A plug-in's network is RDMA under another name; its devices are those NCCL lists."""
    found = read("plug-in")

    assert (way("IBext_v10", TWINS[0]), way("IBext_v10", TWINS[1])) == found.ways
    assert found.by_rdma


def test_gpu_direct() -> None:
    """A card that reads the GPU's memory itself says so at each channel."""
    assert (way("IBext_v8", "0", 2, direct=True),) == read("direct").ways


def test_an_older_version() -> None:
    """A log may end before the channels."""
    found = read("older")

    assert ("IB", ()) == (found.network, found.ways)
    assert not found.by_rdma
    assert not found.by_sockets


def test_a_ring() -> None:
    """Two of four devices of a node lead to the next."""
    found = read("ring")

    assert (way("IB", "rocep1s0f0"), way("IB", "roceP2p1s0f1")) == found.ways
    assert (("NCCL_IB_MERGE_NICS", "0"),) == found.variables


def test_falling_back() -> None:
    """Before any channel the chosen network already tells that it is sockets."""
    found = read("gave-up")

    assert ("Socket", ("eth0",), True, True) == (
        found.network,
        found.sockets,
        found.no_device,
        found.by_sockets,
    )


def test_joined_devices_and_ways_inside_a_node() -> None:
    """Two cards that NCCL joined are two carriers; what stays in the node is no way out of it."""
    found = read("joined")
    inside = (
        Way(by="P2P/CUMEM", channels=1),
        Way(by="SHM/direct/direct", channels=1),
    )

    assert (way("IB", "+".join(TWINS), direct=True), *inside) == found.ways
    assert TWINS == found.carriers
    assert found.by_rdma


def test_an_empty_log() -> None:
    """A log that says nothing is no proof of anything."""
    found = transport("")

    assert Transport() == found
    assert (True, False, False) == (found.unknown, found.by_rdma, found.by_sockets)


@given(st.text() | st.lists(st.sampled_from(h100("plain").splitlines())).map("\n".join))
def test_any_log(log: str) -> None:
    """Whatever a log holds is read or skipped, and at most two channels send at once."""
    found = transport(log)

    assert isinstance(found, Transport)
    assert found.by_rdma + found.by_sockets < 2
