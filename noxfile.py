#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.5"]
# ///
"""The gates: `nox` runs those that every change must pass; `nox --list` shows all of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
SHELL = (
    *("inv", ".ci/run", "docker/apt.sh", "docker/run-service"),
    "cluster/machine/completion.bash",
    *sorted(str(script) for room in ("bench", "cluster") for script in Path(room).rglob("*.sh")),
)
OLDEST_PYTHON = "3.10"


def install(session: nox.Session, *groups: str) -> None:
    """Install the project's dependencies and dependency groups in their pinned versions."""
    tools = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install("-r", "requirements.txt", "-c", "constraints.txt", *tools)


def pin(session: nox.Session, path: str, *options: str) -> None:
    """Write the newest versions that `pyproject.toml` allows to a lock for all Pythons."""
    command = ("uv", "pip", "compile", "--quiet", "--universal", "--upgrade")
    python = ("--python-version", OLDEST_PYTHON, "--no-python-downloads")
    header = ("--custom-compile-command", "./inv --list && .venv/bin/nox -s lock")
    session.run(*command, *python, *header, *options, "pyproject.toml", "-o", path)


@nox.session(tags=["check"])
def lint(session: nox.Session) -> None:
    """Check style, formatting, shell scripts, the Dockerfile and spelling."""
    tools = nox.project.dependency_groups(PYPROJECT, "lint")
    session.install("-c", "constraints.txt", *tools)
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")
    session.run("shellcheck", *SHELL)
    session.run("hadolint", "docker/Dockerfile")
    session.run("codespell")


@nox.session(tags=["check"])
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "types")
    session.run("mypy", *session.posargs)


@nox.session(tags=["check"])
def unit(session: nox.Session) -> None:
    """Run the tests that need no network, and check their coverage."""
    install(session, "test")
    gate = () if session.posargs else ("--cov", "--cov-report=term-missing:skip-covered")
    session.run("pytest", *gate, *session.posargs)


@nox.session(default=False)
def live(session: nox.Session) -> None:
    """Run the tests with real Ray, vLLM and engines: in two parallel parts, or those selected."""
    install(session, "live")
    parts = ("live and containers", "live and not containers")
    markers = ("live",) if session.posargs else parts
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(session.run, "pytest", "-v", "-m", marker, *session.posargs)
            for marker in markers
        ]
    for run in runs:
        run.result()


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks."""
    install(session, "test")
    session.run("python", "-m", "bench", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Regenerate the tables in `docs/`."""
    session.install("-r", "requirements.txt")
    session.run("python", "-m", "cluster.reference")


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Pin the newest versions that `pyproject.toml` allows."""
    session.install("uv")
    pin(session, "requirements.txt", "--annotation-style", "line")
    groups = (word for group in PYPROJECT["dependency-groups"] for word in ("--group", group))
    pin(session, "constraints.txt", "--no-annotate", *groups)


if __name__ == "__main__":
    nox.main()
