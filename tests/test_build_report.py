"""The report of `inv build`."""

import json
from dataclasses import replace

import pytest

from cluster.build import build_report
from cluster.build.build_report import BuiltImage, BuiltLayer
from cluster.build.buildkit import BuildProgress
from cluster.build.cache_busters import CacheBusters
from cluster.build.image import BuildImage, LocalSettings
from tests.clusters import CHECKOUT

BUILD = BuildImage(
    tag="vllm-node",
    arch="cpu",
    local=LocalSettings(root=CHECKOUT),
    cache_busters=CacheBusters(),
)
ID = f"sha256:{'0a' * 32}"
IMAGE = BuiltImage(
    image="vllm-node",
    id=ID,
    size=4_472_913_001,
    seconds=87.3,
    versions={"vllm": "0.32.0", "ray": "2.60.0"},
    layers=(
        BuiltLayer(title="system 1/2: FROM debian:12-slim", state="base", seconds=0.0),
        BuiltLayer(title="system 2/2: Install packages", state="cached", seconds=0.0),
        BuiltLayer(title="vllm 1/1: Install vLLM", state="built", seconds=77.04),
        BuiltLayer(title="exporting to image", state="saved", seconds=10.2),
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


def progress_of(text: str) -> BuildProgress:
    """Return the progress after a whole output."""
    progress = BuildProgress()
    for line in text.splitlines():
        progress.read(line)
    return progress


def test_text() -> None:
    """The report for people has the layers, then the image."""
    assert TEXT == build_report.text(IMAGE)


def test_text_of_a_small_image() -> None:
    """A small image without a list of versions has neither gigabytes nor versions."""
    image = replace(IMAGE, size=3_309_894, versions={}, layers=())
    expected = (
        "layer  state  seconds\n\nimage    vllm-node\n"
        f"id       {ID}\nsize     3.3 MB\nlayers   0 built, 0 cached\nseconds  87.3\n"
    )

    assert expected == build_report.text(image)


def test_json() -> None:
    """The report for programs has the same values."""
    first = {"title": "system 1/2: FROM debian:12-slim", "state": "base", "seconds": 0.0}
    report = json.loads(build_report.as_json(IMAGE))
    layers = report.pop("layers")

    assert {
        "image": "vllm-node",
        "id": ID,
        "size": 4_472_913_001,
        "seconds": 87.3,
        "versions": {"vllm": "0.32.0", "ray": "2.60.0"},
    } == report
    assert (4, first) == (len(layers), layers[0])


@pytest.mark.parametrize(
    "versions, expected",
    [('{"vllm": "0.32.0", "ray": "2.60.0"}', IMAGE), ("", replace(IMAGE, versions={}))],
)
def test_built_image(versions: str, expected: BuiltImage) -> None:
    """The result combines the build's output with the engine's data."""
    inspected = json.dumps([{"Id": ID, "Size": 4_472_913_001, "Config": {}}])

    result = build_report.built_image(BUILD, progress_of(OUTPUT), inspected, versions, 87.312)

    assert expected == result


def test_ended_layer() -> None:
    """Only layers that have ended have a line; the base image has none."""
    progress = BuildProgress()
    steps = [progress.read(line) for line in OUTPUT.splitlines()]
    lines = [line for step in steps if step and (line := build_report.ended_layer(step))]

    assert ["system 2/2: Install packages  cached", "vllm 1/1: Install vLLM  77.0 s"] == lines


@pytest.mark.parametrize(
    "line, remedy",
    [
        (
            "1.0 OSError: No space left on device",
            "free some disk space: `docker system df` shows what uses it",
        ),
        (
            "1.0 exec /bin/sh: exec format error",
            "build on a machine of that platform: `DOCKER_HOST=ssh://NODE inv build`",
        ),
        (
            "1.0 invalid peer certificate: UnknownIssuer",
            "set SSL_CERT_FILE to the certificate bundle of your network",
        ),
        (
            "1.0 Temporary failure resolving 'deb.debian.org'",
            "check this machine's network: the build uses its PIP_INDEX_URL and HTTPS_PROXY",
        ),
        ("1.0 c++: fatal error: Killed", "out of memory: run fewer compile jobs with `--jobs`"),
        ("1.0 unknown", "fix that, then run it again: it continues after the last finished layer"),
    ],
)
def test_remedy(line: str, remedy: str) -> None:
    """A known cause has its remedy; after any other, the build continues where it stopped."""
    progress = progress_of(f"#3 [a 1/1] RUN x\n#3 {line}\n#3 ERROR: exit code: 1")
    expected = (
        "vllm-node: a 1/1: x: failed with exit code 1\n"
        f"    {line[4:]}\n    ({remedy}; full log: {CHECKOUT}/.state/build.log)"
    )

    assert expected == str(build_report.failure_problem(BUILD, progress))


def test_cause_above_the_excerpt() -> None:
    """The line with the cause need not be among the last ones."""
    lines = "".join(f"#3 1.0 line {number}\n" for number in range(20))
    progress = progress_of(f"#3 [a 1/1] RUN x\n#3 1.0 timed out\n{lines}#3 ERROR: exit code: 1")

    problem = build_report.failure_problem(BUILD, progress)

    assert problem.remedy.startswith("check this machine's network: ")


def test_remedy_after_a_refresh() -> None:
    """A refresh need not be requested again."""
    progress = progress_of("#3 [a 1/1] RUN x\n#3 ERROR: exit code: 1")
    expected = (
        "fix that, then run it again without --full: it continues after the last finished layer; "
        f"full log: {CHECKOUT}/.state/build.log"
    )

    build = replace(BUILD, refresh="--full")

    assert expected == build_report.failure_problem(build, progress).remedy
