"""The nodes that machines are, conflicts of names, and files that are refused."""

from dataclasses import replace
from typing import Any

import pytest

from cluster.discovery import nodes
from cluster.discovery.nodes import ClusterFiles, ProbedNode, Target
from cluster.errors import ClusterError, NodeError, Problem, RefusedError
from cluster.facts.facts import Facts
from cluster.facts.links import Links
from cluster.host import Host
from cluster.settings.syntax import EnvText
from tests.cabling import changed, plain, spark
from tests.probed_files import cluster_files
from tests.situations import situation

FILE = "HOST_IP=192.168.177.11\nSSH_HOST=me@spark-aa\nROLE=head\n"
LEFT = cluster_files({"env/left.env": FILE})
NO_FILES = cluster_files({})
FACTS = plain("Spark_AB12.local", eth0="192.168.177.11/24")


def probed(
    destination: str, facts: Facts, files: ClusterFiles = NO_FILES, node: str = ""
) -> ProbedNode:
    """Return the node that a machine is."""
    target = Target(host=Host(name="a"), destination=destination, node=node)
    (probed_node,) = nodes.probed_nodes(files, {"a": target}, {"a": facts})
    return probed_node


@pytest.mark.parametrize(
    "destination, files, name",
    [
        ("spark1", LEFT, "spark1"),
        ("me@spark1", NO_FILES, "spark1"),
        ("me@spark-aa", LEFT, "left"),
        ("192.168.177.11", LEFT, "left"),
        ("192.168.177.11", NO_FILES, "spark-ab12"),
        ("Spark1", NO_FILES, "spark-ab12"),
        ("", LEFT, "left"),
        ("", NO_FILES, "spark-ab12"),
    ],
)
def test_name(destination: str, files: ClusterFiles, name: str) -> None:
    """A node is named after its file, else after its alias, else after the machine."""
    assert name == probed(destination, FACTS, files).name


def test_node_with_a_file() -> None:
    """A node that has been asked because of its file has that file."""
    assert ("left", "head") == (
        (node := probed("", plain(), LEFT, "left")).name,
        node.file.raw["ROLE"],
    )


def test_no_name() -> None:
    """A machine without a valid name has none."""
    assert "" == probed("10.0.0.1", plain("-")).name


def test_name_conflicts() -> None:
    """Every machine has its own name, and is named once."""
    first, same = (changed(spark(), "enp1s0f0np0", mac="4c:bb:47:00:00:01") for _ in range(2))
    machines = (
        probed("spark1", first),
        probed("10.0.0.1", same),
        probed("10.0.0.2", plain("-")),
        probed("", plain("b")),
        probed("b", plain()),
    )

    assert [
        "10.0.0.1: is the same machine as spark1 (name it once)",
        (
            "10.0.0.2: `-` is not valid as a node's name"
            " (give it an alias like spark1 in ~/.ssh/config, and use the alias)"
        ),
        "b: is also called b, like this machine (use different aliases)",
    ] == [str(problem) for problem in nodes.name_conflicts(machines)]


def test_file_without_an_address() -> None:
    """A node whose file has neither SSH_HOST nor HOST_IP cannot be asked."""
    with pytest.raises(RefusedError) as error:
        nodes.ssh_host(cluster_files({"env/a.env": "ROLE=head\n"}).file("a"))

    message = "env/a.env: has neither SSH_HOST nor HOST_IP (`inv probe -- HOST...`)"
    assert message == str(error.value)
    assert "me@spark-aa" == nodes.ssh_host(LEFT.file("left"))


@pytest.mark.parametrize(
    "change, sentence",
    [
        (
            {"links": Links(error="ip: no answer within 2 s")},
            (
                "spark2: cannot list its interfaces: ip: no answer within 2 s"
                " (make `ip address` work there)"
            ),
        ),
        (
            {"unreadable": ("devices", "gpus")},
            (
                "spark2: these parts of its answer are unreadable: devices, gpus"
                " (a defect of this tool: `inv --dry probe` prints the question)"
            ),
        ),
    ],
)
def test_incomplete_answers(change: dict[str, Any], sentence: str) -> None:
    """Parts that could not be parsed are not taken for missing hardware."""
    facts: dict[str, Facts | Problem] = {**situation("one-cable").facts}
    part = replace(situation("one-cable").facts["spark2"], **change)
    with pytest.raises(NodeError) as caught:
        nodes.complete(facts | {"spark2": part})

    assert sentence == str(caught.value)


def test_no_answer() -> None:
    """A machine without an answer is an error; all answers together are facts."""
    facts: dict[str, Facts | Problem] = {**situation("one-cable").facts}
    with pytest.raises(NodeError) as caught:
        nodes.complete(facts | {"spark2": Problem(place="spark2", message="does not answer")})

    assert "spark2: does not answer" == str(caught.value)
    assert facts == nodes.complete(facts)


@pytest.mark.parametrize(
    "files, message",
    [
        (
            ClusterFiles(
                cluster="mine",
                texts=(EnvText(path="env/mine/", error="no such cluster", remedy="look"),),
            ),
            "env/mine/: no such cluster (look)",
        ),
        (
            cluster_files({"env/spark1.env": 'A="1\n'}),
            ('env/spark1.env:1: A: has unclosed quotes, or text after them (write A="value")'),
        ),
        (
            cluster_files({"env/cluster.env": "RUNTIME=process\n"}),
            (
                "cluster default: its nodes are namespaces of this machine and have no ports"
                " (its env files are complete, there is nothing to probe)"
            ),
        ),
    ],
)
def test_refused_files(files: ClusterFiles, message: str) -> None:
    """Files that cannot be parsed are refused, and so are nodes that are namespaces."""
    with pytest.raises(ClusterError) as error:
        files.check()

    assert message == str(error.value)
