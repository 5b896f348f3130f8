"""The options of `inv build`."""

import re
from dataclasses import replace

import pytest

from cluster.build.build_options import BuildOptions, build_image
from cluster.build.cache_busters import ByDevice, CacheBusters
from cluster.build.image import BASES, BuildImage, LocalSettings
from cluster.errors import RefusedError
from tests.clusters import CHECKOUT, ROOT

LOCAL = LocalSettings(root=CHECKOUT)
PLAIN = BuildImage(tag="vllm-node", arch="12.1a", local=LOCAL, cache_busters=CacheBusters())
EARLIER = {"cuda": CacheBusters(deps="2"), "cpu": CacheBusters(system="1", deps="1", vllm="1")}
NOW = 1_795_447_296
MOMENT = str(NOW)
ARCH = (
    "--arch: must be CUDA architectures, separated by `;`, or cpu, not `{}` "
    "(for example 12.1a, 9.0a or 12.0;12.1a)"
)
NAMED = "{}: must be the name of an image, not `{}` (for example vllm-node or me/vllm:1)"
WHEEL = (
    "--vllm: cannot be combined with --source: it selects a released wheel "
    "(select what to compile with `--ref v0.33.0`)"
)
CACHED = (
    "--fast: cannot be combined with --no-cache: it takes everything below vLLM from the cache "
    "(give only one of them)"
)
FROM_SOURCE = "{}: applies only to a build from source (add --source)"
LOGIN = (
    "--repo: contains a login, which would be in the process list "
    "(give the URL of a repository that needs no login)"
)
REF = "--ref: must be a branch, a tag or a commit, not `--upload-pack=x` (for example main)"
REPO = (
    "--repo: must be the URL of a repository, not `vllm` "
    "(for example https://github.com/vllm-project/vllm.git)"
)
GIT = "https://git.example/vllm.git"


def requested(options: BuildOptions, earlier: ByDevice | None = None) -> BuildImage:
    """Return the build that the options request."""
    return build_image(options, "vllm-node", LOCAL, earlier or {}, NOW)


@pytest.mark.parametrize(
    "options, expected",
    [
        (BuildOptions(), PLAIN),
        (BuildOptions(tag="me/vllm:1"), replace(PLAIN, tag="me/vllm:1")),
        (BuildOptions(arch="cpu"), replace(PLAIN, arch="cpu")),
        (BuildOptions(arch="8.9"), replace(PLAIN, arch="8.9")),
        (BuildOptions(arch="12.0f"), replace(PLAIN, arch="12.0f")),
        (BuildOptions(arch="9.0a;12.0;12.1a"), replace(PLAIN, arch="9.0a 12.0 12.1a")),
        (BuildOptions(arch="12.0; 12.1a"), replace(PLAIN, arch="12.0 12.1a")),
        (BuildOptions(vllm="0.33.0rc1"), replace(PLAIN, version="0.33.0rc1")),
        (BuildOptions(source=True), replace(PLAIN, source=True)),
        (
            BuildOptions(source=True, ref="refs/pull/7/head", repo=GIT, jobs="4"),
            replace(PLAIN, source=True, ref="refs/pull/7/head", repo=GIT, jobs=4),
        ),
        (BuildOptions(base="nvcr.io/x/y:1"), replace(PLAIN, base="nvcr.io/x/y:1")),
        (BuildOptions(platform="linux/arm64/v8"), replace(PLAIN, platform="linux/arm64/v8")),
        (BuildOptions(no_cache=True), replace(PLAIN, no_cache=True)),
        (
            BuildOptions(fast=True),
            replace(PLAIN, cache_busters=CacheBusters(vllm=MOMENT), refresh="--fast"),
        ),
        (
            BuildOptions(full=True, no_cache=True),
            replace(
                PLAIN,
                cache_busters=CacheBusters(system=MOMENT, deps=MOMENT, vllm=MOMENT),
                refresh="--full",
                pull=True,
                no_cache=True,
            ),
        ),
    ],
)
def test_options(options: BuildOptions, expected: BuildImage) -> None:
    """Each option sets one property of the build."""
    assert expected == requested(options)


