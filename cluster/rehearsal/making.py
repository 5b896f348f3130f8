"""Makes the rehearsal environment on first use, and again when what it is made from changes."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import NodeError, RefusedError
from cluster.machine.terminal import Report
from cluster.rehearsal import installer, installing, rehearsal
from cluster.rehearsal.installer import Attempt
from cluster.rehearsal.rehearsal import PLACE

RUNNING = "{}.{}".format(*sys.version_info)
"""The version of the Python that runs the tasks."""


def ensure(root: Path, report: Report) -> None:
    """Make `.rehearsal/venv` and `.rehearsal/model` below `root`, unless they are there already.

    RefusedError when this machine cannot have them, NodeError when making them failed; what was
    usable before stays so until the new one is whole.
    """
    folder = root / ".rehearsal"
    try:
        wanted = _wanted(root / "docker", folder)
        if wanted.is_there:
            return
        folder.mkdir(exist_ok=True)
        with _alone(folder, report) as lock:
            _Making(wanted, report, lock).all()
    except OSError as error:
        message = f"{error.filename or folder}: {error.strerror}"
        raise NodeError(rehearsal.failure("cannot be made", [message])) from None


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """The names of what the repository of today asks for."""

    sources: Path
    folder: Path
    venvs: tuple[str, ...]
    model: str

    @property
    def is_there(self) -> bool:
        """Tell whether nothing is left to make."""
        return self.has_venv and self.has_model

    @property
    def has_venv(self) -> bool:
        """Tell whether the environment is whole, and its Python still on this machine."""
        python = self.folder / "venv" / "bin" / "python"
        return _target(self.folder / "venv") in self.venvs and os.access(python, os.X_OK)

    @property
    def has_model(self) -> bool:
        """Tell whether the model is whole."""
        return _target(self.folder / "model") == self.model and (self.folder / "model").is_dir()


def _wanted(sources: Path, folder: Path) -> _Wanted:
    packages = tuple(sources / name for name in rehearsal.FOLDERS)
    modules = (path for package in packages for path in sorted(package.glob("*/*.py")))
    settings = (package / "pyproject.toml" for package in packages)
    paths = (sources / "requirements-cpu.txt", *settings, *modules)
    # Scripts name their Python by its whole path, so an environment that was moved is another one.
    venv = rehearsal.fingerprint((str(path), path.read_bytes()) for path in paths)
    model = rehearsal.fingerprint([("", (sources / "tiny_model.py").read_bytes())])
    venvs = rehearsal.venv_names(venv, RUNNING)
    return _Wanted(sources=sources, folder=folder, venvs=venvs, model=f"model-{model}")


def _target(link: Path) -> str:
    """Return where a link points: it is laid last, so what it points to is whole."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


@contextmanager
def _alone(folder: Path, report: Report) -> Iterator[int]:
    """Keep others waiting who want to make it; an installer that outlives us goes on doing so."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report.step(PLACE, "Wait for another `inv`, which is making it"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


class _Making:
    """One making of all that is missing."""

    def __init__(self, wanted: _Wanted, report: Report, lock: int) -> None:
        self._wanted = wanted
        self._folder = wanted.folder
        self._report = report
        self._lock = lock
        self._environ = installer.without(os.environ, *installer.STRAY)

    def all(self) -> None:
        """Make the environment first: the model is made with it."""
        self._remove_unused()
        if not self._wanted.has_venv:
            self._venv()
        if not self._wanted.has_model:
            self._model()
        self._remove_unused()

    def _venv(self) -> None:
        version, python = self._python()
        free = shutil.disk_usage(self._folder).free
        obstacles = rehearsal.obstacles(platform.system(), platform.machine(), free, version)
        if obstacles:
            raise RefusedError(*obstacles)
        name = next(name for name in self._wanted.venvs if name.endswith(f"-{version}"))
        target = self._folder / name
        self._run("Make an empty environment", python, "-I", "-m", "venv", "--without-pip", target)
        self._fill(target, version)
        self._switch("venv", target)

    def _python(self) -> tuple[str, str]:
        """Return version and path of the Python to make it with, empty when there is none."""
        for probe in rehearsal.python_probes(sys.executable, uv=bool(shutil.which("uv"))):
            with suppress(OSError):
                done = subprocess.run(
                    probe, env=self._environ, capture_output=True, text=True, check=False
                )
                if found := rehearsal.suitable(done.stdout):
                    return found
        return "", ""

    def _fill(self, target: Path, version: str) -> None:
        work = target / "work"
        work.mkdir()
        # pip unpacks from copies in TMPDIR, and /tmp may be small.
        self._environ["TMPDIR"] = str(work)
        python = target / "bin" / "python"
        tool = installing.chosen(python, work, self._environ)
        parts = f"with Python {version} and {tool.name}: {rehearsal.EXPECTATION}"
        self._report.note(f"{PLACE}: making it {parts}")
        self._install(tool, work)
        self._run(
            "Import what will run", python, "-I", "-c", f"import {', '.join(rehearsal.PROOF)}"
        )
        del self._environ["TMPDIR"]
        shutil.rmtree(work)

    def _install(self, tool: installer.Installer, work: Path) -> None:
        sources = self._wanted.sources
        text = (sources / "requirements-cpu.txt").read_text(encoding="utf-8")
        torch, others = rehearsal.requirements(text)
        listed = work / "requirements.txt"
        listed.write_text(others, encoding="utf-8")
        # Copies, because a build leaves its traces beside the sources.
        copies = (shutil.copytree(sources / name, work / name) for name in rehearsal.FOLDERS)
        remedy = rehearsal.torch_remedy(torch, installer.PYTORCH_INDEX)
        self._first("Install PyTorch for CPU", tool.torch(torch), remedy)
        self._first("Install vLLM, Ray and the rest", tool.packages(("-r", str(listed))))
        self._first("Install the plug-in", tool.folders(tuple(map(str, copies))))

    def _model(self) -> None:
        target = self._folder / self._wanted.model
        script = self._wanted.sources / "tiny_model.py"
        python = self._folder / "venv" / "bin" / "python"
        self._run("Make the tiny model", python, "-I", script, target)
        self._switch("model", target)

    def _run(self, title: str, *argv: str | Path) -> None:
        words = tuple(str(word) for word in argv)
        self._first(title, (Attempt(argv=words, environment=self._environ),))

    def _first(
        self, title: str, attempts: tuple[Attempt, ...], remedy: str = rehearsal.AGAIN
    ) -> None:
        installing.first(self._report, title, attempts, remedy, self._lock)

    def _switch(self, name: str, target: Path) -> None:
        """Let the link point to what is whole now, in one step that nobody sees half done."""
        link = self._folder / name
        if link.is_dir() and not link.is_symlink():
            link.rename(self._folder / f"{name}-replaced")
        fresh = self._folder / f"{name}-link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target.name)
        fresh.replace(link)

    def _remove_unused(self) -> None:
        """Remove what earlier makings left: replaced, or never finished."""
        used = {_target(self._folder / "venv"), _target(self._folder / "model")}
        for path in self._folder.iterdir():
            if path.name.startswith(("venv-", "model-", ".model-")) and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)
