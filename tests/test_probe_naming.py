"""Which node a machine is, and when that is in doubt."""

import pytest

from cluster.discovery import naming
from cluster.settings.envfile import EnvText
from cluster.settings.page import Page, page
from tests.cabling import changed, plain, spark

FILE = page(
    EnvText(path="env/left.env", text="HOST_IP=192.168.177.11\nSSH_HOST=me@spark-aa\nROLE=head\n")
)
FACTS = plain("Spark_AB12.local", eth0="192.168.177.11/24")


@pytest.mark.parametrize(
    "destination, pages, name",
    [
        ("spark1", (FILE,), "spark1"),
        ("me@spark1", (), "spark1"),
        ("me@spark-aa", (FILE,), "left"),
        ("192.168.177.11", (FILE,), "left"),
        ("192.168.177.11", (), "spark-ab12"),
        ("Spark1", (), "spark-ab12"),
        ("", (FILE,), "left"),
        ("", (), "spark-ab12"),
    ],
)
def test_node(destination: str, pages: tuple[Page, ...], name: str) -> None:
    """A file that knows the machine names it, else its alias, else its own name."""
    assert name == naming.node(destination, FACTS, pages)


def test_no_name() -> None:
    """A machine with no name that fits has none."""
    assert "" == naming.node("10.0.0.1", plain("-"), ())


def test_doubts() -> None:
    """Names mean one machine each, and every machine is named once."""
    one, same = (changed(spark(), "enp1s0f0np0", mac="4c:bb:47:00:00:01") for _ in range(2))
    said = {"spark1": one, "10.0.0.1": same, "10.0.0.2": plain("-"), "": plain(), "b": plain()}
    names = {"spark1": "spark1", "10.0.0.1": "left", "10.0.0.2": "", "": "pc", "b": "pc"}

    assert [
        "10.0.0.1: is the same machine as spark1 (name it once)",
        (
            "10.0.0.2: its name `-` cannot be a node's"
            " (give it an alias like spark1 in ~/.ssh/config, and name that)"
        ),
        "b: is called pc, as is this machine (name both by different aliases)",
    ] == [str(one) for one in naming.doubts(names, said)]
