"""Every reason why a node lacks an image is one sentence with its remedy."""

import pytest

from cluster.facts.images import Image
from cluster.host import Host, host_problem
from cluster.node import Cluster
from cluster.ship import problems
from cluster.ship.routes import ShipRoute
from tests.clusters import REHEARSAL, SPARKS

NAME = "vllm-node:latest"
SPARK2 = Host(name="spark2", ssh_host="spark-02")
FABRIC = ShipRoute(host=SPARK2, fast_address="192.168.177.12", known_as="spark-02")
BY_NAME = ShipRoute(host=SPARK2)
FULL = """\
Error processing tar file(exit status 1): write /opt/venv/torch.so: no space left on device
"""
REFUSED = "ssh: connect to host 192.168.177.12 port 22: Connection refused\n"


def test_no_image() -> None:
    """Without an image there is nothing to ship."""
    assert "vllm-node:latest: is not on this machine (`inv build`)" == str(problems.no_image(NAME))


def test_wrong_architecture() -> None:
    """An image for other processors is not copied."""
    image = Image(architecture="amd64", layers=(), configuration="{}")
    expected = (
        "spark2: vllm-node:latest is built for amd64, but the node is arm64 "
        "(`inv build --platform linux/arm64`)"
    )

    assert expected == str(problems.wrong_architecture(FABRIC, NAME, image, "arm64"))


def test_incomplete() -> None:
    """A failure on this machine is shown as such, not as one of the node."""
    expected = (
        "spark2: received only part of the image and keeps the old one: this machine: layer "
        "sha256:aa is damaged (`inv ship --node spark2`)"
    )
    reason = "this machine: layer sha256:aa is damaged"

    assert expected == str(problems.incomplete(SPARKS, FABRIC, reason))


def test_stalled() -> None:
    """The transfer to a node that takes no data is stopped."""
    expected = (
        "spark2: transfer stopped: the node took no data for 120 s "
        "(check its disk and the link to it)"
    )

    assert expected == str(problems.stalled(FABRIC, 120.0))


@pytest.mark.parametrize(
    "code, output, expected",
    [
        (
            1,
            'invalid diffID for layer 0: expected "sha256:aa", got "sha256:bb"\n',
            (
                "the image was damaged on its way and not loaded: invalid diffID for layer 0: "
                'expected "sha256:aa", got "sha256:bb" (`inv ship --node spark2`)'
            ),
        ),
        (
            1,
            FULL,
            (
                "not enough disk space for vllm-node:latest: Error processing tar file("
                "exit status 1): write /opt/venv/torch.so: no space left on device "
                "(`docker --host ssh://spark-02 system df` shows what uses it)"
            ),
        ),
        (
            255,
            REFUSED,
            (
                "no SSH connection over the fast link: "
                "ssh: connect to host 192.168.177.12 port 22: Connection refused "
                "(this command must succeed: `ssh -o HostName=192.168.177.12 "
                "-o HostKeyAlias=spark-02 -o CheckHostIP=no -o ProxyCommand=none spark-02 true`)"
            ),
        ),
        (
            1,
            "unexpected EOF\n",
            (
                "`docker load` of vllm-node:latest failed: unexpected EOF "
                "(the old image is unchanged; retry: `inv ship --node spark2`)"
            ),
        ),
    ],
    ids=["damaged on its way", "a full disk", "no SSH on the fast link", "any other failure"],
)
def test_load_failed(code: int, output: str, expected: str) -> None:
    """A failed load shows the last line of the output, and the command that helps."""
    problem = problems.load_failed(SPARKS, FABRIC, NAME, code, output)

    assert f"spark2: {expected}" == str(problem)


@pytest.mark.parametrize(
    "route, code, words",
    [
        (FABRIC, 1, "Cannot connect to the Docker daemon at unix:///run/docker.sock."),
        (FABRIC, 127, "bash: line 1: docker: command not found"),
        (FABRIC, 255, "Timeout, server 192.168.177.12 not responding."),
        (BY_NAME, 255, REFUSED),
    ],
    ids=["no daemon", "no Docker", "a lost connection", "no SSH"],
)
def test_usual_problems(route: ShipRoute, code: int, words: str) -> None:
    """Problems that any command for an engine can meet have the same sentence everywhere."""
    expected = host_problem(SPARK2, words)

    assert expected == problems.load_failed(SPARKS, route, NAME, code, words)


@pytest.mark.parametrize(
    "cluster, retry",
    [(SPARKS, "inv ship --node spark2"), (REHEARSAL, "inv ship --node spark2 --cluster rehearsal")],
)
def test_different(cluster: Cluster, retry: str) -> None:
    """A loaded image that differs is a problem, and the remedy is to ship again."""
    expected = (
        "spark2: the loaded vllm-node:latest differs from this machine's; "
        f"was it rebuilt meanwhile? (`{retry}`)"
    )

    assert expected == str(problems.different(cluster, FABRIC, NAME))


@pytest.mark.parametrize("output, expected", [("", "no reason given"), ("one\ntwo\n", "two")])
def test_last_line(output: str, expected: str) -> None:
    """The last line of a program's output is the reason."""
    assert expected == problems.last_line(output)
