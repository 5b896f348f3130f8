"""`inv nccl` without running nodes: refusals, the dry run, and ranks that fail."""

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cluster import session
from cluster.bandwidth import measuring
from cluster.errors import ClusterError, NodeError, Problem
from cluster.namespaces.runtime import Namespaces
from cluster.namespaces.steps import Command
from cluster.node import Node
from cluster.plan import services
from cluster.session import Session
from cluster.words import Environment
from tests.clusters import ROOT

LOCAL = IPv4Address("127.0.0.1")
DRY = """\
# spark1: Measure as rank 0 of 2, all at the same time
docker --host ssh://spark1 exec vllm_node python /opt/spark-vllm-cluster/nccl.py --rank 0 \
--world 2 --master 192.168.177.11:29520 --gpu 0 --sizes 8388608,67108864 --join 60 --deadline 180

# spark2: Measure as rank 1 of 2, all at the same time
docker --host ssh://spark2 exec vllm_node python /opt/spark-vllm-cluster/nccl.py --rank 1 \
--world 2 --master 192.168.177.11:29520 --gpu 0 --sizes 8388608,67108864 --join 60 --deadline 180
"""
NO_TORCH = """\
rank  node    device  backend  transport  channels
0     spark1                   unknown
1     spark2                   unknown

spark1: rank 0 failed at `import torch`: No module named 'torch' \
(`inv doctor --cluster rehearsal`)
spark2: rank 1 failed at `import torch`: No module named 'torch' \
(`inv doctor --cluster rehearsal`)
no measurement
"""


@dataclass(frozen=True, kw_only=True)
class NoNamespaces(Namespaces):
    """Nodes that are this machine, with a Python that has only the standard library."""

    def run_inside(self, node: Node, argv: tuple[str, ...], extra: Environment = ()) -> Command:
        """Run a command on this machine."""
        del extra
        return Command(place=node.name, argv=(sys.executable, "-S", *argv[1:]))


@pytest.fixture(name="opened")
def _opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session of the rehearsal, with its state in a folder of this test."""
    monkeypatch.setattr(session, "STATE", str(tmp_path))
    return Session("rehearsal", dry=False)


@pytest.fixture(name="running")
def _running(opened: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session of a cluster that counts as running; its nodes are this machine."""
    nodes = tuple(replace(node, host_ip=LOCAL, head_ip=LOCAL) for node in opened.cluster.nodes)
    opened.cluster = replace(opened.cluster, nodes=nodes)
    opened.runtime = NoNamespaces(
        cluster=opened.cluster,
        state=str(tmp_path),
        programs="",
        script=str(ROOT / "docker" / "probe.py"),
        cache="",
        rootless=False,
    )
    monkeypatch.setattr(services, "find", lambda _handle: True)
    return opened


def failed(measure: Callable[[], object]) -> tuple[int, str]:
    """Return the exit code and the text of a measurement that cannot be made."""
    with pytest.raises(ClusterError) as caught:
        measure()
    return caught.value.exit_code, str(caught.value)


def test_dry(capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run prints the command of each rank, and asks no node."""
    opened = Session("examples/two-sparks", dry=True)

    assert 0 == measuring.nccl(opened, largest="64m", json=False)
    assert (DRY, "") == capsys.readouterr()


def test_stopped_nodes(opened: Session) -> None:
    """Ranks run inside nodes, so nodes that are stopped are refused."""
    remedy = "is not running (`inv up --cluster rehearsal`)"
    expected = (3, f"spark1: {remedy}\nspark2: {remedy}")

    assert expected == failed(lambda: measuring.nccl(opened, largest="256m", json=False))


def test_too_large(opened: Session) -> None:
    """A buffer that has frozen machines is refused before any node is asked."""
    message = "is too large: buffers above 1g have frozen Sparks (use at most 1g)"
    expected = (3, f"--largest: {message}")

    assert expected == failed(lambda: measuring.nccl(opened, largest="16g", json=False))


def test_a_cluster_of_one(opened: Session) -> None:
    """A cluster with one GPU is refused."""
    opened.cluster = replace(opened.cluster, nodes=opened.cluster.nodes[:1])
    message = "rehearsal: has one GPU; a measurement needs two (add a node)"

    assert (3, message) == failed(lambda: measuring.nccl(opened, largest="8m", json=False))


def test_ranks_that_fail(running: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """Each rank reports why it failed, and the exit code is that of a failed node."""
    assert 4 == measuring.nccl(running, largest="8m", json=False)
    assert NO_TORCH == capsys.readouterr().out


def test_no_free_port(running: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a free port on the head the ranks cannot connect."""
    with socket.create_server((str(LOCAL), 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(measuring, "PORTS", range(port, port + 1))
        ended = failed(lambda: measuring.nccl(running, largest="8m", json=False))

    message = f"cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert (4, f"spark1: {message} (free one of the ports from {port} to {port} there)") == ended


def test_an_unreachable_node(
    running: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rank that cannot be started has no answer."""
    ask = services.ask

    def unreachable(command: Command, seconds: float | None = None) -> object:
        if "--rank" in command.argv and command.place == "spark2":
            raise NodeError(Problem(place="spark2", message="does not answer"))
        return ask(command, seconds)

    monkeypatch.setattr(services, "ask", unreachable)
    remedy = "(`inv doctor --cluster rehearsal`)"
    message = "rank 1 ended with code 4 without an answer: spark2: does not answer"

    assert 4 == measuring.nccl(running, largest="8m", json=False)
    assert f"spark2: {message} {remedy}" == capsys.readouterr().out.splitlines()[-2]
