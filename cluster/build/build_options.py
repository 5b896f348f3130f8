"""The options of `inv build`: read, checked against each other, and turned into a build."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from cluster.build.cache_busters import ByDevice, CacheBusters
from cluster.build.image import CPU, GB10, BuildImage, LocalSettings
from cluster.errors import Problem, RefusedError
from cluster.settings import values
from cluster.settings.values import Parse, WrongValueError, shown, whole

T = TypeVar("T")
ARCH = re.compile(r"[1-9][0-9]?\.[0-9][af]?")
VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+[a-z0-9.+]*")
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
REPO = re.compile(r"(?:https?|git)://[^\s@]+")
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")
MOST_JOBS = 1024


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """The options as they were typed; an empty one was not given."""

    tag: str = ""
    arch: str = ""
    jobs: str = ""
    vllm: str = ""
    source: bool = False
    ref: str = ""
    repo: str = ""
    base: str = ""
    platform: str = ""
    no_cache: bool = False
    fast: bool = False
    full: bool = False


def build_image(
    options: BuildOptions, tag: str, local: LocalSettings, earlier: ByDevice, moment: int
) -> BuildImage:
    """Return the build; a RefusedError holds all problems of the options.

    `tag` is the image's name if the options have none; `earlier` are the cache busters of earlier
    builds; `moment` is in seconds since 1970.
    """
    parse = _OptionParser()
    build = BuildImage(
        arch=parse("--arch", options.arch, _arch, GB10),
        tag=parse("--tag", options.tag, _tag, tag),
        base=parse("--base", options.base, values.image, ""),
        source=options.source,
        version=parse("--vllm", options.vllm, _version, ""),
        repo=parse("--repo", options.repo, _repo, ""),
        ref=parse("--ref", options.ref, _ref, ""),
        jobs=parse("--jobs", options.jobs, whole(1, MOST_JOBS, "a number of parallel jobs"), None),
        platform=parse("--platform", options.platform, _platform, ""),
        cache_busters=CacheBusters(),
        refresh="--full" if options.full else "--fast" if options.fast else "",
        pull=options.full,
        no_cache=options.no_cache,
        local=local,
    )
    if problems := (*parse.problems, *_contradictions(options)):
        raise RefusedError(*problems)
    busters = earlier.get(build.device, CacheBusters())
    busters = busters.refreshed(moment, fast=options.fast, full=options.full)
    return replace(build, cache_busters=busters)


class _OptionParser:
    """Parses option values, and collects the problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, option: str, text: str, parse: Parse[T], default: T) -> T:
        try:
            return parse(text) if text else default
        except WrongValueError as error:
            self.problems.append(Problem(place=option, message=error.message, remedy=error.remedy))
            return default


def _contradictions(options: BuildOptions) -> Iterator[Problem]:
    if options.fast and options.full:
        yield _conflict("--fast", "--full")
    if options.fast and options.no_cache:
        yield _conflict("--fast", "--no-cache: it takes everything below vLLM from the cache")
    if options.source and options.vllm:
        remedy = f"select what to compile with `--ref v{options.vllm}`"
        yield _conflict("--vllm", "--source: it selects a released wheel", remedy)
    source_options = (("--ref", options.ref), ("--repo", options.repo), ("--jobs", options.jobs))
    message = "applies only to a build from source"
    for name in (name for name, value in source_options if value and not options.source):
        yield Problem(place=name, message=message, remedy="add --source")


def _conflict(option: str, partner: str, remedy: str = "give only one of them") -> Problem:
    return Problem(place=option, message=f"cannot be combined with {partner}", remedy=remedy)


def _arch(text: str) -> str:
    """Accept PyTorch's separators, and return FlashInfer's, which PyTorch accepts too: spaces."""
    architectures = re.split("[; ]+", text)
    if text == CPU or all(map(ARCH.fullmatch, architectures)):
        return " ".join(architectures)
    raise WrongValueError(
        f"must be CUDA architectures, separated by `;`, or cpu, not {shown(text)}",
        "for example 12.1a, 9.0a or 12.0;12.1a",
    )


def _tag(text: str) -> str:
    if "@" in text:
        raise values.wrong_kind("a name without a digest", text, "for example vllm-node")
    return values.image(text)


_version = values.matching(VERSION, "a released version of vLLM", "for example 0.33.0")
_ref = values.matching(REF, "a branch, a tag or a commit", "for example main")
_platform = values.matching(PLATFORM, "one platform", "for example linux/arm64")


def _repo(text: str) -> str:
    """Refuse logins: they would be in the process list and in the image's history."""
    if "@" in text:
        message = "contains a login, which would be in the process list"
        raise WrongValueError(message, "give the URL of a repository that needs no login")
    remedy = "for example https://github.com/vllm-project/vllm.git"
    return values.matching(REPO, "the URL of a repository", remedy)(text)
