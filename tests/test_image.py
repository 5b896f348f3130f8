"""The `docker build` command, and what `--dry` prints: `tests/dry/build*.sh`.

After an intended change, write these files again and read the difference:

    .nox/unit/bin/python -m tests.test_image && git diff tests/dry
"""

import shlex
import subprocess
from dataclasses import replace

from cluster.build import image
from cluster.build.cache_busters import CacheBusters
from cluster.build.image import BuildImage, LocalSettings, PlaceWheels
from cluster.plan import script
from cluster.words import CONTINUED, Secret
from tests.clusters import CHECKOUT, ROOT

DRY = ROOT / "tests" / "dry"
PLAIN = BuildImage(
    tag="vllm-node",
    arch="12.1a",
    local=LocalSettings(root=CHECKOUT),
    cache_busters=CacheBusters(),
)
INDEX = (
    ("index-url", Secret("https://ada:sesame@mirror.example/simple", "PIP_INDEX_URL")),
    ("trusted-host", 'a "$b"'),
)
FULL = BuildImage(
    tag="me/vllm:1",
    arch="cpu",
    base="debian:12-slim",
    source=True,
    repo="https://git.example/vllm.git",
    ref="main",
    jobs=4,
    platform="linux/arm64",
    cache_busters=CacheBusters(system="1", deps="2", vllm="3"),
    refresh="--full",
    pull=True,
    no_cache=True,
    local=LocalSettings(
        root=CHECKOUT,
        revision="1a2b3c",
        ca="/etc/ssl/certs/ca-certificates.crt",
        index=INDEX,
        proxies=("HTTPS_PROXY", "no_proxy"),
        wheels=("/opt/wheels/torch-2.13.0+cpu.whl",),
    ),
)
COMMON = (
    *("docker", "build", "--file", f"{CHECKOUT}/docker/Dockerfile", "--tag"),
    *("vllm-node", "--network", "host", "--progress", "plain"),
    *("--iidfile", f"{CHECKOUT}/.state/build.id"),
)
CONF = """\
[global]
index-url = https://ada:sesame@mirror.example/simple
trusted-host = a "$b"
"""
SCRIPTS = {
    "build": PLAIN,
    "build-two-kinds": replace(PLAIN, arch="12.0 12.1a"),
    "build-cpu": replace(
        PLAIN, arch="cpu", local=replace(FULL.local, index=(), proxies=(), revision="")
    ),
    "build-everything": FULL,
}


def printed(build: BuildImage) -> str:
    """Return what `--dry` prints."""
    return script.text(image.plan(build))


def test_plain() -> None:
    """Without options, the Dockerfile's defaults apply."""
    arguments = ("--build-arg", "ARCH=12.1a", "--build-arg", "VLLM=wheel")

    assert (*COMMON, *arguments, CHECKOUT) == PLAIN.argv
    assert (("DOCKER_BUILDKIT", "1"),) == PLAIN.environment


def test_version() -> None:
    """Another release of vLLM is an argument."""
    words = ("ARCH=12.1a", "VLLM=wheel", "VLLM_VERSION=0.33.0")
    arguments = tuple(word for argument in words for word in ("--build-arg", argument))

    assert (*COMMON, *arguments, CHECKOUT) == replace(PLAIN, version="0.33.0").argv


def test_secrets_are_not_in_the_command() -> None:
    """Logins reach the build in a variable, proxies by their names."""
    index = dict(FULL.environment)["BUILD_PIP_CONF"]

    assert [] == [word for word in FULL.argv if "sesame" in word]
    assert Secret(CONF) == index
    assert "********" == str(index)


def test_shell_splits_the_same_words() -> None:
    """The printed command has the same words as the one that runs."""
    settings = f'{image.INDEX_VARIABLE}="[global]'
    _, _, line = FULL.text.replace("\\\n", "").partition('\n" ')

    assert settings in FULL.text
    assert FULL.argv == tuple(shlex.split(line))


def test_shell_makes_the_same_settings() -> None:
    """The printed settings expand to the same pip.conf, with the login from the shell."""
    assignment = FULL.text.split(CONTINUED)[1]
    program = f'PIP_INDEX_URL=$1; {assignment}; printf %s "${image.INDEX_VARIABLE}"'
    secret = "https://ada:sesame@mirror.example/simple"
    completed = subprocess.run(
        ["sh", "-c", program, "sh", secret], capture_output=True, text=True, check=True
    )

    assert CONF == completed.stdout


def test_scripts() -> None:
    """`--dry` prints the reviewed text."""
    texts = {name: printed(build) for name, build in SCRIPTS.items()}

    assert {name: (DRY / f"{name}.sh").read_text(encoding="utf-8") for name in SCRIPTS} == texts


def test_no_script_has_a_login() -> None:
    """A printed script contains no login, and no mask that a build would take for one."""
    text = printed(FULL)

    assert [] == [word for word in ("sesame", "********") if word in text]


def test_scripts_are_for_a_shell() -> None:
    """A shell can parse each script."""
    for build in SCRIPTS.values():
        completed = subprocess.run(
            ["sh", "-n"], input=printed(build), capture_output=True, text=True, check=False
        )
        assert (0, "") == (completed.returncode, completed.stderr)


def test_wheels() -> None:
    """Local wheels are put into the build context; without them there is no such step."""
    wheels = PlaceWheels(
        place="me/vllm:1",
        files=("/opt/wheels/torch-2.13.0+cpu.whl",),
        folder=f"{CHECKOUT}/docker/wheels",
    )

    assert (wheels, FULL) == image.plan(FULL)[1:]
    assert (PLAIN,) == image.plan(PLAIN)[1:]


def test_log() -> None:
    """The log of a build is in the folder of the run state."""
    assert f"{CHECKOUT}/.state/build.log" == PLAIN.log


if __name__ == "__main__":
    for script_name, build in SCRIPTS.items():
        (DRY / f"{script_name}.sh").write_text(printed(build), encoding="utf-8")
