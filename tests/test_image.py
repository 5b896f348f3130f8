"""The `docker build` command, to the last word, and what `--dry` prints: `tests/dry/build*.sh`.

After a change that is meant, write them anew and read the difference:

    .nox/unit/bin/python -m tests.test_image && git diff tests/dry
"""

import shlex
import subprocess
from dataclasses import replace

from cluster.build import image
from cluster.build.image import Around, Build, Wheels
from cluster.build.stamps import Stamps
from cluster.words import CONTINUED, Secret
from tests.clusters import PLACE, ROOT

DRY = ROOT / "tests" / "dry"
PLAIN = Build(tag="vllm-node", arch="12.1a", around=Around(root=PLACE), stamps=Stamps())
INDEX = (
    ("index-url", Secret("https://ada:sesame@mirror.example/simple", "PIP_INDEX_URL")),
    ("trusted-host", 'a "$b"'),
)
FULL = Build(
    tag="me/vllm:1",
    arch="cpu",
    base="debian:12-slim",
    source=True,
    repo="https://git.example/vllm.git",
    ref="main",
    jobs=4,
    platform="linux/arm64",
    stamps=Stamps(system="1", deps="2", vllm="3"),
    refresh="--full",
    pull=True,
    no_cache=True,
    around=Around(
        root=PLACE,
        revision="1a2b3c",
        ca="/etc/ssl/certs/ca-certificates.crt",
        index=INDEX,
        proxies=("HTTPS_PROXY", "no_proxy"),
        wheels=("/opt/wheels/torch-2.13.0+cpu.whl",),
    ),
)
ALWAYS = (
    *("docker", "build", "--file", f"{PLACE}/docker/Dockerfile", "--tag"),
    *("vllm-node", "--network", "host", "--progress", "plain"),
    *("--iidfile", f"{PLACE}/.state/build.id"),
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
        PLAIN, arch="cpu", around=replace(FULL.around, index=(), proxies=(), revision="")
    ),
    "build-everything": FULL,
}


def test_plain() -> None:
    """What is not asked for is the Dockerfile's to say."""
    arguments = ("--build-arg", "ARCH=12.1a", "--build-arg", "VLLM=wheel")

    assert (*ALWAYS, *arguments, PLACE) == PLAIN.argv
    assert (("DOCKER_BUILDKIT", "1"),) == PLAIN.environment


def test_version() -> None:
    """Another release of vLLM is an argument."""
    words = ("ARCH=12.1a", "VLLM=wheel", "VLLM_VERSION=0.33.0")
    arguments = tuple(word for each in words for word in ("--build-arg", each))

    assert (*ALWAYS, *arguments, PLACE) == replace(PLAIN, version="0.33.0").argv


def test_secrets_are_not_in_the_command() -> None:
    """Logins reach the build by a variable, proxies by their names."""
    index = dict(FULL.environment)["BUILD_PIP_CONF"]

    assert [] == [word for word in FULL.argv if "sesame" in word]
    assert Secret(CONF) == index
    assert "********" == str(index)


def test_shell_splits_the_same_words() -> None:
    """The printed command is the one that would run."""
    settings = f'{image.INDEX_VARIABLE}="[global]'
    _, _, line = FULL.text.replace("\\\n", "").partition('\n" ')

    assert settings in FULL.text
    assert FULL.argv == tuple(shlex.split(line))


def test_shell_makes_the_same_settings() -> None:
    """Run by hand, the settings are the same, the login taken from the shell."""
    assignment = FULL.text.split(CONTINUED)[1]
    script = f'PIP_INDEX_URL=$1; {assignment}; printf %s "${image.INDEX_VARIABLE}"'
    secret = "https://ada:sesame@mirror.example/simple"
    run = subprocess.run(
        ["sh", "-c", script, "sh", secret], capture_output=True, text=True, check=True
    )

    assert CONF == run.stdout


def test_scripts() -> None:
    """What `--dry` prints is as it was read and agreed to."""
    printed = {name: image.script(build) for name, build in SCRIPTS.items()}

    assert {name: (DRY / f"{name}.sh").read_text(encoding="utf-8") for name in SCRIPTS} == printed


def test_no_script_has_a_login() -> None:
    """Not even a mask that would be taken for one."""
    text = image.script(FULL)

    assert [] == [word for word in ("sesame", "********") if word in text]


def test_scripts_are_for_a_shell() -> None:
    """A shell can read each of them."""
    for build in SCRIPTS.values():
        run = subprocess.run(
            ["sh", "-n"], input=image.script(build), capture_output=True, text=True, check=False
        )
        assert (0, "") == (run.returncode, run.stderr)


def test_wheels() -> None:
    """Wheels are put into the folder of the build context, where there are some."""
    wheels = Wheels(
        files=("/opt/wheels/torch-2.13.0+cpu.whl",),
        folder=f"{PLACE}/docker/wheels",
    )

    assert (wheels,) == image.wheels(FULL)
    assert () == image.wheels(PLAIN)


def test_places() -> None:
    """What builds leave lies in the folder of the state."""
    assert f"{PLACE}/.state/build.log" == PLAIN.log


if __name__ == "__main__":
    for each, build in SCRIPTS.items():
        (DRY / f"{each}.sh").write_text(image.script(build), encoding="utf-8")
