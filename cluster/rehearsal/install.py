"""Installs the rehearsal environment on first use, and again when its sources change."""

from contextlib import suppress

from cluster.errors import NodeError, Problem, RefusedError
from cluster.machine import files, processes, python
from cluster.machine.terminal import Progress, Report
from cluster.rehearsal import installers, requirements
from cluster.rehearsal.installers import Attempt, Installer, Pip, Uv, Variables
from cluster.rehearsal.requirements import PLACE

PIP_WITH_PYTHON = (22, 3)
"""The first pip with `--python` (pip, "Changelog")."""
GRACE_SECONDS = 5.0
PUBLIC = 0o777
"""Permissions of a new folder, before the umask."""
LEFTOVERS = ("venv-*", "model-*", ".model-*")


def ensure(root: str, report: Report) -> None:
    """Install `.rehearsal/venv` and `.rehearsal/model` below `root`, unless they are up to date.

    RefusedError if this machine cannot have them, NodeError if the installation fails; a usable
    environment stays in use until the new one is complete.
    """
    folder = f"{root}/.rehearsal"
    try:
        installation = _Installation(f"{root}/docker", folder, report)
        if installation.has_venv and installation.has_model:
            return
        files.make_folder(folder, PUBLIC)
        waiting = "Wait for another `inv` that installs it"
        # An installer that outlives this program inherits the lock, and so keeps it.
        with files.locked(folder, report, PLACE, waiting) as lock:
            installation.complete(lock)
    except OSError as error:
        message = f"{error.filename or folder}: {error.strerror}"
        raise NodeError(installers.failure("cannot be installed", [message])) from None


def pip_settings(environ: Variables) -> dict[str, str]:
    """Return the settings that pip would use on this machine."""
    paths = installers.pip_files(environ, python.PREFIX)
    texts = tuple(files.text(files.absolute(path)) for path in paths)
    return installers.pip_settings(texts, environ)


