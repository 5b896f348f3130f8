"""The image: the steps of a build, down to the exact `docker build` command."""

from dataclasses import dataclass
from typing import ClassVar

from cluster.build import package_index
from cluster.build.cache_busters import CacheBusters
from cluster.plan.steps import MakeFolder, Plan
from cluster.words import CONTINUED, Environment, Secret, shell_line

GB10 = "12.1a"
"""CUDA's name for the GPU of a DGX Spark, with the features that only this GPU has."""
CUDA = "cuda"
CPU = "cpu"
BASES = {CUDA: "nvidia/cuda:13.0.2-devel-ubuntu24.04", CPU: "debian:12-slim"}
"""The default base images, the same as in the Dockerfile (`base-...`)."""
INDEX_VARIABLE = "BUILD_PIP_CONF"
"""Passes pip's settings to the build: BuildKit reads the secret from this variable."""
VERSIONS = "/opt/spark-vllm-cluster/versions.json"
"""The file in the image that lists the installed versions (docker/versions.py)."""
PROXIES = tuple(
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for spelling in (name, name.lower())
)
"""Build arguments that every Dockerfile has, and that change no layer (Docker, "Proxy")."""


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """What the machine that builds contributes, beside the options of the command."""

    root: str
    """The repository."""
    revision: str = ""
    """Commit of this repository."""
    ca: str = ""
    """A certificate bundle; empty for the certificates of the base image alone."""
    index: Environment = ()
    """pip's settings for package indexes; may contain logins."""
    proxies: tuple[str, ...] = ()
    """Those of `PROXIES` that are set."""
    wheels: tuple[str, ...] = ()
    """Files that no index has, for docker/wheels/."""


@dataclass(frozen=True, kw_only=True)
class PlaceWheels:
    """Link wheels that no index has into the build context, or copy them."""

    title: ClassVar[str] = "Put local wheels into the build context"
    place: str
    files: tuple[str, ...]
    folder: str

    @property
    def text(self) -> str:
        """The shell line."""
        words = shell_line((*self.files, self.folder))
        return f"ln -f {words} 2>/dev/null || cp {words}"


@dataclass(frozen=True, kw_only=True)
class BuildImage:
    """Run `docker build`."""

    title: ClassVar[str] = "Build the image"
    tag: str
    local: LocalSettings
    cache_busters: CacheBusters
    arch: str
    """CUDA architectures, separated by spaces, or `cpu`."""
    base: str = ""
    """The base image; empty for the one in `BASES`."""
    source: bool = False
    """Whether vLLM is compiled from source instead of installed from a released wheel."""
    version: str = ""
    """Released version of vLLM; empty for the locked one."""
    repo: str = ""
    ref: str = ""
    jobs: int | None = None
    """Parallel compile jobs."""
    platform: str = ""
    refresh: str = ""
    """The flag that requested a refresh."""
    pull: bool = False
    """Whether the registry is asked for a newer base image."""
    no_cache: bool = False

    @property
    def place(self) -> str:
        """What the step is about: the image's name."""
        return self.tag

    @property
    def device(self) -> str:
        """What vLLM computes on."""
        return CPU if self.arch == CPU else CUDA

    @property
    def state(self) -> str:
        """The folder for the files that a build leaves beside the image."""
        return f"{self.local.root}/.state"

    @property
    def log(self) -> str:
        """The file with the whole output of the last build."""
        return f"{self.state}/build.log"

    @property
    def id_file(self) -> str:
        """The file to which Docker writes the image's ID."""
        return f"{self.state}/build.id"

    @property
    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The build arguments; those left out have their defaults in the Dockerfile."""
        options = (
            ("BASE", self.base),
            ("VLLM_VERSION", self.version),
            ("VLLM_REPO", self.repo),
            ("VLLM_REF", self.ref),
            ("MAX_JOBS", str(self.jobs or "")),
            ("REVISION", self.local.revision),
        )
        device = ("DEVICE", CPU) if self.device == CPU else ("ARCH", self.arch)
        vllm = ("VLLM", "source" if self.source else "wheel")
        given = tuple((name, value) for name, value in options if value)
        return (device, vllm, *given, *self.cache_busters.arguments)

    @property
    def argv(self) -> tuple[str, ...]:
        """The command. It contains no secrets: they are passed by path and by variable."""
        return tuple(word for group in self._groups for word in group)

    @property
    def environment(self) -> Environment:
        """The variables that the command needs in addition to the user's own."""
        index = self.local.index
        secret = ((INDEX_VARIABLE, Secret(package_index.pip_conf(index))),) if index else ()
        return (("DOCKER_BUILDKIT", "1"), *secret)

    @property
    def text(self) -> str:
        """The shell lines; logins come from variables of the shell that runs them."""
        index = self.local.index
        variable = (f"{INDEX_VARIABLE}={package_index.pip_conf_word(index)}",) if index else ()
        return CONTINUED.join(("DOCKER_BUILDKIT=1", *variable, *map(shell_line, self._groups)))

    @property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """The words of the command, one group a line."""
        root, ca, index = self.local.root, self.local.ca, self.local.index
        return (
            ("docker", "build", "--file", f"{root}/docker/Dockerfile", "--tag", self.tag),
            # The network of this machine, as on the nodes: a proxy on its loopback works as well.
            ("--network", "host", "--progress", "plain", "--iidfile", self.id_file),
            *((("--platform", self.platform),) if self.platform else ()),
            *((("--pull",),) if self.pull else ()),
            *((("--no-cache",),) if self.no_cache else ()),
            *(("--build-arg", f"{name}={value}") for name, value in self.arguments),
            *(("--build-arg", name) for name in self.local.proxies),
            *((("--secret", f"id=ca,src={ca}"),) if ca else ()),
            *((("--secret", f"id=pip,env={INDEX_VARIABLE}"),) if index else ()),
            (root,),
        )


def plan(build: BuildImage) -> Plan:
    """Return all steps of a build."""
    state = MakeFolder(place=build.place, path=build.state)
    folder, files = f"{build.local.root}/docker/wheels", build.local.wheels
    wheels = PlaceWheels(place=build.place, files=files, folder=folder)
    return (state, wheels, build) if files else (state, build)
