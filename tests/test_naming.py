"""An image gets its name on a node only when it is proved to be the one that was sent."""

from dataclasses import replace

from cluster.ship import naming, survey
from cluster.ship.content import PART
from tests.test_survey import CONTAINERD

LAYERS = ("sha256:aa", "sha256:bb")


def test_script() -> None:
    """The text compares the layers before it names the image; then the parts may go."""
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

    assert expected == naming.script("vllm-node:latest", "sha256:11", LAYERS, parts)


def test_an_image_without_layers() -> None:
    """Docker prints none as `null`."""
    expected = """\
{
  docker image inspect sha256:11 || exit
  [ "$(docker image inspect --format '{{json .RootFS.Layers}}' sha256:11)" = null ] || exit 3
  docker tag sha256:11 'a b' || exit
  exit 0
} </dev/null
"""

    assert expected == naming.script("a b", "sha256:11", (), ())


def test_parts() -> None:
    """Parts of this image go, those of another one stay."""
    facts = survey.facts(CONTAINERD)
    first, *_ = facts.images
    held = (
        replace(
            first, id="sha256:1", labels=(PART,), image=replace(first.image, layers=LAYERS[:1])
        ),
        replace(
            first, id="sha256:2", labels=(PART,), image=replace(first.image, layers=LAYERS[1:])
        ),
        replace(first, id="sha256:3", labels=(), image=replace(first.image, layers=LAYERS[:1])),
    )

    assert ("sha256:1",) == naming.parts(replace(facts, images=held), LAYERS)


def test_inspected() -> None:
    """What a login shell says first is skipped."""
    text = 'Welcome [you]\n[{"Architecture": "arm64", "RootFS": {"Layers": ["sha256:aa"]}}]\n'
    expected = survey.Image(architecture="arm64", layers=("sha256:aa",), configuration="{}")

    assert expected == survey.inspected(text)