class _Installation:
    """The environment and the model that the sources call for, and how they are installed."""

    def __init__(self, sources: str, folder: str, report: Report) -> None:
        packages = tuple(f"{sources}/{name}" for name in requirements.PACKAGES)
        modules = (path for package in packages for path in files.matches(package, "*/*.py"))
        settings = (f"{package}/pyproject.toml" for package in packages)
        paths = (f"{sources}/requirements-cpu.txt", *settings, *modules)
        # Scripts name their Python by its absolute path: a moved environment is a new one.
        venv = requirements.fingerprint((path, files.content(path)) for path in paths)
        model = requirements.fingerprint([("", files.content(f"{sources}/tiny_model.py"))])
        self._sources = sources
        self._folder = folder
        self._report = report
        self._venvs = requirements.venv_names(venv, python.VERSION)
        self._model = f"model-{model}"
        self._environ = installers.without(processes.own_variables(), *installers.INTERFERING)
        self._locks: tuple[int, ...] = ()

    @property
    def has_venv(self) -> bool:
        """Whether the environment is complete, and its Python still on this machine."""
        # The link is laid last, so its target is complete.
        link = files.link_target(f"{self._folder}/venv")
        return link in self._venvs and files.is_executable(f"{self._folder}/venv/bin/python")

    @property
    def has_model(self) -> bool:
        """Whether the model is complete."""
        path = f"{self._folder}/model"
        return files.link_target(path) == self._model and files.exists(path)

    def complete(self, lock: int) -> None:
        """Install what is missing, the environment first: the model is made with it."""
        self._locks = (lock,)
        self._remove_leftovers()
        if not self.has_venv:
            self._install_venv()
        if not self.has_model:
            self._create_model()
        self._remove_leftovers()

    def _install_venv(self) -> None:
        version, executable = self._python()
        free = files.free_bytes(self._folder)
        unmet = requirements.unmet(python.SYSTEM, python.ARCHITECTURE, free, version)
        if problems := tuple(unmet):
            raise RefusedError(*problems)
        name = next(name for name in self._venvs if name.endswith(f"-{version}"))
        venv = f"{self._folder}/{name}"
        create = (executable, "-I", "-m", "venv", "--without-pip", venv)
        self._run("Create an empty environment", *create)
        self._fill(venv, version)
        files.replace_link(f"{self._folder}/venv", name)

    def _python(self) -> tuple[str, str]:
        """Return version and path of the first suitable Python; empty if there is none."""
        variables = tuple(self._environ.items())
        for probe in requirements.python_probes(python.EXECUTABLE, uv=bool(processes.which("uv"))):
            with suppress(OSError):
                answer = processes.run(probe, variables).output
                if suitable := requirements.suitable_python(answer):
                    return suitable
        return "", ""

    def _fill(self, venv: str, version: str) -> None:
        work = f"{venv}/work"
        files.make_folder(work, PUBLIC)
        # pip unpacks from copies in TMPDIR, and /tmp may be small.
        self._environ["TMPDIR"] = work
        executable = f"{venv}/bin/python"
        installer = _installer(executable, work, self._environ)
        details = f"Python {version} and {installer.name}: {requirements.COST}"
        self._report.note(f"{PLACE}: installing it with {details}")
        self._install_packages(installer, work)
        imports = f"import {', '.join(requirements.IMPORTS)}"
        self._run("Import vLLM and Ray", executable, "-I", "-c", imports)
        del self._environ["TMPDIR"]
        files.remove_folder(work)

    def _install_packages(self, installer: Installer, work: str) -> None:
        lock = files.content(f"{self._sources}/requirements-cpu.txt").decode()
        torch, packages = requirements.split(lock)
        path = f"{work}/requirements.txt"
        files.write(path, packages)
        copies = tuple(f"{work}/{name}" for name in requirements.PACKAGES)
        for name, copy in zip(requirements.PACKAGES, copies, strict=True):
            # A build writes into its source folder.
            files.copy_folder(f"{self._sources}/{name}", copy)
        remedy = installers.torch_remedy(torch)
        self._try("Install PyTorch for CPU", installer.torch(torch), remedy)
        self._try("Install vLLM and Ray", installer.packages(("-r", path)))
        self._try("Install the plug-in", installer.folders(copies))

    def _create_model(self) -> None:
        script, model = f"{self._sources}/tiny_model.py", f"{self._folder}/{self._model}"
        executable = f"{self._folder}/venv/bin/python"
        self._run("Create the tiny model", executable, "-I", script, model)
        files.replace_link(f"{self._folder}/model", self._model)

    def _run(self, title: str, *argv: str) -> None:
        self._try(title, (Attempt(argv=argv, environment=self._environ),))

    def _try(
        self, title: str, attempts: tuple[Attempt, ...], remedy: str = installers.AGAIN
    ) -> None:
        """Run attempts until one succeeds; if none does, the last one's failure is a NodeError."""
        lines: list[str] = []
        with self._report.step(PLACE, title) as progress:
            for attempt in attempts:
                code, lines = self._follow(attempt, progress)
                if not code:
                    return
                if installers.is_hopeless(lines):
                    break
            raise NodeError(installers.failure(title, lines, remedy))

    def _follow(self, attempt: Attempt, progress: Progress) -> tuple[int, list[str]]:
        """Run an attempt and report its progress; return its exit code and its output."""
        lines: list[str] = []
        with processes.followed(
            attempt.argv,
            attempt.environment,
            grace_seconds=GRACE_SECONDS,
            inherited=self._locks,
        ) as program:
            for line in program.lines:
                lines.append(line.rstrip())
                if activity := installers.activity(line):
                    progress.update(activity)
        return program.code, lines

    def _remove_leftovers(self) -> None:
        """Remove what earlier installations left: replaced, or never completed."""
        used = {files.link_target(f"{self._folder}/{name}") for name in ("venv", "model")}
        for pattern in LEFTOVERS:
            for path in files.matches(self._folder, pattern):
                if path.rpartition("/")[2] not in used:
                    files.remove_folder(path, ignore_errors=True)


def _installer(executable: str, work: str, environ: Variables) -> Installer:
    """Return uv if it is on the PATH, else pip; `work` is a folder for a downloaded pip."""
    settings = pip_settings(environ)
    if processes.which("uv"):
        return Uv(python=executable, settings=settings, environ=environ)
    return Pip(program=_pip(executable, work), settings=settings, environ=environ)


def _pip(executable: str, work: str) -> tuple[str, ...]:
    """Return the command of pip for a Python: that of the tasks, or one that is downloaded."""
    if python.pip_version() >= PIP_WITH_PYTHON:
        return (python.EXECUTABLE, "-I", "-m", "pip", "--python", executable)
    try:
        name, wheel = python.download_pip()
    except ConnectionError as error:
        raise NodeError(Problem(place=PLACE, message=str(error))) from None
    files.write(f"{work}/{name}", wheel)
    return (executable, "-I", f"{work}/{name}/pip")
