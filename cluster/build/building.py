"""The verb `build`: collects what the build needs, then prints its steps or performs them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cluster.build import build_options, build_report, cache_busters, image, package_index
from cluster.build.build_options import BuildOptions
from cluster.build.build_report import BuiltImage
from cluster.build.buildkit import BuildKitStep, BuildProgress, activity
from cluster.build.cache_busters import ByDevice
from cluster.build.image import CPU, BuildImage, LocalSettings, PlaceWheels
from cluster.errors import NodeError, Problem
from cluster.host import THIS_MACHINE, host_problem
from cluster.machine import clock, files, processes, programs
from cluster.machine.env_files import env_files
from cluster.machine.places import ROOT, STATE
from cluster.machine.terminal import Progress, Report, show
from cluster.node import DEFAULT, Cluster
from cluster.plan import script
from cluster.plan.steps import MakeFolder
from cluster.rehearsal import install, requirements
from cluster.session import load
from cluster.words import Secret

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
GIT_SECONDS = 5.0
GRACE_SECONDS = 10.0
"""For an interrupted build: BuildKit ends the programs of its steps first."""


def build(options: BuildOptions, cluster: str, *, dry: bool, json: bool) -> None:
    """Build the image and print the report; with `dry` print the commands instead."""
    tag = options.tag or _image_name(cluster)
    busters = cache_busters.parsed(files.text(f"{STATE}/{cache_busters.FILE}"))
    busters = busters or ({} if dry else _labelled_cache_busters(tag))
    local = local_settings(options.arch)
    step = build_options.build_image(options, tag, local, busters, int(clock.time()))
    if dry:
        show(script.text(image.plan(step)))
        return
    show((build_report.as_json if json else build_report.text)(perform(step, Report())))


def _image_name(cluster: str) -> str:
    """Return the image of a cluster: the default before any machine is described."""
    is_described = cluster != DEFAULT or env_files(ROOT, cluster)
    return load(cluster).cluster.image if is_described else Cluster.image


def _labelled_cache_busters(tag: str) -> ByDevice:
    """Return the cache busters of an existing image: the file was lost, or this clone is new."""
    labels = ("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", tag)
    return cache_busters.labelled(processes.run(labels).output)


def local_settings(arch: str) -> LocalSettings:
    """Return what this machine contributes to a build for an architecture."""
    variables = processes.own_variables()
    pip = install.pip_settings(variables)
    return LocalSettings(
        root=ROOT,
        revision=_revision(),
        ca=next(_certificate_bundles(variables), ""),
        index=package_index.settings(variables, pip),
        proxies=tuple(name for name in image.PROXIES if variables.get(name)),
        wheels=tuple(_torch_wheels(package_index.folders(variables, pip))) if arch == CPU else (),
    )


def _certificate_bundles(variables: Mapping[str, str]) -> Iterator[str]:
    for name in CA_VARIABLES:
        path = variables.get(name, "")
        if files.is_readable(path):
            yield files.absolute(path)


def _revision() -> str:
    """Return the commit that is checked out; empty without git or a repository."""
    words = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    git = processes.run(("git", "-C", ROOT, *words), seconds=GIT_SECONDS)
    return git.output.strip()


def _torch_wheels(folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the wheels of PyTorch for CPUs in local folders: PyPI does not have them."""
    pins, _ = requirements.split(files.text(f"{ROOT}/docker/requirements-cpu.txt"))
    for folder in folders:
        for pin in pins:
            yield from files.matches(files.absolute(folder), f"{pin.replace('==', '-')}-*.whl")


