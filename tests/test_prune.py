"""Old images go on request: ours, without a name, and not in use."""

from dataclasses import replace

import pytest

from cluster.host import Host, host_problem
from cluster.ship import prune
from cluster.ship.survey import Facts, Held, Image

ENGINE = Host(name="spark2", ssh_host="spark-02")
IMAGE = Image(architecture="arm64", layers=(), configuration="{}")
OLD, PART, BEFORE = (f"sha256:{digit * 64}" for digit in "123")
OURS = Held(
    id=OLD, tags=(), image=IMAGE, size=7, labels=("a", "spark-vllm-cluster.vllm"), dangling=True
)
ALL = (
    OURS,
    replace(OURS, id=PART, labels=("spark-vllm-cluster.part",)),
    replace(OURS, id=BEFORE, labels=()),
    replace(OURS, id="sha256:44", labels=("spark", "else.spark-vllm-cluster.part")),
    replace(OURS, id="sha256:55", tags=("vllm-node:latest",), dangling=False),
)
FACTS = Facts(
    version="29.1.0", architecture="arm64", store="overlay2", root="/d", free=None, images=ALL
)
IN_USE = (
    f"Error response from daemon: conflict: unable to delete {PART[7:19]} (must be forced) - "
    "image is being used by stopped container e24ce3923e61\n"
)


@pytest.mark.parametrize(
    "before, expected",
    [(BEFORE, (OLD, PART, BEFORE)), ("", (OLD, PART)), ("sha256:55", (OLD, PART))],
    ids=["another had the name", "none had it", "it has the name still"],
)
def test_old(before: str, expected: tuple[str, ...]) -> None:
    """What has a name stays, whatever it is, and so does what is not ours."""
    assert expected == prune.old(FACTS, before=before)


def test_remove() -> None:
    """The engine is asked without force: it knows what its containers use."""
    expected = f"docker --host ssh://spark-02 image rm {OLD} {PART}"

    assert tuple(expected.split()) == prune.remove(ENGINE, (OLD, PART))


@pytest.mark.parametrize(
    "output, error, expected",
    [
        (f"Deleted: {OLD}\nDeleted: sha256:9\nDeleted: {PART}\n", "", "removed 2 old images"),
        (
            f"Untagged: a@b\nDeleted: {OLD}\n",
            IN_USE,
            "removed 1 old image, kept 1 old image in use",
        ),
        ("", IN_USE + IN_USE, "kept 2 old images in use"),
        (
            f"Deleted: {OLD}\n",
            f"Error: No such image: {PART}\n",
            "removed 2 old images",
        ),
    ],
)
def test_outcome(output: str, error: str, expected: str) -> None:
    """What was removed and what is in use is counted; what another has removed is gone as well."""
    assert f"spark2: {expected}" == prune.outcome(ENGINE, (OLD, PART), output, error)


def test_nothing_to_remove() -> None:
    """A node without old images says so."""
    assert "spark2: no old images" == prune.outcome(ENGINE, (), "", "")


def test_lost() -> None:
    """An engine that does not answer has not refused anything."""
    words = "ssh: connect to host spark-02 port 22: Connection refused\n"

    assert str(host_problem(ENGINE, words)) == prune.outcome(ENGINE, (OLD,), "", words)
