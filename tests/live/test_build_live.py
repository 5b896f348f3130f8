"""Real builds of a tiny image on a real engine: reports, files and failures."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cluster.build import cache_busters
from cluster.build.build_options import BuildOptions, build_image
from cluster.build.build_report import BuiltImage
from cluster.build.building import perform, without_local_pull
from cluster.build.image import BuildImage, LocalSettings
from cluster.errors import NodeError
from cluster.host import THIS_MACHINE, host_problem
from cluster.plan.run import Run
from cluster.words import Secret
from tests.live.hosts import made
from tests.live.machine import Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

DOCKERFILE = """\
ARG BASE=
FROM ${BASE:-tiny:base} AS system
ARG CACHEBUST_SYSTEM=
RUN : "Install system packages"; echo ${CACHEBUST_SYSTEM}
FROM system AS vllm
ARG CACHEBUST_VLLM=
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \\
    : "Install vLLM"; cat /run/secrets/ca /run/secrets/pip; echo "vllm ${CACHEBUST_VLLM}" >/vllm
COPY docker/versions.json /opt/spark-vllm-cluster/versions.json
ARG DEVICE
ARG VLLM
"""
STEPS = (
    ("system 1/2: FROM docker.io/library/tiny:base", "base"),
    ("system 2/2: Install system packages", "built"),
    ("vllm 1/2: Install vLLM", "built"),
    ("vllm 2/2: COPY docker/versions.json /opt/spark-vllm-cluster/versions.…", "built"),
    ("exporting to image", "saved"),
)
PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
from cluster.build.building import perform
from cluster.build.cache_busters import CacheBusters
from cluster.build.image import BuildImage, LocalSettings
from cluster.plan.run import Run
local = LocalSettings(root=sys.argv[1])
busters = CacheBusters()
perform(BuildImage(tag="tiny:made", arch="cpu", local=local, cache_busters=busters), Run(dry=False))
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture(name="engine", scope="module")
def _engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Start an engine that has a tiny base image: a shell and its libraries."""
    with made(tmp_path_factory.mktemp("hosts"), ("spark1",)) as lan:
        (host,) = lan.hosts
        root = tmp_path_factory.mktemp("root")
        for program in ("sh", "cat", "sleep"):
            path = os.path.realpath(str(shutil.which(program)))
            libraries = subprocess.run(
                ["ldd", path], check=True, capture_output=True, text=True
            ).stdout
            for source, target in (
                (path, f"/bin/{program}"),
                *re.findall(r"((/\S+)) \(", libraries),
            ):
                copy = root / target.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
        host.run(
            ["sh", "-c", 'tar -C "$1" -c . | docker import - tiny:base', "sh", root], check=True
        )
        yield host


