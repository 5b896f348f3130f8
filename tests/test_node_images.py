"""Commands for the images of a node: naming the new one, and removing old ones."""

from dataclasses import replace

import pytest

from cluster.facts.docker import Docker
from cluster.facts.facts import parse
from cluster.facts.images import Image, StoredImage
from cluster.host import Host, host_problem
from cluster.ship import node_images
from cluster.ship.archive import PART
from tests.test_facts_images import CONTAINERD

LAYERS = ("sha256:aa", "sha256:bb")


def test_naming_script() -> None:
    """The layers are compared before the image gets its name; then its parts are removed."""
    expected = """\
{
  docker image inspect sha256:11 || exit
  [ "$(docker image inspect --format '{{json .RootFS.Layers}}' sha256:11)" = \
'["sha256:aa","sha256:bb"]' ] || exit 3
  docker tag sha256:11 vllm-node:latest || exit
  docker image rm sha256:22 sha256:33 >/dev/null 2>&1
  exit 0
} </dev/null
"""
    parts = ("sha256:22", "sha256:33")

    assert expected == node_images.naming_script("vllm-node:latest", "sha256:11", LAYERS, parts)


def test_an_image_without_layers() -> None:
    """Docker prints no layers as `null`."""
    expected = """\
{
  docker image inspect sha256:11 || exit
  [ "$(docker image inspect --format '{{json .RootFS.Layers}}' sha256:11)" = null ] || exit 3
  docker tag sha256:11 'a b' || exit
  exit 0
} </dev/null
"""

    assert expected == node_images.naming_script("a b", "sha256:11", (), ())


def test_parts() -> None:
    """Parts of this image are removed, those of another image stay."""
    docker = parse(CONTAINERD).docker
    first, *_ = docker.images
    images = (
        replace(
            first, id="sha256:1", labels=(PART,), image=replace(first.image, layers=LAYERS[:1])
        ),
        replace(
            first, id="sha256:2", labels=(PART,), image=replace(first.image, layers=LAYERS[1:])
        ),
        replace(first, id="sha256:3", labels=(), image=replace(first.image, layers=LAYERS[:1])),
    )

    assert ("sha256:1",) == node_images.parts(replace(docker, images=images), LAYERS)


SPARK2 = Host(name="spark2", ssh_host="spark-02")
IMAGE = Image(architecture="arm64", layers=(), configuration="{}")
OLD, NEXT, BEFORE = (f"sha256:{digit * 64}" for digit in "123")
OWN = StoredImage(
    id=OLD, tags=(), image=IMAGE, size=7, labels=("a", "spark-vllm-cluster.vllm"), dangling=True
)
ALL = (
    OWN,
    replace(OWN, id=NEXT, labels=("spark-vllm-cluster.part",)),
    replace(OWN, id=BEFORE, labels=()),
    replace(OWN, id="sha256:44", labels=("spark", "else.spark-vllm-cluster.part")),
    replace(OWN, id="sha256:55", tags=("vllm-node:latest",), dangling=False),
)
DOCKER = Docker(version="29.1.0", architecture="arm64", store="overlay2", root="/d", images=ALL)
IN_USE = (
    f"Error response from daemon: conflict: unable to delete {NEXT[7:19]} (must be forced) - "
    "image is being used by stopped container e24ce3923e61\n"
)


@pytest.mark.parametrize(
    "before, expected",
    [(BEFORE, (OLD, NEXT, BEFORE)), ("", (OLD, NEXT)), ("sha256:55", (OLD, NEXT))],
    ids=["an old image had the name", "no image had it", "the same image has it"],
)
def test_old_images(before: str, expected: tuple[str, ...]) -> None:
    """Images with a name stay, and so do those without our label."""
    assert expected == node_images.old_images(DOCKER, before=before)


def test_remove() -> None:
    """The command has no `--force`: the engine knows what its containers use."""
    expected = f"docker --host ssh://spark-02 image rm {OLD} {NEXT}"

    assert tuple(expected.split()) == node_images.remove(SPARK2, (OLD, NEXT))


@pytest.mark.parametrize(
    "output, error, expected",
    [
        (f"Deleted: {OLD}\nDeleted: sha256:9\nDeleted: {NEXT}\n", "", "removed 2 old images"),
        (
            f"Untagged: a@b\nDeleted: {OLD}\n",
            IN_USE,
            "removed 1 old image, kept 1 old image in use",
        ),
        ("", IN_USE + IN_USE, "kept 2 old images in use"),
        (
            f"Deleted: {OLD}\n",
            f"Error: No such image: {NEXT}\n",
            "removed 2 old images",
        ),
    ],
)
def test_removal_result(output: str, error: str, expected: str) -> None:
    """Removed images and images in use are counted; one that is already gone counts as removed."""
    assert f"spark2: {expected}" == node_images.removal_result(SPARK2, (OLD, NEXT), output, error)


def test_nothing_to_remove() -> None:
    """A node without old images reports none."""
    assert "spark2: no old images" == node_images.removal_result(SPARK2, (), "", "")


def test_lost() -> None:
    """An engine that does not answer is a problem, not an image in use."""
    words = "ssh: connect to host spark-02 port 22: Connection refused\n"

    assert str(host_problem(SPARK2, words)) == node_images.removal_result(SPARK2, (OLD,), "", words)
