"""Every reason why a node lacks an image is one sentence with its remedy."""

import pytest

from cluster.host import Host, host_problem
from cluster.node import Cluster
from cluster.ship import unshipped
from cluster.ship.route import Way
from cluster.ship.survey import Image
from tests.clusters import REHEARSAL, SPARKS

NAME = "vllm-node:latest"
ENGINE = Host(name="spark2", ssh_host="spark-02")
FABRIC = Way(engine=ENGINE, fabric="192.168.177.12", known_as="spark-02")
BY_NAME = Way(engine=ENGINE)
FULL = """\
Error processing tar file(exit status 1): write /opt/venv/torch.so: no space left on device
"""
REFUSED = "ssh: connect to host 192.168.177.12 port 22: Connection refused\n"


def test_absent() -> None:
    """Without an image there is nothing to ship."""
    assert "vllm-node:latest: is not on this machine (`inv build`)" == str(unshipped.absent(NAME))


def test_alien() -> None:
    """An image for other processors is not copied."""
    image = Image(architecture="amd64", layers=(), configuration="{}")
    expected = (
        "spark2: vllm-node:latest is for amd64, and the node is arm64 "
        "(`inv build --platform linux/arm64`)"
    )

    assert expected == str(unshipped.alien(FABRIC, NAME, image, "arm64"))


def test_cut_short() -> None:
    """A failure on this machine is not blamed on the node."""
    expected = (
        "spark2: keeps its old image, because it got a part only: this machine: its copy of layer "
        "sha256:aa is damaged (`inv ship --node spark2`)"
    )
    reason = "this machine: its copy of layer sha256:aa is damaged"

    assert expected == str(unshipped.cut_short(SPARKS, FABRIC, reason))


def test_damaged() -> None:
    """Bytes that changed on the way are not taken, and are no defect of the image."""
    words = 'invalid diffID for layer 0: expected "sha256:aa", got "sha256:bb"\n'
    expected = (
        "spark2: got other bytes than were sent, and took none of them: "
        f"{words.strip()} (`inv ship --node spark2`)"
    )

    assert expected == str(unshipped.unloaded(SPARKS, FABRIC, NAME, 1, words))


def test_stalled() -> None:
    """A node that takes nothing is given up."""
    expected = (
        "spark2: took no data for 120 s and was given up (look at its disk and at the link to it)"
    )

    assert expected == str(unshipped.stalled(FABRIC, 120.0))


def test_full() -> None:
    """A full disk is named, with the command that shows what fills it."""
    expected = (
        "spark2: has no room for vllm-node:latest: Error processing tar file(exit status 1): "
        "write /opt/venv/torch.so: no space left on device "
        "(`docker --host ssh://spark-02 system df` shows what fills it)"
    )

    assert expected == str(unshipped.unloaded(SPARKS, FABRIC, NAME, 1, FULL))


def test_no_ssh_on_the_fast_link() -> None:
    """Where SSH answers elsewhere alone, the command that must work is the remedy."""
    expected = (
        "spark2: SSH does not answer on the fast link: "
        "ssh: connect to host 192.168.177.12 port 22: Connection refused "
        "(this must work: `ssh -o HostName=192.168.177.12 -o HostKeyAlias=spark-02 "
        "-o CheckHostIP=no -o ProxyCommand=none spark-02 true`)"
    )

    assert expected == str(unshipped.unloaded(SPARKS, FABRIC, NAME, 255, REFUSED))


def test_load_failed() -> None:
    """What else the engine says is shown; it has done no harm, and the copy can be made again."""
    expected = (
        "spark2: `docker load` of vllm-node:latest failed: unexpected EOF "
        "(its old image is as it was; `inv ship --node spark2`)"
    )

    assert expected == str(unshipped.unloaded(SPARKS, FABRIC, NAME, 1, "unexpected EOF\n"))


@pytest.mark.parametrize(
    "way, code, words",
    [
        (FABRIC, 1, "Cannot connect to the Docker daemon at unix:///run/docker.sock."),
        (FABRIC, 127, "bash: line 1: docker: command not found"),
        (FABRIC, 255, "Timeout, server 192.168.177.12 not responding."),
        (BY_NAME, 255, REFUSED),
    ],
    ids=["no daemon", "no Docker", "a lost connection", "no SSH"],
)
def test_other_words(way: Way, code: int, words: str) -> None:
    """What every question to an engine may meet has the same sentence everywhere."""
    expected = host_problem(ENGINE, words)

    assert expected == unshipped.unloaded(SPARKS, way, NAME, code, words)


@pytest.mark.parametrize(
    "cluster, again",
    [(SPARKS, "inv ship --node spark2"), (REHEARSAL, "inv ship --node spark2 --cluster rehearsal")],
)
def test_different(cluster: Cluster, again: str) -> None:
    """What a node has after the load is compared, and a rerun repairs it."""
    expected = (
        "spark2: has another vllm-node:latest than this machine after the load; "
        f"was it built meanwhile? (`{again}`)"
    )

    assert expected == str(unshipped.different(cluster, FABRIC, NAME))


@pytest.mark.parametrize("words, expected", [("", "it gave no reason"), ("one\ntwo\n", "two")])
def test_last(words: str, expected: str) -> None:
    """The last line that a program wrote says why it ended."""
    assert expected == unshipped.last(words)