@pytest.fixture(name="plain")
def _plain(engine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[BuildImage]:
    """Yield the build of a small repository; its image and files are removed at the end."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    monkeypatch.setenv("PATH", f"/usr/bin:{os.environ['PATH']}")
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for place in (root, root / "docker", root / ".state"):
            place.mkdir(exist_ok=True)
            place.chmod(0o777)  # for clients that run as another user
        (root / "docker" / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        (root / "docker" / "versions.json").write_text('{"vllm": "0.32.0"}', encoding="utf-8")
        local = LocalSettings(root=folder)
        yield build_image(BuildOptions(tag="tiny:made", arch="cpu"), "", local, {}, 0)
        engine.docker("builder", "prune", "--all", "--force")
        engine.docker("rmi", "--force", "tiny:made", check=False)


def steps(image: BuiltImage) -> tuple[tuple[str, str], ...]:
    """Return the layers without their durations."""
    return tuple((layer.title, layer.state) for layer in image.layers)


def states(image: BuiltImage) -> list[str]:
    """Return the state of each layer."""
    return [layer.state for layer in image.layers]


def without_durations(text: str) -> list[str]:
    """Return the lines of a text without durations."""
    return re.sub(r"  \d+\.\d s", "", text).splitlines()


def failure(build: BuildImage) -> str:
    """Return the error of a build that fails."""
    with pytest.raises(NodeError) as caught:
        perform(build, Run(dry=False))
    return str(caught.value)


def test_layers(plain: BuildImage, engine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """The first build makes all layers, the next none, and `--fast` those of vLLM and later.

    A plain build after that uses the refreshed layers.
    """
    first = perform(plain, Run(dry=False))
    lines = without_durations(capsys.readouterr().err)
    again = perform(plain, Run(dry=False))
    options = BuildOptions(tag="tiny:made", arch="cpu", fast=True)
    fast = perform(build_image(options, "", plain.local, {}, 1_795_447_296), Run(dry=False))
    busters = cache_busters.parsed(Path(plain.state, "build.json").read_text(encoding="utf-8"))
    options = replace(options, fast=False)
    after = perform(build_image(options, "", plain.local, busters, 1), Run(dry=False))
    cached = ["base", "cached", "cached", "cached", "saved"]

    assert STEPS == steps(first)
    assert [f"tiny:made: {title}" for title, _ in STEPS[1:4]] + [
        "tiny:made: Build the image"
    ] == lines
    assert [cached, ["base", "cached", "built", "built", "saved"], cached] == [
        states(image) for image in (again, fast, after)
    ]
    assert (first.id, fast.id) == (again.id, after.id)
    assert first.id != fast.id == engine.docker("image", "inspect", "--format={{.Id}}", "tiny:made")
    assert {"vllm": "0.32.0"} == first.versions
    assert not engine.docker("ps", "--all", "--quiet")


def test_full(plain: BuildImage, capsys: pytest.CaptureFixture[str]) -> None:
    """`--full` rebuilds all layers; a base image that only this machine has is not pulled."""
    perform(plain, Run(dry=False))
    options = BuildOptions(tag="tiny:made", arch="cpu", base="tiny:base", full=True)
    run = Run(dry=False)
    build = build_image(options, "", plain.local, {}, 1_795_447_296)
    full = perform(without_local_pull(build, run.report), run)

    assert STEPS == steps(full)
    assert (
        "tiny:made: tiny:base exists only on this machine, so it is not pulled"
        in without_durations(capsys.readouterr().err)
    )


def test_secrets(plain: BuildImage, engine: Machine) -> None:
    """Certificates and pip's settings reach the step; no log and no layer contains a login."""
    bundle = Path(plain.local.root, "ca.pem")
    bundle.write_text("a certificate\n", encoding="utf-8")
    index = (("index-url", Secret("https://ada:sesame@mirror.example/simple", "PIP_INDEX_URL")),)
    perform(replace(plain, local=replace(plain.local, ca=str(bundle), index=index)), Run(dry=False))
    log = Path(plain.log).read_text(encoding="utf-8")
    output = re.findall(r"^#\d+ \d+\.\d+ (\S.*)$", log, re.MULTILINE)
    history = engine.docker("history", "--no-trunc", "tiny:made")

    assert ["a certificate", "[global]", "index-url = https://****@mirror.example/simple"] == output
    assert [] == [text for text in (log, history) if "sesame" in text]


def test_failure(plain: BuildImage) -> None:
    """The error names the step that failed, with its last lines; the old image keeps its name."""
    first = perform(plain, Run(dry=False))
    file = Path(plain.local.root, "docker", "Dockerfile")
    broken = DOCKERFILE.replace("COPY", 'RUN : "Break"; echo one; echo two; exit 7\nCOPY')
    file.write_text(broken, encoding="utf-8")
    error = failure(plain)
    file.write_text(DOCKERFILE, encoding="utf-8")
    expected = (
        "tiny:made: vllm 2/3: Break: failed with exit code 7\n    one\n    two\n"
        "    (fix that, then run it again: it continues after the last finished layer; "
        f"full log: {plain.log})"
    )

    assert expected == error
    assert first.id == perform(plain, Run(dry=False)).id


def test_interrupt(plain: BuildImage, engine: Machine) -> None:
    """Ctrl-C ends the build and its programs before this program ends."""
    file = Path(plain.local.root, "docker", "Dockerfile")
    slow = DOCKERFILE.replace("COPY", 'RUN : "Wait"; echo waiting; sleep 12345\nCOPY')
    file.write_text(slow, encoding="utf-8")
    argv = (sys.executable, "-I", "-c", PROGRAM, plain.local.root)
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "Install vLLM" in line:
                break
        while not engine.run(["pgrep", "-f", "sleep 12345"]).stdout:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert -signal.SIGINT == process.returncode
    assert not engine.run(["pgrep", "-f", "sleep 12345"]).stdout
    assert not engine.docker("image", "ls", "--quiet", "tiny:made")


def test_no_engine(plain: BuildImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine the error is one sentence."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{plain.local.root}/no.sock")

    assert str(host_problem(THIS_MACHINE, "Cannot connect to the Docker daemon")) == failure(plain)


def test_no_permission(plain: BuildImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a user who may not use the engine, the remedy gives access."""
    client(plain, monkeypatch, shutil.which("docker") or "", *NOBODY)

    assert str(host_problem(THIS_MACHINE, "permission denied while trying to connect")) == failure(
        plain
    )


def test_no_buildx(plain: BuildImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a client without its plug-in for builds, the remedy names the package."""
    clients = subprocess.run(["which", "-a", "docker"], capture_output=True, text=True, check=True)
    lacking = [path for path in clients.stdout.split() if lacks_buildx(path)]
    if not lacking:
        pytest.skip("every Docker client here can build")
    client(plain, monkeypatch, lacking[0])

    assert str(host_problem(THIS_MACHINE, "buildx component is missing or broken")) == failure(
        plain
    )


def client(plain: BuildImage, monkeypatch: pytest.MonkeyPatch, program: str, *before: str) -> None:
    """Put another Docker client first on the PATH."""
    script = Path(plain.local.root, "bin", "docker")
    script.parent.mkdir()
    words = " ".join((*before, program))
    script.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")


def lacks_buildx(program: str) -> bool:
    """Whether a client of version 23 or later has no plug-in for builds."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    major = re.search(r"version (\d+)", version.stdout)
    buildx = subprocess.run([program, "buildx", "version"], capture_output=True, check=False)
    return bool(buildx.returncode) and int(major[1] if major else 0) >= 23
