"""What BuildKit prints, and what `inv build` shows of it.

`tests/captures/build/` has real outputs, each `.log` with a `.txt` of what is shown. After an
intended change, write these files again and read the difference:

    .nox/unit/bin/python -m tests.test_buildkit && git diff tests/captures
"""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.build import build_report
from cluster.build.buildkit import (
    BuildKitStep,
    BuildProgress,
    activity,
    failure,
    plain,
    updated,
)
from cluster.build.cache_busters import CacheBusters
from cluster.build.image import BuildImage, LocalSettings
from tests.clusters import CHECKOUT, ROOT

CAPTURES = ROOT / "tests" / "captures" / "build"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.log"))
BUILD = BuildImage(
    tag="vllm-node",
    arch="cpu",
    local=LocalSettings(root=CHECKOUT),
    cache_busters=CacheBusters(),
)
STEP = BuildKitStep(number=5, name="[deps 2/3] RUN make")
# As buildx prints it, with BuildKit of Docker 23 and later: no digests below the names, the failed
# line of the Dockerfile, other words (docker/buildx issues 1619, 4087).
NEWER = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 1.21kB done
#1 DONE 0.0s

#4 [auth] library/debian:pull token for registry-1.docker.io
#4 DONE 0.0s

#5 [linux/arm64 base  1/12] FROM docker.io/library/debian:12-slim@sha256:6f25
#5 resolve docker.io/library/debian:12-slim@sha256:6f25 0.0s done
#5 sha256:7f21 8.39MB / 28.14MB 0.2s
#5 sha256:7f21 28.14MB / 28.14MB 0.6s done
#5 extracting sha256:7f21
#5 ...

#6 [deps 1/2] RUN echo one
#6 CACHED

#5 [linux/arm64 base  1/12] FROM docker.io/library/debian:12-slim@sha256:6f25
#5 extracting sha256:7f21 1.3s done
#5 DONE 2.1s

#7 [other 1/1] RUN sleep 9
#7 CANCELED

#8 [deps 2/2] RUN make
#8 0.412 cc -c a.c
#8 1.002 make: *** [a.o] Error 1
#8 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2
------
 > [deps 2/2] RUN make:
