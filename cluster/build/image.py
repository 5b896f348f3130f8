"""The image: from what is asked for to the exact `docker build` command."""

import re
from dataclasses import dataclass
from typing import ClassVar

from cluster.build.stamps import Stamps
from cluster.words import CONTINUED, Environment, Secret, Value, shell_line

GB10 = "12.1a"
"""CUDA's name for the GPU of a DGX Spark, with the features of exactly this one."""
CUDA = "cuda"
CPU = "cpu"
BASES = {CUDA: "nvidia/cuda:13.0.2-devel-ubuntu24.04", CPU: "debian:12-slim"}
"""The images below, unless another is asked for: what the Dockerfile says (`base-...`)."""
INDEX_VARIABLE = "BUILD_PIP_CONF"
"""Hands pip's settings to the build: BuildKit reads the secret from it."""
VERSIONS = "/opt/spark-vllm-cluster/versions.json"
"""The file in the image that says what has been installed (docker/versions.py)."""
SPECIAL = re.compile(r'[\\"$`]')
"""What a shell would obey between double quotes."""
STAMPS = "build.json"
"""The file with the stamps of the builds before, in the folder of the state."""
PROXIES = tuple(
    spelled
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for spelled in (name, name.lower())
)
"""Build arguments that every Dockerfile has, and that change no layer (Docker, "Proxy")."""


@dataclass(frozen=True, kw_only=True)
class Around:
    """What the machine that builds adds to what was asked for."""

    root: str
    """The repository."""
    revision: str = ""
    """Commit of this repository."""
    ca: str = ""
    """A bundle of certificates; empty for those of the base image alone."""
    index: Environment = ()
    """pip's settings that say where packages are; may hold logins."""
    proxies: tuple[str, ...] = ()
    """Those of `PROXIES` that are set."""
    wheels: tuple[str, ...] = ()
    """Files that no index has, to be put below docker/wheels/."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build: no step of a plan, as it streams for minutes."""

    title: ClassVar[str] = "Build the image"
    tag: str
    around: Around
    stamps: Stamps
    arch: str
    """A CUDA architecture, several with a space between them, or `cpu`."""
    base: str = ""
    """The image below; empty for the one in `BASES`."""
    source: bool = False
    """Whether vLLM is compiled here, and not a released wheel."""
    version: str = ""
    """Released version of vLLM; empty for the one that has been locked."""
    repo: str = ""
    ref: str = ""
    jobs: int | None = None
    """Compilers at once."""
    platform: str = ""
    refresh: str = ""
    """The flag that asked for something anew."""
    pull: bool = False
    """Whether the base is asked for anew, also when it is there."""
    no_cache: bool = False

    @property
    def device(self) -> str:
        """What vLLM computes on."""
        return CPU if self.arch == CPU else CUDA

    @property
    def state(self) -> str:
        """The folder of what builds leave beside the image."""
        return f"{self.around.root}/.state"

    @property
    def log(self) -> str:
        """Where all lines of the last build are kept."""
        return f"{self.state}/build.log"

    @property
    def id_file(self) -> str:
        """Where Docker writes the ID of the image."""
        return f"{self.state}/build.id"

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The build arguments: what is not said here is the Dockerfile's to say."""
        given = (
            ("BASE", self.base),
            ("VLLM_VERSION", self.version),
            ("VLLM_REPO", self.repo),
            ("VLLM_REF", self.ref),
            ("MAX_JOBS", str(self.jobs or "")),
            ("REVISION", self.around.revision),
        )
        kind = ("VLLM", "source" if self.source else "wheel")
        said = tuple((name, value) for name, value in given if value)
        device = ("DEVICE", CPU) if self.device == CPU else ("ARCH", self.arch)
        return (device, kind, *said, *self.stamps.arguments)

    @property
    def argv(self) -> tuple[str, ...]:
        """The command. Nothing secret is in it: secrets go by path and by variable."""
        return tuple(word for group in self._groups for word in group)

    @property
    def environment(self) -> Environment:
        """The variables that the command needs beside the user's own."""
        index = (
            ((INDEX_VARIABLE, Secret(pip_conf(self.around.index))),) if self.around.index else ()
        )
        return (("DOCKER_BUILDKIT", "1"), *index)

    @property
    def text(self) -> str:
        """The shell lines; a login is taken from the shell that runs them."""
        index = self.around.index
        hand_over = (f"{INDEX_VARIABLE}={_printed(index)}",) if index else ()
        return CONTINUED.join(
            ("DOCKER_BUILDKIT=1", *hand_over, *(shell_line(group) for group in self._groups))
        )

    @property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """The words, those that belong together side by side."""
        root = self.around.root
        ca, index = self.around.ca, self.around.index
        return (
            ("docker", "build", "--file", f"{root}/docker/Dockerfile", "--tag", self.tag),
            # As the nodes run: what this machine reaches, proxies on its loopback as well.
            ("--network", "host", "--progress", "plain", "--iidfile", self.id_file),
            *((("--platform", self.platform),) if self.platform else ()),
            *((("--pull",),) if self.pull else ()),
            *((("--no-cache",),) if self.no_cache else ()),
            *(("--build-arg", f"{name}={value}") for name, value in self.arguments),
            *(("--build-arg", name) for name in self.around.proxies),
            *((("--secret", f"id=ca,src={ca}"),) if ca else ()),
            *((("--secret", f"id=pip,env={INDEX_VARIABLE}"),) if index else ()),
            (root,),
        )


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """Put wheels that no index has where the build finds them: linked, or else copied."""

    title: ClassVar[str] = "Put wheels that are at hand where the build finds them"
    files: tuple[str, ...]
    folder: str

    @property
    def text(self) -> str:
        """The shell line."""
        both = shell_line((*self.files, self.folder))
        return f"ln -f {both} 2>/dev/null || cp {both}"


def script(build: Build) -> str:
    """Return what `--dry` prints: the commands, each under a comment that says what it does."""
    # Not by `step.Folder`: its module imports all that containers are, a tenth of this verb's time.
    folder = ("Make a folder", shell_line(("mkdir", "-p", "-m", "700", build.state)))
    performed: tuple[Wheels | Build, ...] = (*wheels(build), build)
    steps = (folder, *((step.title, step.text) for step in performed))
    return "\n".join(f"# {build.tag}: {title}\n{text}\n" for title, text in steps)


def wheels(build: Build) -> tuple[Wheels, ...]:
    """Return the step before a build; none without wheels."""
    folder = f"{build.around.root}/docker/wheels"
    files = build.around.wheels
    return (Wheels(files=files, folder=folder),) if files else ()


def pip_conf(settings: Environment) -> str:
    """Return the text of a pip.conf, with its secrets in it."""
    plain = ((name, its.value if isinstance(its, Secret) else its) for name, its in settings)
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in plain)


def _printed(settings: Environment) -> str:
    """Return a shell word that stands for `pip_conf`; the shell that runs it has the secrets."""
    lines = ((name, _value(name, its)) for name, its in settings)
    return '"[global]\n' + "".join(f"{name} = {value}\n" for name, value in lines) + '"'


def _value(name: str, value: Value) -> str:
    """Return what a shell reads as the value between double quotes."""
    if isinstance(value, Secret):
        variable = f"PIP_{name.upper().replace('-', '_')}"
        return f"${{{variable}:?holds a login, from {value.origin}}}"
    return SPECIAL.sub(r"\\\g<0>", str(value))
