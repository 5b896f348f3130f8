"""Performs the steps of a build: local wheels are put in place, `docker build` runs."""

from cluster.build import build_report, cache_busters, package_index
from cluster.build.buildkit import BuildKitStep, BuildProgress, activity
from cluster.build.image import BuildImage, PlaceWheels
from cluster.errors import NodeError, Problem
from cluster.host import THIS_MACHINE, host_problem
from cluster.machine import files, processes
from cluster.machine.terminal import Progress, Report
from cluster.plan.perform import Performer, perform
from cluster.words import Secret

GRACE_SECONDS = 10.0
"""For an interrupted build: BuildKit ends the programs of its steps first."""


@perform.register
def _(step: PlaceWheels, _performer: Performer) -> None:
    """Put wheels in the place of older ones of the same name."""
    files.make_folder(step.folder)
    for path in step.files:
        files.link_or_copy(path, step.folder)


@perform.register
def _(step: BuildImage, performer: Performer) -> None:
    """Run the build to its end; it leaves its log and the image's ID in files."""
    files.remove_file(step.id_file)
    lines = BuildProgress()
    with performer.report.step(step.place, step.title) as progress:
        try:
            code = _follow(step, lines, performer.report, progress)
        except FileNotFoundError as error:
            text = f"{error.filename}: command not found"
            raise NodeError(host_problem(THIS_MACHINE, text)) from None
        finally:
            # Also after a failure, so that a plain build continues it.
            if lines.is_past_base:
                save_cache_busters(step)
        if code:
            raise NodeError(_problem(step, lines))


def save_cache_busters(build: BuildImage) -> None:
    """Save the cache busters of a build; those of the other device stay."""
    path = f"{build.state}/{cache_busters.FILE}"
    busters = cache_busters.parsed(files.text(path)) | {build.device: build.cache_busters}
    files.write(path, cache_busters.formatted(busters))


def _follow(build: BuildImage, lines: BuildProgress, report: Report, progress: Progress) -> int:
    """Run `docker build`, report its progress, and log it without logins; return the exit code."""
    secrets = [value.value for _, value in build.local.index if isinstance(value, Secret)]
    logins = [login for secret in secrets for login in package_index.logins(secret)]
    variables = processes.own_variables() | processes.values(build.environment)
    with (
        files.private_log(build.log) as log,
        processes.followed(build.argv, variables, grace_seconds=GRACE_SECONDS) as program,
    ):
        for raw_line in program.lines:
            line = _masked(raw_line, logins)
            log.write(line)
            if step := lines.read(line):
                _report(step, build, report, progress)
    return program.code


def _masked(line: str, logins: list[str]) -> str:
    for login in logins:
        line = line.replace(login, "****")
    return line


def _report(step: BuildKitStep, build: BuildImage, report: Report, progress: Progress) -> None:
    """Print a line for a layer that has ended, and show what the running one does."""
    if step.is_export:
        progress.update(step.title)
    if not step.is_layer:
        return
    if line := build_report.ended_layer(step):
        report.note(f"{build.tag}: {line}")
    elif now := activity(step):
        progress.update(f"{step.title}: {now}")
    elif len(step.output) == 1:  # not earlier: cached layers would be shown as well
        progress.update(step.title)


def _problem(build: BuildImage, lines: BuildProgress) -> Problem:
    """Return the problem: of a step, or of Docker itself if there was no step."""
    if lines.has_started:
        return build_report.failure_problem(build, lines)
    # Which error `docker build` prints depends on which of two connections fails first.
    version = processes.run(("docker", "version")).error
    return host_problem(THIS_MACHINE, "\n".join((version, *lines.loose_lines)))
