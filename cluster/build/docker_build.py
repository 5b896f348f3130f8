"""Runs `docker build`: tells of each layer, keeps all lines, and ends it when interrupted."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from cluster.build import built, image, package_index, stamps
from cluster.build.buildkit import Listener, Step, news
from cluster.build.built import Built
from cluster.build.image import Build
from cluster.build.surroundings import text
from cluster.errors import NodeError, Problem
from cluster.host import Host, host_problem
from cluster.machine import processes
from cluster.machine.terminal import Progress, Report
from cluster.words import Secret

HERE = Host(name="this machine")
GRACE_SECONDS = 10.0
"""BuildKit ends the programs of its steps first."""
OWNER_ONLY = 0o600


def perform(asked: Build, report: Report) -> Built:
    """Build; a NodeError says what failed, and the tag is then where it was."""
    started = time.monotonic()
    with _alone(asked, report):
        build = _pullable(asked, report)
        for wheels in image.wheels(build):
            _place(wheels)
        listener = _performed(build, report)
        identity = text(Path(build.id_file))
        inspected = processes.run(("docker", "image", "inspect", identity))
        if inspected.code:
            raise NodeError(host_problem(HERE, inspected.error))
        versions = _file_of(identity, image.VERSIONS)
    return built.built(build, listener, inspected.output, versions, time.monotonic() - started)


def _performed(build: Build, report: Report) -> Listener:
    """Run the build to its end, and return what it said."""
    listener = Listener()
    with report.step(build.tag, build.title) as progress:
        try:
            code = _listen(build, listener, report, progress)
        finally:
            if listener.advanced:
                _keep_stamps(build)
        if code:
            raise NodeError(_problem(build, listener))
    return listener


def _problem(build: Build, listener: Listener) -> Problem:
    """Say what failed: a step, or Docker itself before there was any."""
    if listener.began:
        return built.problem(build, listener)
    # What the client says when it cannot build depends on which of two connections fails first.
    plainly = processes.run(("docker", "version")).error
    return host_problem(HERE, "\n".join((plainly, *listener.rest)))


def _keep_stamps(build: Build) -> None:
    """Remember what was asked for anew, also when it failed: a plain build goes on with it."""
    path = Path(build.state, image.STAMPS)
    aside = path.with_name(f"{path.name}.new")
    known = stamps.read(text(path)) | {build.device: build.stamps}
    aside.write_text(stamps.write(known), encoding="utf-8")
    aside.replace(path)


def _place(wheels: image.Wheels) -> None:
    folder = Path(wheels.folder)
    folder.mkdir(exist_ok=True)
    for source in map(Path, wheels.files):
        target = folder / source.name
        target.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:  # another file system, or the file of another user
            shutil.copyfile(source, target)


def _listen(build: Build, listener: Listener, report: Report, progress: Progress) -> int:
    """Run `docker build`, and tell of it; return the exit code."""
    secrets = [value.value for _, value in build.around.index if isinstance(value, Secret)]
    logins = [login for secret in secrets for login in package_index.logins(secret)]
    with _opened(build.log) as log, _started(build) as process:
        try:
            for raw in process.stdout or ():
                line = raw.decode("utf-8", "replace")
                for login in logins:
                    line = line.replace(login, "****")
                log.write(line)
                _tell(listener.hear(line), build, report, progress)
        except BaseException:
            _end(process)
            raise
    return process.returncode


def _tell(step: Step | None, build: Build, report: Report, progress: Progress) -> None:
    """Leave a line for a layer that has ended, and say what the running one does."""
    if step is not None and step.is_export:
        progress.tell(step.title)
    if step is None or not step.is_layer:
        return
    if line := built.ended(step):
        report.note(f"{build.tag}: {line}")
    elif told := news(step):
        progress.tell(f"{step.title}: {told}")
    elif len(step.said) == 1:  # not before: what is cached would be told as well
        progress.tell(step.title)


def _opened(path: str) -> TextIO:
    """Open a file for its owner alone, as it is: BuildKit's lines may hold carriage returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="", buffering=1)


def _started(build: Build) -> "subprocess.Popen[bytes]":
    environment = processes.values(build.environment)
    try:
        return subprocess.Popen(
            build.argv,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise NodeError(host_problem(HERE, f"{error.filename}: command not found")) from None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let Docker's client cancel the build, and wait until it has."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_SECONDS)
            return


def _pullable(build: Build, report: Report) -> Build:
    """Leave out `--pull` where the base was imported here: no registry has it."""
    if not build.pull:
        return build
    base = build.base or image.BASES[build.device]
    asked = ("docker", "image", "inspect", "--format", "{{len .RepoDigests}}", base)
    if processes.run(asked).output.strip() != "0":
        return build
    report.note(f"{build.tag}: {base} is on this machine alone, so it is not pulled")
    return replace(build, pull=False)


def _file_of(identity: str, path: str) -> str:
    """Return the text of a file in an image; nothing where there is none. Nothing is run for it."""
    container = processes.run(("docker", "create", "--network", "none", identity, "sh"))
    number = container.output.strip()
    if container.code:
        return ""
    try:
        with TemporaryDirectory() as folder:
            processes.run(("docker", "cp", f"{number}:{path}", f"{folder}/file"))
            return text(Path(folder, "file"))
    finally:
        processes.run(("docker", "rm", number))


@contextmanager
def _alone(build: Build, report: Report) -> Iterator[None]:
    """Keep another build waiting: both would write the same log, and move the same tag."""
    Path(build.state).mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(Path(build.around.root, "docker"), os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with report.step(build.tag, "Wait for another `inv build`"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        Path(build.id_file).unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)
