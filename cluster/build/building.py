"""The verb `build`: collects what the build needs, then prints its steps or performs them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cluster.build import build_options, build_report, cache_busters, image, package_index
from cluster.build.build_options import BuildOptions
from cluster.build.build_report import BuiltImage
from cluster.build.buildkit import BuildProgress
from cluster.build.cache_busters import ByDevice
from cluster.build.image import CPU, BuildImage, LocalSettings
from cluster.errors import NodeError
from cluster.host import THIS_MACHINE, host_problem
from cluster.machine import clock, files, processes
from cluster.machine.env_files import env_files
from cluster.machine.places import ROOT, STATE
from cluster.machine.terminal import Report, show
from cluster.node import DEFAULT, Cluster
from cluster.plan.run import Run
from cluster.rehearsal import install, requirements
from cluster.session import load

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
GIT_SECONDS = 5.0


def build(options: BuildOptions, cluster: str, *, dry: bool, json: bool) -> None:
    """Build the image and print the report; with `dry` print the commands instead."""
    run = Run(dry=dry)
    tag = options.tag or _image_name(cluster)
    busters = cache_busters.parsed(files.text(f"{STATE}/{cache_busters.FILE}"))
    busters = busters or labelled_cache_busters(tag)
    local = local_settings(options.arch)
    step = build_options.build_image(options, tag, local, busters, int(clock.time()))
    step = without_local_pull(step, run.report)
    if dry:
        run.perform(image.plan(step))
        return
    show((build_report.as_json if json else build_report.text)(perform(step, run)))


def _image_name(cluster: str) -> str:
    """Return the image of a cluster: the default before any machine is described."""
    is_described = cluster != DEFAULT or env_files(ROOT, cluster)
    return load(cluster).cluster.image if is_described else Cluster.image


def labelled_cache_busters(tag: str) -> ByDevice:
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


def perform(build: BuildImage, run: Run) -> BuiltImage:
    """Build the image; after a NodeError, the image's name still belongs to the old image."""
    started = clock.monotonic()
    # Two builds would write the same log and move the same name.
    folder = f"{build.local.root}/docker"
    with files.locked(folder, run.report, build.tag, "Wait for another `inv build`"):
        run.perform(image.plan(build))
        progress = BuildProgress()
        for line in files.content(build.log).decode("utf-8").split("\n"):
            progress.read(line)
        image_id = files.text(build.id_file)
        inspected = processes.run(("docker", "image", "inspect", image_id))
        if inspected.code:
            raise NodeError(host_problem(THIS_MACHINE, inspected.error))
        versions = _file_in_image(image_id, image.VERSIONS)
    seconds = clock.monotonic() - started
    return build_report.built_image(build, progress, inspected.output, versions, seconds)


def without_local_pull(build: BuildImage, report: Report) -> BuildImage:
    """Drop `--pull` if the base image was imported on this machine: no registry has it."""
    if not build.pull:
        return build
    base = build.base or image.BASES[build.device]
    digests = ("docker", "image", "inspect", "--format", "{{len .RepoDigests}}", base)
    if processes.run(digests).output.strip() != "0":
        return build
    report.note(f"{build.tag}: {base} exists only on this machine, so it is not pulled")
    return replace(build, pull=False)


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
