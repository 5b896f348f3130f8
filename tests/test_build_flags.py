"""The flags of `inv build`."""

import re
from dataclasses import replace

import pytest

from cluster.build.build_flags import Flags, build
from cluster.build.image import BASES, Around, Build
from cluster.build.stamps import Stamps
from cluster.errors import RefusedError
from tests.clusters import PLACE, ROOT

AROUND = Around(root=PLACE)
PLAIN = Build(tag="vllm-node", arch="12.1a", around=AROUND, stamps=Stamps())
KNOWN = {"cuda": Stamps(deps="2"), "cpu": Stamps(system="1", deps="1", vllm="1")}
NOW = 1_795_447_296
STAMP = str(NOW)
ARCH = (
    "--arch: should be a CUDA architecture, several with `;` between them, or cpu: `{}` "
    "(write it like 12.1a, 9.0a or 12.0;12.1a)"
)
NAMED = "{}: should be the name of an image: `{}` (write it like vllm-node or me/vllm:1)"
COMPILED = (
    "--vllm: contradicts --source: it names a released wheel "
    "(name what to compile with `--ref v0.33.0`)"
)
LOGIN = (
    "--repo: holds a login, which would be in the list of processes "
    "(give the URL of a repository that needs none)"
)
REF = "--ref: should be a branch, a tag or a commit: `--upload-pack=x` (write it like main)"
REPO = (
    "--repo: should be the URL of a repository: `vllm` "
    "(write it like https://github.com/vllm-project/vllm.git)"
)
GIT = "https://git.example/vllm.git"


def asked(flags: Flags, known: dict[str, Stamps] | None = None) -> Build:
    """Return the build that flags ask for."""
    return build(flags, "vllm-node", AROUND, known or {}, NOW)


@pytest.mark.parametrize(
    "flags, expected",
    [
        (Flags(), PLAIN),
        (Flags(tag="me/vllm:1"), replace(PLAIN, tag="me/vllm:1")),
        (Flags(arch="cpu"), replace(PLAIN, arch="cpu")),
        (Flags(arch="8.9"), replace(PLAIN, arch="8.9")),
        (Flags(arch="12.0f"), replace(PLAIN, arch="12.0f")),
        (Flags(arch="9.0a;12.0;12.1a"), replace(PLAIN, arch="9.0a 12.0 12.1a")),
        (Flags(arch="12.0; 12.1a"), replace(PLAIN, arch="12.0 12.1a")),
        (Flags(vllm="0.33.0rc1"), replace(PLAIN, version="0.33.0rc1")),
        (Flags(source=True), replace(PLAIN, source=True)),
        (
            Flags(source=True, ref="refs/pull/7/head", repo=GIT, jobs="4"),
            replace(PLAIN, source=True, ref="refs/pull/7/head", repo=GIT, jobs=4),
        ),
        (Flags(base="nvcr.io/x/y:1"), replace(PLAIN, base="nvcr.io/x/y:1")),
        (Flags(platform="linux/arm64/v8"), replace(PLAIN, platform="linux/arm64/v8")),
        (Flags(no_cache=True), replace(PLAIN, no_cache=True)),
        (Flags(fast=True), replace(PLAIN, stamps=Stamps(vllm=STAMP), refresh="--fast")),
        (
            Flags(full=True, no_cache=True),
            replace(
                PLAIN,
                stamps=Stamps(system=STAMP, deps=STAMP, vllm=STAMP),
                refresh="--full",
                pull=True,
                no_cache=True,
            ),
        ),
    ],
)
def test_build(flags: Flags, expected: Build) -> None:
    """Each flag says one thing about the build."""
    assert expected == asked(flags)


@pytest.mark.parametrize(
    "flags, expected",
    [
        (Flags(), Stamps(deps="2")),
        (Flags(fast=True), Stamps(deps="2", vllm=STAMP)),
        (Flags(arch="9.0a"), Stamps(deps="2")),
        (Flags(arch="cpu"), Stamps(system="1", deps="1", vllm="1")),
    ],
)
def test_stamps_are_kept(flags: Flags, expected: Stamps) -> None:
    """What was refreshed stays refreshed, for each device by itself."""
    assert expected == asked(flags, KNOWN).stamps


@pytest.mark.parametrize(
    "flags, problems",
    [
        (Flags(fast=True, full=True), ["--fast: contradicts --full (give one of them)"]),
        (
            Flags(fast=True, no_cache=True),
            ["--fast: contradicts --no-cache: it keeps all but vLLM's layers (give one of them)"],
        ),
        (
            Flags(source=True, vllm="0.33.0"),
            [COMPILED],
        ),
        (
            Flags(ref="main", repo=GIT, jobs="4"),
            [
                "--ref: is about vLLM from source (add --source)",
                "--repo: is about vLLM from source (add --source)",
                "--jobs: is about vLLM from source (add --source)",
            ],
        ),
        (
            Flags(tag="vllm@x", arch="sm_90", jobs="0", vllm="main", base="A B", platform="arm64"),
            [
                ARCH.format("sm_90"),
                "--tag: should be a name without a digest: `vllm@x` (write it like vllm-node)",
                NAMED.format("--base", "A B"),
                "--vllm: should be a released version of vLLM: `main` (write it like 0.33.0)",
                "--jobs: should be a number of compilers: `0` (write a number from 1 to 1024)",
                "--platform: should be one platform: `arm64` (write it like linux/arm64)",
                "--jobs: is about vLLM from source (add --source)",
            ],
        ),
        (
            Flags(source=True, ref="--upload-pack=x", repo="git@x:y"),
            [LOGIN, REF],
        ),
        (
            Flags(source=True, repo="vllm"),
            [REPO],
        ),
        (Flags(arch="121a"), [ARCH.format("121a")]),
        (Flags(arch="9.0+PTX"), [ARCH.format("9.0+PTX")]),
        (Flags(arch="12.0;cpu"), [ARCH.format("12.0;cpu")]),
        (Flags(arch="12.0;"), [ARCH.format("12.0;")]),
        (
            Flags(tag="Vllm"),
            [NAMED.format("--tag", "Vllm")],
        ),
    ],
)
def test_refused(flags: Flags, problems: list[str]) -> None:
    """All that is wrong is said at once, each with what to do."""
    with pytest.raises(RefusedError) as caught:
        asked(flags)

    assert problems == str(caught.value).splitlines()


def test_no_login_is_shown() -> None:
    """A login that was typed is not repeated."""
    with pytest.raises(RefusedError) as caught:
        asked(Flags(source=True, repo="https://ada:sesame@git.example/vllm"))

    assert not re.search("sesame", str(caught.value))


def test_arguments_are_the_dockerfile_s() -> None:
    """Every build argument is one that the Dockerfile knows; it begins with the same bases."""
    flags = Flags(source=True, ref="main", repo=GIT, jobs="4", base="x", full=True)
    more = (Flags(vllm="0.33.0"), Flags(arch="cpu"))
    passed = {each for flags in (flags, *more) for each in asked(flags).arguments}
    text = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    known = set(re.findall(r"^ARG (\w+)", text, re.MULTILINE))
    bases = re.findall(r"^FROM \$\{BASE:-(\S+)\} AS base-(\S+)", text, re.MULTILINE)

    assert set() == {name for name, _ in {*passed, ("REVISION", "")}} - known
    assert {device: base for base, device in bases} == BASES