@pytest.mark.parametrize(
    "options, expected",
    [
        (BuildOptions(), CacheBusters(deps="2")),
        (BuildOptions(fast=True), CacheBusters(deps="2", vllm=MOMENT)),
        (BuildOptions(arch="9.0a"), CacheBusters(deps="2")),
        (BuildOptions(arch="cpu"), CacheBusters(system="1", deps="1", vllm="1")),
    ],
)
def test_cache_busters_are_kept(options: BuildOptions, expected: CacheBusters) -> None:
    """A refreshed part stays refreshed, separately for each device."""
    assert expected == requested(options, EARLIER).cache_busters


@pytest.mark.parametrize(
    "options, problems",
    [
        (
            BuildOptions(fast=True, full=True),
            ["--fast: cannot be combined with --full (give only one of them)"],
        ),
        (
            BuildOptions(fast=True, no_cache=True),
            [CACHED],
        ),
        (
            BuildOptions(source=True, vllm="0.33.0"),
            [WHEEL],
        ),
        (
            BuildOptions(ref="main", repo=GIT, jobs="4"),
            [
                FROM_SOURCE.format("--ref"),
                FROM_SOURCE.format("--repo"),
                FROM_SOURCE.format("--jobs"),
            ],
        ),
        (
            BuildOptions(
                tag="vllm@x", arch="sm_90", jobs="0", vllm="main", base="A B", platform="arm64"
            ),
            [
                ARCH.format("sm_90"),
                "--tag: must be a name without a digest, not `vllm@x` (for example vllm-node)",
                NAMED.format("--base", "A B"),
                "--vllm: must be a released version of vLLM, not `main` (for example 0.33.0)",
                (
                    "--jobs: must be a number of parallel jobs, not `0`"
                    " (write a number from 1 to 1024)"
                ),
                "--platform: must be one platform, not `arm64` (for example linux/arm64)",
                FROM_SOURCE.format("--jobs"),
            ],
        ),
        (
            BuildOptions(source=True, ref="--upload-pack=x", repo="git@x:y"),
            [LOGIN, REF],
        ),
        (
            BuildOptions(source=True, repo="vllm"),
            [REPO],
        ),
        (BuildOptions(arch="121a"), [ARCH.format("121a")]),
        (BuildOptions(arch="9.0+PTX"), [ARCH.format("9.0+PTX")]),
        (BuildOptions(arch="12.0;cpu"), [ARCH.format("12.0;cpu")]),
        (BuildOptions(arch="12.0;"), [ARCH.format("12.0;")]),
        (
            BuildOptions(tag="Vllm"),
            [NAMED.format("--tag", "Vllm")],
        ),
    ],
)
def test_refused(options: BuildOptions, problems: list[str]) -> None:
    """All problems are reported at once, each with its remedy."""
    with pytest.raises(RefusedError) as caught:
        requested(options)

    assert problems == str(caught.value).splitlines()


def test_no_login_is_shown() -> None:
    """An error does not repeat a login that was typed."""
    with pytest.raises(RefusedError) as caught:
        requested(BuildOptions(source=True, repo="https://ada:sesame@git.example/vllm"))

    assert not re.search("sesame", str(caught.value))


def test_arguments_are_the_dockerfile_s() -> None:
    """The Dockerfile has every build argument and the same base images."""
    source = BuildOptions(source=True, ref="main", repo=GIT, jobs="4", base="x", full=True)
    builds = map(requested, (source, BuildOptions(vllm="0.33.0"), BuildOptions(arch="cpu")))
    passed = {argument for build in builds for argument in build.arguments}
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    declared = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    bases = re.findall(r"^FROM \$\{BASE:-(\S+)\} AS base-(\S+)", text, re.MULTILINE)

    assert set() == {name for name, _ in {*passed, ("REVISION", "")}} - declared
    assert {device: base for base, device in bases} == BASES