def perform(step: BuildImage, report: Report) -> BuiltImage:
    """Build the image; after a NodeError, the image's name still belongs to the old image."""
    started = clock.monotonic()
    # Two builds would write the same log and move the same name.
    folder = f"{step.local.root}/docker"
    with files.locked(folder, report, step.tag, "Wait for another `inv build`"):
        files.remove_file(step.id_file)
        build = _without_local_pull(step, report)
        for preparation in image.preparations(build):
            prepare(preparation)
        progress = _build(build, report)
        image_id = files.text(build.id_file)
        inspected = processes.run(("docker", "image", "inspect", image_id))
        if inspected.code:
            raise NodeError(host_problem(THIS_MACHINE, inspected.error))
        versions = _file_in_image(image_id, image.VERSIONS)
    seconds = clock.monotonic() - started
    return build_report.built_image(build, progress, inspected.output, versions, seconds)


def prepare(step: MakeFolder | PlaceWheels) -> None:
    """Perform a step before the build; wheels replace older ones of the same name."""
    if isinstance(step, MakeFolder):
        files.make_folder(step.path)
        return
    files.make_folder(step.folder)
    for path in step.files:
        files.link_or_copy(path, step.folder)


def save_cache_busters(build: BuildImage) -> None:
    """Save the cache busters of a build; those of the other device stay."""
    path = f"{build.state}/{cache_busters.FILE}"
    busters = cache_busters.parsed(files.text(path)) | {build.device: build.cache_busters}
    files.write(path, cache_busters.formatted(busters))


def _without_local_pull(build: BuildImage, report: Report) -> BuildImage:
    """Drop `--pull` if the base image was imported on this machine: no registry has it."""
    if not build.pull:
        return build
    base = build.base or image.BASES[build.device]
    digests = ("docker", "image", "inspect", "--format", "{{len .RepoDigests}}", base)
    if processes.run(digests).output.strip() != "0":
        return build
    report.note(f"{build.tag}: {base} exists only on this machine, so it is not pulled")
    return replace(build, pull=False)


def _build(build: BuildImage, report: Report) -> BuildProgress:
    """Run the build to its end, and return its steps."""
    lines = BuildProgress()
    with report.step(build.tag, build.title) as progress:
        try:
            code = _follow(build, lines, report, progress)
        except FileNotFoundError as error:
            text = f"{error.filename}: command not found"
            raise NodeError(host_problem(THIS_MACHINE, text)) from None
        finally:
            # Also after a failure, so that a plain build continues it.
            if lines.is_past_base:
                save_cache_busters(build)
        if code:
            raise NodeError(_problem(build, lines))
    return lines


def _follow(build: BuildImage, lines: BuildProgress, report: Report, progress: Progress) -> int:
    """Run `docker build`, report its progress, and log it without logins; return the exit code."""
    secrets = [value.value for _, value in build.local.index if isinstance(value, Secret)]
    logins = [login for secret in secrets for login in package_index.logins(secret)]
    variables = processes.own_variables() | processes.values(build.environment)
    with (
        files.private_log(build.log) as log,
        programs.followed(build.argv, variables, grace_seconds=GRACE_SECONDS) as program,
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
        progress.tell(step.title)
    if not step.is_layer:
        return
    if line := build_report.ended_layer(step):
        report.note(f"{build.tag}: {line}")
    elif now := activity(step):
        progress.tell(f"{step.title}: {now}")
    elif len(step.output) == 1:  # not earlier: cached layers would be shown as well
        progress.tell(step.title)


def _problem(build: BuildImage, lines: BuildProgress) -> Problem:
    """Return the problem: of a step, or of Docker itself if there was no step."""
    if lines.has_started:
        return build_report.failure_problem(build, lines)
    # Which error `docker build` prints depends on which of two connections fails first.
    version = processes.run(("docker", "version")).error
    return host_problem(THIS_MACHINE, "\n".join((version, *lines.loose_lines)))


def _file_in_image(image_id: str, path: str) -> str:
    """Return the text of a file in an image, without running it; empty if there is no file."""
    container = processes.run(("docker", "create", "--network", "none", image_id, "sh"))
    container_id = container.output.strip()
    if container.code:
        return ""
    try:
        with files.temporary_folder() as folder:
            processes.run(("docker", "cp", f"{container_id}:{path}", f"{folder}/file"))
            return files.text(f"{folder}/file")
    finally:
        processes.run(("docker", "rm", container_id))