0.412 cc -c a.c
1.002 make: *** [a.o] Error 1
------
Dockerfile:9
--------------------
   7 |
   9 | >>> RUN make
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete: exit code: 2
"""


def progress_of(text: str) -> BuildProgress:
    """Return the progress after a whole output."""
    progress = BuildProgress()
    for line in text.splitlines(keepends=True):
        progress.read(line)
    return progress


def captured(name: str) -> str:
    """Return a real output."""
    return (CAPTURES / f"{name}.log").read_bytes().decode("utf-8")


def table(progress: BuildProgress) -> str:
    """Return the layers as `inv build` shows them."""
    return build_report.table(tuple(map(build_report._layer, progress.layers)))


def shown(name: str) -> str:
    """Return everything that `inv build` shows of a real output."""
    progress = BuildProgress()
    steps = [progress.read(line) for line in re.findall(r".*\n", captured(name))]
    ended = [line for step in steps if step and (line := build_report.ended_layer(step))]
    has_failed = progress.failed_step or not any(step.is_export for step in progress.layers)
    problem = f"{build_report.failure_problem(BUILD, progress)}"
    end = problem if has_failed else table(progress)
    return "".join(f"{line}\n" for line in (*ended, "", end))


@pytest.mark.parametrize("name", NAMES)
def test_captures(name: str) -> None:
    """`inv build` shows exactly this of a real output."""
    expected = (CAPTURES / f"{name}.txt").read_bytes().decode("utf-8")

    assert expected == shown(name)


def test_newer() -> None:
    """The lines of newer clients are read as well."""
    progress = progress_of(NEWER)
    expected = [
        ("linux/arm64 base 1/12: FROM docker.io/library/debian:12-slim@sha256:6f25", "done", 2.1),
        ("deps 1/2: echo one", "cached", 0.0),
        ("other 1/1: sleep 9", "cancelled", 0.0),
        ("deps 2/2: make", "failed", 0.0),
    ]

    assert expected == [(step.title, step.state, step.seconds) for step in progress.layers]
    assert failure(progress) == (
        "deps 2/2: make: failed with exit code 2",
        ("cc -c a.c", "make: *** [a.o] Error 1"),
    )


@pytest.mark.parametrize(
    "text, expected",
    [
        ("...", STEP),
        ("[deps 2/3] RUN make", STEP),
        (f"sha256:{'0a' * 32}", STEP),
        ("CACHED", replace(STEP, state="cached")),
        ("DONE 3.1s", replace(STEP, state="done", seconds=3.1)),
        ("CANCELED", replace(STEP, state="cancelled")),
        ("ERROR", replace(STEP, state="failed")),
        ("ERROR: it broke", replace(STEP, state="failed", error="it broke")),
        ("1.234 DONE 3.1s", replace(STEP, output=("DONE 3.1s",))),
        ("10.10   indented", replace(STEP, output=("  indented",))),
        ("10.10", replace(STEP, output=("",))),
        ("transferring context: 2B done", replace(STEP, output=("transferring context: 2B done",))),
    ],
)
def test_updated(text: str, expected: BuildKitStep) -> None:
    """Each kind of line changes its step."""
    assert expected == updated(STEP, text)


def test_cached_stays_cached() -> None:
    """A layer from the cache that is also exported is not counted as built."""
    cached = replace(STEP, state="cached")

    assert replace(cached, seconds=0.2) == updated(cached, "DONE 0.2s")


def test_last_lines_are_kept() -> None:
    """Of a step that prints for hours, only the last lines are kept."""
    step = STEP
    for number in range(100):
        step = updated(step, f"1.0 line {number}")

    assert tuple(f"line {number}" for number in range(70, 100)) == step.output


def test_last_loose_lines_are_kept() -> None:
    """Of an output without steps, only the last lines are kept."""
    progress = progress_of("".join(f"line {number}\n" for number in range(100)))

    assert [f"line {number}" for number in range(70, 100)] == progress.loose_lines


@pytest.mark.parametrize(
    "line, expected",
    [
        ("#5 0.1 \x1b[31mred\x1b[0m\n", "#5 0.1 red"),
        ("#5 0.1 progress 1\rprogress 2\r\n", "#5 0.1 progress 2"),
        ("#5 transferring 1\rtransferring 2\n", "#5 transferring 2"),
        ("half\rwhole\n", "whole"),
        ("#5 0.1 a\tb\x07\n", "#5 0.1 a    b\\x07"),
    ],
)
def test_plain(line: str, expected: str) -> None:
    """Control codes are removed, and of a line that overwrote itself the last version stays."""
    assert expected == plain(line)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("[deps 2/3] RUN --mount=type=cache,target=/x   --network=none  make  all", "make all"),
        ("[deps 2/3] RUN --mount=type=secret,id=ca : 'Compile vLLM';  make all", "Compile vLLM"),
        ('[deps 2/3] RUN : "Compile vLLM" && make', "Compile vLLM"),
        ('[deps 2/3] RUN : "$STAMP" && make', ': "$STAMP" && make'),
        ('[deps 2/3] RUN : "1795447296" && make', ': "1795447296" && make'),
        ("[deps 2/3] COPY a b", "COPY a b"),
        (f"[deps 2/3] RUN {'x' * 61}", f"{'x' * 59}…"),
    ],
)
def test_summary(name: str, expected: str) -> None:
    """A layer is described by its own comment, else by its command without mounts."""
    step = replace(STEP, name=name)

    assert (expected, f"deps 2/3: {expected}") == (step.summary, step.title)


def test_stage_without_a_name() -> None:
    """A single stage needs no name; the title of a step that is no layer has no number."""
    names = ("[1/2] RUN make", "exporting to image")

    assert ["1/2: make", "exporting to image"] == [replace(STEP, name=name).title for name in names]


@pytest.mark.parametrize(
    "line, expected",
    [
        ("[36/366] Building CUDA object a.o", "compiling, 0 %"),
        ("[37/366] Building CUDA object a.o", "compiling, 10 %"),
        ("[366/366] Linking CXX shared library", "compiling, 100 %"),
        ("[1/0] nothing", "compiling, 100 %"),
        ("Get:1 http://deb.debian.org/debian bookworm InRelease", "downloading system packages"),
        ("Unpacking libexpat1:amd64 (2.5.0-1) ...", "installing system packages"),
        ("Cloning into '/vllm'...", "fetching the source"),
        ("-- Configuring done (1.2s)", "configuring"),
        ("Resolved 130 packages in 1.2s", "fetching packages"),
        ("Installed 130 packages in 1.2s", "compiling Python files"),
        ("Building wheel...", "configuring"),
        ("   Downloading torch-2.13.0-cp311.whl (900.1 MB)", "downloading torch (900 MB)"),
        ("anything else", ""),
    ],
)
def test_activity(line: str, expected: str) -> None:
    """A few kinds of lines show the progress of a step."""
    assert expected == activity(updated(STEP, f"1.0 {line}"))


def test_no_activity() -> None:
    """A step without output has no activity to show."""
    assert not activity(STEP)


@pytest.mark.parametrize(
    "output, expected",
    [
        ("", ("`docker build` failed", ())),
        ("ERROR: failed to solve: it is so\n", ("it is so", ())),
        ("#5 [a 1/1] RUN x\n#5 ERROR: failed to y: no\n", ("a 1/1: x: failed", ("no",))),
        ("#5 [a 1/1] COPY x y\n#5 ERROR\n", ("a 1/1: COPY x y: failed", ())),
        ("#5 [internal] load build context\n#5 ERROR: z\n", ("load build context: failed", ("z",))),
    ],
)
def test_failure(output: str, expected: tuple[str, tuple[str, ...]]) -> None:
    """Every failure has a sentence, however short the output is."""
    assert expected == failure(progress_of(output))


def test_start() -> None:
    """The builder's name is no step, and the base image is no layer of the build."""
    outputs = ("", "#0 building with x\n", "#1 [a 1/2] FROM x\n", "#2 [a 2/2] RUN x\n")
    builds = [progress_of(output) for output in outputs]

    assert [(False, False), (False, False), (True, False), (True, True)] == [
        (progress.has_started, progress.is_past_base) for progress in builds
    ]


@given(st.lists(st.text(max_size=80) | st.from_regex(r"#[0-9] [^\n]{0,60}", fullmatch=True)))
def test_any_text(lines: list[str]) -> None:
    """No output raises, and everything that is shown of it stays on one line."""
    progress = BuildProgress()
    steps = [step for line in lines if (step := progress.read(line))]
    shown_texts = [
        text
        for step in steps
        for text in (step.title, activity(step), build_report.ended_layer(step))
    ]

    assert [] == [text for text in shown_texts if len(text.splitlines()) > 1]
    assert str(build_report.failure_problem(BUILD, progress)).startswith("vllm-node: ")
    assert table(progress)


if __name__ == "__main__":
    for capture in NAMES:
        (CAPTURES / f"{capture}.txt").write_bytes(shown(capture).encode("utf-8"))
