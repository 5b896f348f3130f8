"""Real builds of a tiny image on a real engine: what is told, what is left, what goes wrong."""

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

from cluster.build import built
from cluster.build.build_flags import Flags, build
from cluster.build.docker_build import HERE, perform
from cluster.build.image import Around, Build
from cluster.build.stamps import read
from cluster.errors import NodeError
from cluster.host import host_problem
from cluster.machine.terminal import Report
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
from cluster.build.docker_build import perform
from cluster.machine.terminal import Report
from cluster.build.image import Around, Build
from cluster.build.stamps import Stamps
around = Around(root=sys.argv[1])
perform(Build(tag="tiny:made", arch="cpu", around=around, stamps=Stamps()), Report())
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture(name="engine", scope="module")
def _engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Start an engine that has a tiny base: a shell and what it needs."""
    with made(tmp_path_factory.mktemp("hosts"), ("spark1",)) as lan:
        (host,) = lan.hosts
        root = tmp_path_factory.mktemp("root")
        for program in ("sh", "cat", "sleep"):
            path = os.path.realpath(str(shutil.which(program)))
            needs = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
            for source, target in ((path, f"/bin/{program}"), *re.findall(r"((/\S+)) \(", needs)):
                copy = root / target.lstrip("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)
        host.run(
            ["sh", "-c", 'tar -C "$1" -c . | docker import - tiny:base', "sh", root], check=True
        )
        yield host


@pytest.fixture(name="plain")
def _plain(engine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Return the build of a small repository, whose images and files go at the end."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    monkeypatch.setenv("PATH", f"/usr/bin:{os.environ['PATH']}")
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for place in (root, root / "docker", root / ".state"):
            place.mkdir(exist_ok=True)
            place.chmod(0o777)  # for clients that run as somebody else
        (root / "docker" / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        (root / "docker" / "versions.json").write_text('{"vllm": "0.32.0"}', encoding="utf-8")
        around = Around(root=folder)
        yield build(Flags(tag="tiny:made", arch="cpu"), "", around, {}, 0)
        engine.docker("builder", "prune", "--all", "--force")
        engine.docker("rmi", "--force", "tiny:made", check=False)


def steps(found: built.Built) -> tuple[tuple[str, str], ...]:
    """Return the layers without their durations."""
    return tuple((layer.title, layer.state) for layer in found.layers)


def states(found: built.Built) -> list[str]:
    """Return what became of each layer."""
    return [layer.state for layer in found.layers]


def told(text: str) -> list[str]:
    """Return lines without durations."""
    return re.sub(r"  \d+\.\d s", "", text).splitlines()


def failure(asked: Build) -> str:
    """Return what a build says that cannot succeed."""
    with pytest.raises(NodeError) as caught:
        perform(asked, Report())
    return str(caught.value)


def test_layers(plain: Build, engine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """The first build makes all layers, the next none, and `--fast` those from vLLM's on.

    A plain build after that takes the refreshed ones.
    """
    first = perform(plain, Report())
    lines = told(capsys.readouterr().err)
    again = perform(plain, Report())
    flags = Flags(tag="tiny:made", arch="cpu", fast=True)
    fast = perform(build(flags, "", plain.around, {}, 1_795_447_296), Report())
    known = read(Path(plain.state, "build.json").read_text(encoding="utf-8"))
    after = perform(build(replace(flags, fast=False), "", plain.around, known, 1), Report())
    cached = ["base", "cached", "cached", "cached", "saved"]

    assert STEPS == steps(first)
    assert [f"tiny:made: {title}" for title, _ in STEPS[1:4]] + [
        "tiny:made: Build the image"
    ] == lines
    assert [cached, ["base", "cached", "built", "built", "saved"], cached] == [
        states(found) for found in (again, fast, after)
    ]
    assert (first.id, fast.id) == (again.id, after.id)
    assert first.id != fast.id == engine.docker("image", "inspect", "--format={{.Id}}", "tiny:made")
    assert {"vllm": "0.32.0"} == first.versions
    assert not engine.docker("ps", "--all", "--quiet")


def test_full(plain: Build, capsys: pytest.CaptureFixture[str]) -> None:
    """`--full` makes all layers again; a base that only this machine has is not pulled."""
    perform(plain, Report())
    flags = Flags(tag="tiny:made", arch="cpu", base="tiny:base", full=True)
    full = perform(build(flags, "", plain.around, {}, 1_795_447_296), Report())

    assert STEPS == steps(full)
    assert "tiny:made: tiny:base is on this machine alone, so it is not pulled" in told(
        capsys.readouterr().err
    )


def test_secrets(plain: Build, engine: Machine) -> None:
    """Certificates and pip's settings reach the step; a login is in no log and in no layer."""
    bundle = Path(plain.around.root, "ca.pem")
    bundle.write_text("a certificate\n", encoding="utf-8")
    index = (("index-url", Secret("https://ada:sesame@mirror.example/simple", "PIP_INDEX_URL")),)
    perform(replace(plain, around=replace(plain.around, ca=str(bundle), index=index)), Report())
    log = Path(plain.log).read_text(encoding="utf-8")
    said = re.findall(r"^#\d+ \d+\.\d+ (\S.*)$", log, re.MULTILINE)
    history = engine.docker("history", "--no-trunc", "tiny:made")

    assert ["a certificate", "[global]", "index-url = https://****@mirror.example/simple"] == said
    assert [] == [text for text in (log, history) if "sesame" in text]


