"""Runs installers: chooses uv or pip, listens to what it prints, ends it when interrupted."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cluster.errors import NodeError, Problem
from cluster.machine.terminal import Progress, Report
from cluster.rehearsal import installer, rehearsal
from cluster.rehearsal.installer import Attempt, Installer, Pip, Uv, Variables

PIP_WITH_PYTHON = (22, 3)
"""The first pip with `--python` (pip, "Changelog")."""
GRACE_SECONDS = 5.0


def chosen(python: Path, work: Path, environ: Variables) -> Installer:
    """Return uv where it is on the PATH, else pip; `work` is a folder for a fetched pip."""
    files = (Path(name).expanduser() for name in installer.pip_files(environ, sys.prefix))
    readable = (path for path in files if os.access(path, os.R_OK) and path.is_file())
    texts = tuple(path.read_text(encoding="utf-8", errors="replace") for path in readable)
    settings = installer.pip_settings(texts, environ)
    if shutil.which("uv"):
        return Uv(python=str(python), settings=settings, environ=environ)
    return Pip(program=_pip(python, work), settings=settings, environ=environ)


def first(
    report: Report, title: str, attempts: tuple[Attempt, ...], remedy: str, lock: int
) -> None:
    """Run attempts until one works; when none does, a NodeError tells about the last.

    `lock` is a file descriptor that what we start holds open, should it live longer than we do.
    """
    lines: list[str] = []
    with report.step(rehearsal.PLACE, title) as progress:
        for attempt in attempts:
            code, lines = _listen(attempt, progress, lock)
            if not code:
                return
            if rehearsal.hopeless(lines):
                break
        raise NodeError(rehearsal.failure(title, lines, remedy))


def _listen(attempt: Attempt, progress: Progress, lock: int) -> tuple[int, list[str]]:
    """Tell of progress; return the exit code and what was printed."""
    lines: list[str] = []
    with _started(attempt, lock) as process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                if told := rehearsal.news(line):
                    progress.tell(told)
        except BaseException:
            _end(process)
            raise
    return process.returncode, lines


def _started(attempt: Attempt, lock: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        attempt.argv,
        env=attempt.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(lock,),
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End an installer and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)


def _pip(python: Path, work: Path) -> tuple[str, ...]:
    """Return how to run pip for a Python: our own pip, or one that is fetched and forgotten."""
    with suppress(PackageNotFoundError):
        if tuple(int(part) for part in version("pip").split(".")[:2]) >= PIP_WITH_PYTHON:
            return (sys.executable, "-I", "-m", "pip", "--python", str(python))
    from bootstrap import PIP, BootstrapError, pip_wheel

    try:
        (work / PIP).write_bytes(pip_wheel())
    except BootstrapError as error:
        raise NodeError(Problem(place=rehearsal.PLACE, message=str(error))) from None
    return (str(python), "-I", str(work / PIP / "pip"))
