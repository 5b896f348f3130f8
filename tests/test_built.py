"""What `inv build` tells at its end."""

import json
from dataclasses import replace

import pytest

from cluster.build import built
from cluster.build.buildkit import Listener
from cluster.build.built import Built, Layer
from cluster.build.image import Around, Build
from cluster.build.stamps import Stamps
from tests.clusters import PLACE

BUILD = Build(tag="vllm-node", arch="cpu", around=Around(root=PLACE), stamps=Stamps())
ID = f"sha256:{'0a' * 32}"
FOUND = Built(
    image="vllm-node",
    id=ID,
    size=4_472_913_001,
    seconds=87.3,
    versions={"vllm": "0.32.0", "ray": "2.60.0"},
    layers=(
        Layer(title="system 1/2: FROM debian:12-slim", state="base", seconds=0.0),
        Layer(title="system 2/2: Install packages", state="cached", seconds=0.0),
        Layer(title="vllm 1/1: Install vLLM", state="built", seconds=77.04),
        Layer(title="exporting to image", state="saved", seconds=10.2),
    ),
)
TEXT = f"""\
layer                            state   seconds
system 1/2: FROM debian:12-slim  base
system 2/2: Install packages     cached
vllm 1/1: Install vLLM           built   77.0
exporting to image               saved   10.2

image     vllm-node
id        {ID}
size      4.47 GB
versions  vllm 0.32.0, ray 2.60.0
layers    1 built, 1 cached
seconds   87.3
"""
OUTPUT = """\
#1 [system 1/2] FROM debian:12-slim
#1 DONE 0.0s
#2 [system 2/2] RUN : "Install packages"; apt-get install x
#2 CACHED
#3 [vllm 1/1] RUN : "Install vLLM"; uv pip install vllm
#3 DONE 77.04s
#4 [internal] load build context
#4 DONE 0.1s
#5 exporting to image
#5 DONE 10.2s
"""


def listened(text: str) -> Listener:
    """Return who has heard a whole output."""
    listener = Listener()
    for line in text.splitlines():
        listener.hear(line)
    return listener


def test_text() -> None:
    """A person reads the layers, then what the image is."""
    assert TEXT == built.text(FOUND)


def test_text_of_little() -> None:
    """A small image without a list of versions has neither gigabytes nor versions."""
    found = replace(FOUND, size=3_309_894, versions={}, layers=())
    expected = (
        "layer  state  seconds\n\nimage    vllm-node\n"
        f"id       {ID}\nsize     3.3 MB\nlayers   0 built, 0 cached\nseconds  87.3\n"
    )

    assert expected == built.text(found)


def test_json() -> None:
    """A program gets the same."""
    first = {"title": "system 1/2: FROM debian:12-slim", "state": "base", "seconds": 0.0}
    read = json.loads(built.as_json(FOUND))
    layers = read.pop("layers")

    assert {
        "image": "vllm-node",
        "id": ID,
        "size": 4_472_913_001,
        "seconds": 87.3,
        "versions": {"vllm": "0.32.0", "ray": "2.60.0"},
    } == read
    assert (4, first) == (len(layers), layers[0])


@pytest.mark.parametrize(
    "versions, expected",
    [('{"vllm": "0.32.0", "ray": "2.60.0"}', FOUND), ("", replace(FOUND, versions={}))],
)
def test_built(versions: str, expected: Built) -> None:
    """It is put together from what was heard and what the engine knows."""
    inspected = json.dumps([{"Id": ID, "Size": 4_472_913_001, "Config": {}}])

    assert expected == built.built(BUILD, listened(OUTPUT), inspected, versions, 87.312)


def test_ended() -> None:
    """Only layers leave a line, once they have ended, and the base is none of them."""
    listener = Listener()
    steps = [listener.hear(line) for line in OUTPUT.splitlines()]
    lines = [line for step in steps if step and (line := built.ended(step))]

    assert ["system 2/2: Install packages  cached", "vllm 1/1: Install vLLM  77.0 s"] == lines


@pytest.mark.parametrize(
    "said, remedy",
    [
        (
            "1.0 OSError: No space left on device",
            "free some disk space: `docker system df` tells what takes it",
        ),
        (
            "1.0 exec /bin/sh: exec format error",
            "build on a machine of that platform: `DOCKER_HOST=ssh://NODE inv build`",
        ),
        (
            "1.0 invalid peer certificate: UnknownIssuer",
            "name your network's bundle of certificates in SSL_CERT_FILE",
        ),
        (
            "1.0 Temporary failure resolving 'deb.debian.org'",
            "this machine must reach it; PIP_INDEX_URL and HTTPS_PROXY hold in the build, too",
        ),
        ("1.0 c++: fatal error: Killed", "it ran out of memory: fewer compilers with `--jobs`"),
        ("1.0 no idea", "mend that; the same again goes on after the last finished layer"),
    ],
)
def test_remedy(said: str, remedy: str) -> None:
    """What is known of a cause is the remedy; else the build goes on where it was."""
    listener = listened(f"#3 [a 1/1] RUN x\n#3 {said}\n#3 ERROR: exit code: 1")
    expected = (
        "vllm-node: a 1/1: x: failed with exit code 1\n"
        f"    {said[4:]}\n    ({remedy}; all lines are in {PLACE}/.state/build.log)"
    )

    assert expected == str(built.problem(BUILD, listener))


def test_remedy_of_a_cause_far_up() -> None:
    """The line that names the cause need not be among the last."""
    more = "".join(f"#3 1.0 line {number}\n" for number in range(20))
    listener = listened(f"#3 [a 1/1] RUN x\n#3 1.0 timed out\n{more}#3 ERROR: exit code: 1")

    assert built.problem(BUILD, listener).remedy.startswith("this machine must reach it; ")


def test_remedy_after_a_refresh() -> None:
    """What has been asked for anew need not be asked for again."""
    listener = listened("#3 [a 1/1] RUN x\n#3 ERROR: exit code: 1")
    expected = (
        "mend that; the same without --full goes on after the last finished layer; "
        f"all lines are in {PLACE}/.state/build.log"
    )

    assert expected == built.problem(replace(BUILD, refresh="--full"), listener).remedy