def test_failure(plain: Build) -> None:
    """A step that fails is named, with its last words; the tag stays where it was."""
    first = perform(plain, Report())
    file = Path(plain.around.root, "docker", "Dockerfile")
    broken = DOCKERFILE.replace("COPY", 'RUN : "Break"; echo one; echo two; exit 7\nCOPY')
    file.write_text(broken, encoding="utf-8")
    said = failure(plain)
    file.write_text(DOCKERFILE, encoding="utf-8")
    expected = (
        "tiny:made: vllm 2/3: Break: failed with exit code 7\n    one\n    two\n"
        "    (mend that; the same again goes on after the last finished layer; "
        f"all lines are in {plain.log})"
    )

    assert expected == said
    assert first.id == perform(plain, Report()).id


def test_interrupt(plain: Build, engine: Machine) -> None:
    """Ctrl-C ends the build, and what it runs, before the program ends."""
    file = Path(plain.around.root, "docker", "Dockerfile")
    slow = DOCKERFILE.replace("COPY", 'RUN : "Wait"; echo waiting; sleep 12345\nCOPY')
    file.write_text(slow, encoding="utf-8")
    argv = (sys.executable, "-I", "-c", PROGRAM, plain.around.root)
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


def test_no_engine(plain: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine one sentence says so."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{plain.around.root}/no.sock")

    assert str(host_problem(HERE, "Cannot connect to the Docker daemon")) == failure(plain)


def test_no_permission(plain: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not use the engine is told how to be let in."""
    client(plain, monkeypatch, shutil.which("docker") or "", *NOBODY)

    assert str(host_problem(HERE, "permission denied while trying to connect")) == failure(plain)


def test_no_buildx(plain: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that builds by a plug-in, and lacks it, says what to install."""
    found = subprocess.run(["which", "-a", "docker"], capture_output=True, text=True, check=True)
    lacking = [path for path in found.stdout.split() if lacks_buildx(path)]
    if not lacking:
        pytest.skip("every Docker client here can build")
    client(plain, monkeypatch, lacking[0])

    assert str(host_problem(HERE, "buildx component is missing or broken")) == failure(plain)


def client(plain: Build, monkeypatch: pytest.MonkeyPatch, program: str, *before: str) -> None:
    """Put another Docker client first on the PATH."""
    script = Path(plain.around.root, "bin", "docker")
    script.parent.mkdir()
    words = " ".join((*before, program))
    script.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")


def lacks_buildx(program: str) -> bool:
    """Tell whether a client is of version 23 or later and has no plug-in for builds."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    major = re.search(r"version (\d+)", version.stdout)
    buildx = subprocess.run([program, "buildx", "version"], capture_output=True, check=False)
    return bool(buildx.returncode) and int(major[1] if major else 0) >= 23
