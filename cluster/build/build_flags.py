"""The flags of `inv build`: read, checked against each other, and turned into a build."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from cluster.build.image import CPU, GB10, Around, Build
from cluster.build.stamps import Stamps
from cluster.errors import Problem, RefusedError
from cluster.settings import docker_values
from cluster.settings.values import Parse, WrongValueError, shown, whole

T = TypeVar("T")
ARCH = re.compile(r"[1-9][0-9]?\.[0-9][af]?")
VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+[a-z0-9.+]*")
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*")
REPO = re.compile(r"(?:https?|git)://[^\s@]+")
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")
JOBS = 1024


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags as they were typed; an empty one was not given."""

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


def build(flags: Flags, tag: str, around: Around, stamps: dict[str, Stamps], moment: int) -> Build:
    """Return what to build; a RefusedError holds all that is wrong with the flags.

    `tag` is the image's name when the flags have none; `stamps` are those of the builds before, by
    device; `moment` is in seconds since 1970.
    """
    read = _Reader()
    found = Build(
        arch=read("--arch", flags.arch, _arch, GB10),
        tag=read("--tag", flags.tag, _tag, tag),
        base=read("--base", flags.base, docker_values.image, ""),
        source=flags.source,
        version=read("--vllm", flags.vllm, _version, ""),
        repo=read("--repo", flags.repo, _repo, ""),
        ref=read("--ref", flags.ref, _ref, ""),
        jobs=read("--jobs", flags.jobs, whole(1, JOBS, "a number of compilers"), None),
        platform=read("--platform", flags.platform, _platform, ""),
        stamps=Stamps(),
        refresh="--full" if flags.full else "--fast" if flags.fast else "",
        pull=flags.full,
        no_cache=flags.no_cache,
        around=around,
    )
    if problems := (*read.problems, *_contradictions(flags)):
        raise RefusedError(*problems)
    kept = stamps.get(found.device, Stamps())
    return replace(found, stamps=kept.refreshed(moment, fast=flags.fast, full=flags.full))


class _Reader:
    """Reads values, and keeps what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, flag: str, text: str, parse: Parse[T], default: T) -> T:
        try:
            return parse(text) if text else default
        except WrongValueError as error:
            self.problems.append(Problem(place=flag, message=error.message, remedy=error.remedy))
            return default


def _contradictions(flags: Flags) -> Iterator[Problem]:
    """Yield what cannot be meant together."""
    compiles = "is about vLLM from source"
    rows = (
        (flags.fast and flags.full, "--fast", "contradicts --full", "give one of them"),
        (
            flags.fast and flags.no_cache,
            "--fast",
            "contradicts --no-cache: it keeps all but vLLM's layers",
            "give one of them",
        ),
        (
            flags.source and flags.vllm,
            "--vllm",
            "contradicts --source: it names a released wheel",
            f"name what to compile with `--ref v{flags.vllm}`",
        ),
        *(
            (text and not flags.source, flag, compiles, "add --source")
            for flag, text in (("--ref", flags.ref), ("--repo", flags.repo), ("--jobs", flags.jobs))
        ),
    )
    for wrong, place, message, remedy in rows:
        if wrong:
            yield Problem(place=place, message=message, remedy=remedy)


def _arch(text: str) -> str:
    """Take what PyTorch takes for several, and return what FlashInfer takes as well: spaces."""
    several = re.split("[; ]+", text)
    if text == CPU or all(ARCH.fullmatch(each) for each in several):
        return " ".join(several)
    raise WrongValueError(
        f"should be a CUDA architecture, several with `;` between them, or cpu: {shown(text)}",
        "write it like 12.1a, 9.0a or 12.0;12.1a",
    )


def _tag(text: str) -> str:
    if "@" in text:
        raise WrongValueError(
            f"should be a name without a digest: {shown(text)}", "write it like vllm-node"
        )
    return docker_values.image(text)


def _version(text: str) -> str:
    return _fitting(text, VERSION.pattern, "a released version of vLLM", "0.33.0")


def _ref(text: str) -> str:
    return _fitting(text, REF.pattern, "a branch, a tag or a commit", "main")


def _repo(text: str) -> str:
    """Take no login: it would be in the list of processes, and in the image's history."""
    if "@" in text:
        message = "holds a login, which would be in the list of processes"
        raise WrongValueError(message, "give the URL of a repository that needs none")
    example = "https://github.com/vllm-project/vllm.git"
    return _fitting(text, REPO.pattern, "the URL of a repository", example)


def _platform(text: str) -> str:
    return _fitting(text, PLATFORM.pattern, "one platform", "linux/arm64")


def _fitting(text: str, pattern: str, kind: str, example: str) -> str:
    if re.fullmatch(pattern, text):
        return text
    raise WrongValueError(f"should be {kind}: {shown(text)}", f"write it like {example}")
